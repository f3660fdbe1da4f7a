"""The demo from its options to its report."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

from . import report
from .data import load_digits
from .network import NetworkName, build
from .progress import progress_bar
from .train import steps_per_epoch, train
from .writers import WriterName, open_writer


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    writer: WriterName = "tbasync"
    network: NetworkName = "auto"
    epochs: int = 5  # 1 or more
    log_dir: str | None = None  # None: a new folder under runs/
    seed: int = 0  # 0 or more


def run(options: Options) -> None:
    """Train, log and print the report.

    Raises MissingPackage, and OSError for a log_dir that cannot be written.
    """
    digits = load_digits(options.seed)
    network = build(options.network, options.seed)
    log_dir = Path(options.log_dir or f"runs/demo-{datetime.now():%Y%m%d-%H%M%S}")
    writer = open_writer(options.writer, log_dir)
    with closing(writer):
        with progress_bar(options.epochs * steps_per_epoch(digits)) as progress:
            outcome = train(network, digits, writer, progress, epochs=options.epochs, seed=options.seed)
        started = perf_counter()
        writer.close()
        closing_seconds = perf_counter() - started
    print(report.what_was_trained(network, digits, outcome))
    if options.writer == "none":
        return
    print(report.where_it_is(log_dir))
    print(report.what_logging_cost(outcome, closing_seconds))
    if options.writer == "tbasync":
        print(report.what_the_writer_did(writer))

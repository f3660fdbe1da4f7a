"""What the demo says when it is done."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from tbasync import SummaryWriter

from .data import Digits
from .network import Network
from .train import Outcome


def what_was_trained(network: Network, digits: Digits, outcome: Outcome) -> str:
    return (
        f"Trained {network.description} on {len(digits.train_images):,} real digits: "
        f"{outcome.steps:,} steps in {outcome.loop_seconds:.2f} s, test accuracy {outcome.accuracy:.1%}."
    )


def where_it_is(log_dir: Path) -> str:
    command = f"{tensorboard()} --logdir {shlex.quote(str(log_dir))}"
    return f"The run:    {log_dir}\nTo see it:  {command}    (then http://localhost:6006)"


def what_logging_cost(outcome: Outcome, closing_seconds: float) -> str:
    logging, loop = outcome.logging_seconds, outcome.loop_seconds
    return (
        f"Logging:    {logging * 1e3:,.1f} ms of the loop's {loop * 1e3:,.0f} ms ({logging / loop:.1%}), "
        f"{logging / outcome.steps * 1e6:,.0f} µs a step; closing took {closing_seconds * 1e3:,.0f} ms."
    )


def what_the_writer_did(writer: SummaryWriter) -> str:
    stats = writer.stats()
    return (
        f"Meanwhile:  the writer thread wrote {stats.written:,} of {stats.pushed:,} summaries, "
        f"{mebibytes(stats.bytes_written)}, in {stats.worker_cpu_seconds:.2f} s of CPU;\n"
        f"            {stats.dropped} dropped, {stats.failed} failed; at most {stats.queue_length_peak:,} "
        f"({mebibytes(stats.queue_bytes_peak)}) waited in the queue;\n"
        f"            the loop was blocked for {stats.blocked_seconds * 1e3:,.1f} ms."
    )


def mebibytes(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"


def tensorboard() -> str:
    """The command that starts TensorBoard from this very shell."""
    if shutil.which("tensorboard"):
        return "tensorboard"
    if find_spec("tensorboard"):
        return f"{shlex.quote(sys.executable)} -m tensorboard.main"
    return "pip install tensorboard && tensorboard"

"""Train a small network on real digits and log everything, then say what logging cost.

The network is a convolutional one where torch is installed, otherwise a small one in plain numpy. The run
goes to a new folder under runs/ unless --log-dir names one. For comparison, --writer torch and --writer none
run the same loop with torch's own SummaryWriter and with none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ._errors import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    writers, networks = ("tbasync", "torch", "none"), ("auto", "torch", "numpy")
    add("--writer", choices=writers, default="tbasync", help="who logs (default: tbasync)")
    add("--network", choices=networks, default="auto", help="what learns (default: torch's if installed)")
    add("--epochs", type=at_least(1), default=5, metavar="N", help="passes over the data (default: 5)")
    add("--log-dir", metavar="DIR", help="where the run goes (default: runs/demo-DATE-TIME)")
    add("--seed", type=at_least(0), default=0, metavar="N", help="of split, weights and order (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    from tbasync import demo

    try:
        demo.run(
            demo.Options(
                writer=arguments.writer,
                network=arguments.network,
                epochs=arguments.epochs,
                log_dir=arguments.log_dir,
                seed=arguments.seed,
            )
        )
    except (demo.MissingPackage, OSError) as error:
        raise CommandError(str(error)) from error
    return 0


def at_least(lowest: int) -> Callable[[str], int]:
    """An argparse type: a whole number of `lowest` or more."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if number < lowest:
            raise argparse.ArgumentTypeError(f"expected a whole number of {lowest} or more, got {text!r}")
        return number

    return parse

"""Measure what logging costs here, beside the other writers that are installed.

Every writer gets the same work in processes of its own, in interleaved rounds: latency of a call, CPU of an
event, step time of a training loop, gaps of the main thread, flush, memory. A clock stops only after a flush,
and the files are read back before it is believed. Where the rounds contradict each other, it says "noisy".
It takes under 90 seconds; leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import CommandError

if TYPE_CHECKING:
    from ..bench.unit import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quick", action="store_true", help="15 seconds: shows that all works, proves little"
    )
    parser.add_argument("--peers", nargs="+", metavar="WRITER", help="only these (tbasync, torch, floor, …)")
    parser.add_argument("--rounds", type=int, metavar="N", help="at most so many rounds")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="begin no round that would end later than this"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures, each round's, to FILE")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write plots to DIR (needs matplotlib)")
    parser.add_argument(
        "--from", dest="earlier", type=Path, metavar="FILE",
        help="measure nothing: make the plots from what --json has written",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """The exit status is 1 if a writer could not be measured at all."""
    from ..bench import command

    if arguments.plots and importlib.util.find_spec("matplotlib") is None:
        raise CommandError("--plots needs matplotlib: pip install 'tbasync[bench]'")
    if arguments.earlier:
        return _plot_earlier(arguments.earlier, arguments.plots)
    plan: Plan = "quick" if arguments.quick else "bench"
    names = command.chosen(_asked(arguments.peers, command.NAMES), plan)
    rounds, seconds = arguments.rounds, arguments.seconds
    if rounds is None:
        rounds = command.QUICK_ROUNDS if arguments.quick else command.FULL_ROUNDS
    if seconds is None:
        seconds = command.QUICK_SECONDS if arguments.quick else command.FULL_SECONDS
    if rounds < 1:
        raise CommandError(f"--rounds must be 1 or more, got {rounds}")
    answer, lines = command.run(names, plan, rounds, seconds, _tell)
    _tell("")
    print("\n".join(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps(answer, indent=1) + "\n")
    if arguments.plots:
        print()
        _plot(answer, arguments.plots)
    return int(any(peer["status"] == "failed" for peer in answer["peers"].values()))


def _plot_earlier(file: Path, directory: Path | None) -> int:
    from ..bench.document import SCHEMA

    if directory is None:
        raise CommandError("--from makes plots: say where to by --plots DIR")
    try:
        answer = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"--from: {file} cannot be read: {error}") from error
    if not isinstance(answer, dict) or answer.get("schema") != SCHEMA:
        raise CommandError(f"--from: {file} was not written by `tbasync bench --json` of this version")
    _plot(answer, directory)
    return 0


def _plot(answer: dict[str, Any], directory: Path) -> None:
    from ..bench.plots import plots

    print("\n".join(str(path) for path in plots(answer, directory)))


def _asked(asked: list[str] | None, names: list[str]) -> list[str] | None:
    unknown = [name for name in asked or () if name not in names]
    if unknown:
        raise CommandError(f"--peers: there is no writer {unknown[0]!r}; there are {', '.join(names)}")
    return asked


def _tell(message: str) -> None:
    """One line on a terminal that the next one replaces."""
    if sys.stderr.isatty():
        print(f"\r\033[K{message}", end="", file=sys.stderr, flush=True)

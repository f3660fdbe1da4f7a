"""Run a script and say what its logging costs.

    tbasync profile train.py --lr 0.1      in place of  python train.py --lr 0.1
    tbasync profile -m package.train       in place of  python -m package.train

The script runs with its own SummaryWriter, torch's, tensorboardX's or tbasync's, whose calls are timed on the
threads that make them. A sample of them is then made again with tbasync, for an estimate. With --compare the
script runs a second time, under tbasync, to the same log directory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM, signal
from typing import TYPE_CHECKING, Any

from . import _program
from ._errors import CommandError

if TYPE_CHECKING:
    from ..profiling.result import Result
    from ..script import Program

KILLED = 128  # plus the signal's number: what a shell reports of a process that a signal ended


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--compare", action="store_true", help="run it again under tbasync, and compare")
    parser.add_argument(
        "--json", action="store_true", help="print JSON alone; what the script prints goes to stderr"
    )
    _program.add_arguments(parser, "[--compare] [--json] ")


def run(arguments: argparse.Namespace) -> int:
    program = _program.load(arguments)
    status, own = _measured(program, "own", arguments)
    under_tbasync = None
    if arguments.compare and status == 0:
        status, under_tbasync = _measured(program, "tbasync", arguments)
    _show(program, status, own, under_tbasync, arguments)
    return status


def _measured(program: Program, writer: str, arguments: argparse.Namespace) -> tuple[int, Result]:
    """Runs the program in a process of its own; returns its exit status and what was measured.

    Raises:
        CommandError: the process was ended before it could say anything.
    """
    from ..profiling.result import Result

    with tempfile.TemporaryDirectory(prefix="tbasync-profile-") as directory:
        path = Path(directory, "result.json")
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        command = [sys.executable, *flags, "-m", "tbasync.profiling", str(path), writer, *program.command]
        process = subprocess.Popen(command, stdout=sys.stderr if arguments.json else None)
        with _outlasting(process):
            status = _wait(process)
        if not path.exists():
            raise CommandError(f"the script's process ended with status {status} before it could be measured")
        return status, Result.from_json(json.loads(path.read_text()))


@contextlib.contextmanager
def _outlasting(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Passes a SIGTERM on to the script, for which it is meant."""
    before = signal(SIGTERM, lambda *_: process.terminate())
    try:
        yield
    finally:
        signal(SIGTERM, before)


def _wait(process: subprocess.Popen[Any]) -> int:
    while True:
        # Ctrl-C reaches the script as well as us: what it does about it is its own affair.
        with contextlib.suppress(KeyboardInterrupt):
            status = process.wait()
            return status if status >= 0 else KILLED - status


def _show(
    program: Program, status: int, own: Result, under_tbasync: Result | None, arguments: argparse.Namespace
) -> None:
    if arguments.json:
        other = None if under_tbasync is None else under_tbasync.to_json()
        document = {"command": program.command, "status": status, "own": own.to_json(), "tbasync": other}
        print(json.dumps(document, indent=2))
        return
    from ..profiling.report import report
    from ..profiling.tables import show

    print()
    show(report(own, under_tbasync), sys.stdout)

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
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from . import _program

if TYPE_CHECKING:
    from ..profiling.result import Result
    from ..script import Program

# What ends a script, or is handled by it; the others are not sent to commands.
_PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
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
    if own is None:
        print(
            f"tbasync profile: nothing to report: the process ended with status {status} before it could be measured",
            file=sys.stderr,
        )
    else:
        _show(program, status, own, under_tbasync, arguments)
    return status


def _measured(program: Program, writer: str, arguments: argparse.Namespace) -> tuple[int, Result | None]:
    """Runs the program in a process of its own; returns its exit status and what was measured.

    That is None if the process was ended before it could say anything.
    """
    from ..profiling.result import Result

    with tempfile.TemporaryDirectory(prefix="tbasync-profile-") as directory:
        path = Path(directory, "result.json")
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        command = [sys.executable, *flags, "-m", "tbasync.profiling", str(path), writer, *program.command]
        with _passing_on() as started, _input(program, directory) as stdin:
            process = subprocess.Popen(command, stdin=stdin, stdout=sys.stderr if arguments.json else None)
            started(process)
            status = process.wait()
        status = status if status >= 0 else KILLED - status
        return status, Result.from_json(json.loads(path.read_text())) if path.exists() else None


@contextlib.contextmanager
def _input(program: Program, directory: str) -> Iterator[IO[bytes] | None]:
    """What the script's process is to read: ours, or the script itself where we have read it from there."""
    from ..script import STDIN

    if program.target != STDIN or program.content is None:
        yield None
        return
    path = Path(directory, "script")
    path.write_bytes(program.content)
    with open(path, "rb") as file:
        yield file


@contextlib.contextmanager
def _passing_on() -> Iterator[Callable[[subprocess.Popen[Any]], None]]:
    """Has signals that are meant for the script reach it; gives a function to call with its process."""
    processes: list[subprocess.Popen[Any]] = []
    early: list[int] = []

    def pass_on(number: int, _: object) -> None:
        if number == signal.SIGINT and _has_terminal():
            return  # Ctrl-C reaches the script as well as us
        early.append(number)
        for process in processes:
            process.send_signal(number)

    def started(process: subprocess.Popen[Any]) -> None:
        processes.append(process)
        for number in early:
            process.send_signal(number)

    before = {number: signal.getsignal(number) for number in _PASSED_ON}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # under nohup, say; the script ignores it likewise
            signal.signal(number, pass_on)
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether we are in the foreground of a terminal, which sends its signals to all processes there."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except (AttributeError, OSError):
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


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
    if under_tbasync is not None and status:
        print(f"Under tbasync the script ended with status {status}; without, with 0.")

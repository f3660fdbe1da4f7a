"""Open a run, or all runs below a folder, in TensorBoard.

    tbasync view runs                    in place of  tensorboard --logdir runs
    tbasync view runs --port 6007        whatever follows goes to TensorBoard as it is

It is stock TensorBoard that starts, in this process. But it shows an empty page for a folder that does not exist,
that holds no event files, or whose name still has its quotes or its ~; here that is an error, with the most
similar run there is. A remote log directory (one with ://) is not looked into.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ._errors import CommandError
from ._event_files import printable

PASSES_INTERRUPTS = True  # an interrupted TensorBoard ends the process as it does by itself

_QUOTES = "\"'`“”‘’«»"
_TRIED = 3  # names of each folder that are similar enough to be looked into, at most


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.usage = f"{parser.prog} [-h] LOGDIR [ARGUMENT OF TENSORBOARD ...]"
    parser.add_argument("logdir", metavar="LOGDIR", help="a run, or a folder with runs below it")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Start TensorBoard; it ends the process, with its own exit status."""
    log_dir = checked(arguments.logdir)
    try:
        from tensorboard.main import run_main
    except ImportError as error:
        raise CommandError(
            f"TensorBoard cannot be imported here ({error}): pip install tensorboard"
        ) from error
    sys.argv = ["tensorboard", "--logdir", log_dir, *arguments.arguments]
    run_main()
    return 0


def checked(given: str) -> str:
    """The directory that was meant, which holds event files.

    Raises:
        CommandError: there is none; the message has the most similar one that does.
    """
    if "://" in given:
        return given
    path = given if os.path.exists(given) else _expanded(given)
    if path != given and os.path.exists(path):
        print(f"tbasync view: {printable(given)} is taken for {printable(path)}", file=sys.stderr)
    if not os.path.exists(path):
        name = printable(path) or "without a name"
        raise CommandError(f"there is no folder {name}{_hint(_similar(path))}")
    if not os.path.isdir(path):
        parent = os.path.dirname(path) or os.curdir
        raise CommandError(
            f"{printable(path)} is a file, and TensorBoard wants its folder"
            f"{_hint(parent if _holds_event_files(parent) else None)}"
        )
    if not _holds_event_files(path):
        parent, name = os.path.split(os.path.abspath(path))
        hint = next(_similar_in(os.path.relpath(parent), name, but=name), None)
        raise CommandError(f"there are no event files in or below {printable(path)}{_hint(hint)}")
    return path


def _expanded(given: str) -> str:
    """The path without quotes, and with ~ and variables replaced: what a shell might have left as it was."""
    return os.path.expandvars(os.path.expanduser(given.strip().strip(_QUOTES)))


def _hint(path: str | None) -> str:
    return "" if path is None else f"; did you mean {printable(path)} ?"


def _similar(path: str) -> str | None:
    """The most similar path that holds event files, name by name from the first that does not exist."""
    parts = Path(path).parts
    known = 1 if os.path.isabs(path) else 0
    while known < len(parts) and os.path.isdir(os.path.join(*parts[: known + 1])):
        known += 1
    bases = [os.path.join(*parts[:known])] if known else [os.curdir]
    for name in parts[known:]:
        bases = [found for base in bases for found in _alike(base, name)]
    return next(filter(_holds_event_files, bases), None)


def _similar_in(base: str, name: str, *, but: str) -> Iterator[str]:
    found = (path for path in _alike(base, name, _TRIED + 1) if os.path.basename(path) != but)
    return filter(_holds_event_files, found)


def _alike(base: str, name: str, most: int = _TRIED) -> list[str]:
    """The directories in `base` whose names are most like `name`, in any case of letters, the best first."""
    try:
        names = sorted(entry.name for entry in os.scandir(base) if entry.is_dir())
    except OSError:
        return []
    by_folded = {found.casefold(): found for found in reversed(names)}
    matches = difflib.get_close_matches(name.casefold(), by_folded, most)
    return [os.path.normpath(os.path.join(base, by_folded[match])) for match in matches]


def _holds_event_files(path: str) -> bool:
    from ..files.tree import event_files

    return next(event_files(path, follow_links=True, on_error=lambda error: None), None) is not None

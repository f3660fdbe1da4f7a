"""What the commands on event files share: which files are meant, a progress bar, and safe printing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ._errors import CommandError

Advance = Callable[[int], object]


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The arguments that the commands share."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="an event file, or a directory with all below it"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    parser.add_argument("--quiet", action="store_true", help="print only what is wrong, and no progress bar")


def expand(paths: list[str], *, follow_links: bool, on_error: Callable[[OSError], object]) -> list[Path]:
    """The event files that the paths mean, each once.

    Raises:
        CommandError: a path does not exist, or is a directory without event files.
    """
    from ..files.tree import event_files

    found = dict[Path, None]()
    for path in paths:
        if not os.path.lexists(path):
            raise CommandError(f"there is no file or folder {printable(path)}")
        if not os.path.isdir(path):
            found[Path(path)] = None
            continue
        errors = list[OSError]()
        below = list(event_files(path, follow_links=follow_links, on_error=errors.append))
        if not below and not errors:
            raise CommandError(f"there are no event files in or below {printable(path)}")
        found.update(dict.fromkeys(below))
        for error in errors:
            on_error(error)
    return list(found)


@contextmanager
def progress(title: str, total: int, wanted: bool) -> Iterator[Advance]:
    """A progress bar on standard error, if that is a terminal and rich is there; yields how to move it on."""
    if not wanted or not sys.stderr.isatty():
        yield lambda count: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    except ImportError:
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)


def size_of(path: Path) -> int:
    """The file's size in bytes; 0 if it cannot be told."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def printable(text: str | os.PathLike[str]) -> str:
    """The text with everything escaped that a terminal might act on or cannot show."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode()
        for sign in os.fspath(text)
    )


def megabytes(count: int) -> str:
    """A number of bytes for a person: "47.2 MB"."""
    return f"{count:,} bytes" if count < 100_000 else f"{count / 1e6:,.1f} MB"


def plural(count: int, noun: str) -> str:
    """A number with its noun: "1 record", "2,000 records"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"

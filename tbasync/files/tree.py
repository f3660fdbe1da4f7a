"""Which files of a directory tree are event files, by TensorBoard's rule: "tfevents" in the name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def is_event_file_name(name: str) -> bool:
    """Whether TensorBoard takes a file of this name for an event file."""
    return "tfevents" in name


def run_files(directory: str | os.PathLike[str]) -> list[Path]:
    """The event files of one run, in the order in which TensorBoard reads them: by name.

    Files that end in ".profile-empty" are left out, as there: they only mark a run that was profiled.
    """
    names = (name for name in os.listdir(directory) if is_event_file_name(name))
    return [
        path
        for name in sorted(names)
        if not name.endswith(".profile-empty") and (path := Path(directory, name)).is_file()
    ]


def event_files(
    top: str | os.PathLike[str], *, follow_links: bool, on_error: Callable[[OSError], object]
) -> Iterator[Path]:
    """Every event file below the directory `top`, each directory's in order of name, itself before its parts.

    Args:
        follow_links: also into directories and files behind symbolic links, as TensorBoard does; each
            directory is visited once, so that links in a circle come to an end.
        on_error: called with the error for each directory that cannot be listed.
    """
    seen, todo = set[tuple[int, int]](), [os.fspath(top)]
    while todo:
        directory = todo.pop()
        try:
            status = os.stat(directory)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(directory) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            on_error(error)
            continue
        below = list[str]()
        for entry in entries:
            if entry.is_symlink() and not follow_links:
                continue
            if entry.is_dir():
                below.append(entry.path)
            elif is_event_file_name(entry.name):
                yield Path(entry.path)
        todo.extend(reversed(below))

"""Whether what was logged is in the files: no clock is believed before that was looked at."""

from __future__ import annotations

import os
from pathlib import Path

from .peers import PEERS

_LARGE = 128 << 20  # bytes of event files; `read` takes more than twice as much memory


class LostError(RuntimeError):
    """Fewer values are in the files than were logged, or more."""


def values_in(log_dir: str) -> int:
    """How many values the event files of a run hold, of all kinds; sub-runs are left out.

    Of a file too large to be read into memory every record is checked, and each but the first counted as one.
    """
    from tbasync import read
    from tbasync.files.check import check_file
    from tbasync.files.series import KINDS
    from tbasync.files.tree import run_files

    if bytes_in(log_dir) > _LARGE:
        return sum(check_file(path).records - 1 for path in run_files(Path(log_dir)))
    try:
        run = read(log_dir, purge=False)
    except FileNotFoundError:
        return 0
    return sum(len(series.steps) for kind in KINDS for series in run.of_kind(kind).values())


def bytes_in(log_dir: str) -> int:
    """The size of all files below a directory."""
    return sum(
        os.path.getsize(os.path.join(directory, name))
        for directory, _, names in os.walk(log_dir)
        for name in names
    )


def check(peer: str, log_dir: str, expected: int) -> None:
    """Reads the files back; nothing is looked at where no event files are written (the floors, wandb).

    Raises:
        LostError: there are not `expected` values in them.
    """
    if PEERS[peer].writes_events and (found := values_in(log_dir)) != expected:
        raise LostError(f"{peer}: {found:,} values are in the files, {expected:,} were logged")

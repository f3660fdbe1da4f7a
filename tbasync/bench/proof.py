"""Whether what was logged is in the files: no clock is believed before that was looked at."""

from __future__ import annotations

import os

from .peers import PEERS


class LostError(RuntimeError):
    """Fewer values are in the files than were logged, or more."""


def values_in(log_dir: str) -> int:
    """How many values the event files of a run hold, of all kinds; sub-runs are left out."""
    from tbasync import read
    from tbasync.files.series import KINDS

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

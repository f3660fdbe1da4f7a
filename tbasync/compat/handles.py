"""File writers that were taken from a writer before it was wrapped: what they are given goes the new way."""

from __future__ import annotations

from typing import Any

from ..file_writer import FileWriter
from ..writer import SummaryWriter


class _EventWriter:
    """Stands in for the event file writer that a package's `FileWriter` gives its finished events to."""

    def __init__(self, file_writer: FileWriter) -> None:
        self._file_writer = file_writer

    def get_logdir(self) -> str:
        """The run's directory."""
        return self._file_writer.get_logdir()

    def add_event(self, event: Any) -> None:
        """Logs an `Event` as it is, its wall time included."""
        self._file_writer.add_event(event, walltime=event.wall_time)

    def flush(self) -> None:
        """As the wrapped writer's."""
        self._file_writer.flush()

    def close(self) -> None:
        """Closes the wrapped writer; the next event opens a new file."""
        self._file_writer.close()

    def reopen(self) -> None:
        """Nothing needs to be done."""


def redirect(handle: Any, writer: SummaryWriter) -> None:
    """Has a file writer of torch or tensorboardX, closed by now, pass events on to another writer.

    Otherwise torch's would raise from now on, and tensorboardX's would lose what it is given.
    """
    if hasattr(handle, "event_writer"):  # tensorboardX has others, for other places than directories
        handle.event_writer = _EventWriter(writer._get_file_writer())

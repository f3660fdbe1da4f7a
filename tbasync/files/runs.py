"""The event files of one writer: its own run's and those of its sub-runs."""

from __future__ import annotations

import contextlib
import os
import time
from collections import OrderedDict

from ..wire.event import purge_events
from ..wire.record import record
from .event_file import EventFile

# Sub-runs beyond this many share handles: the one unused for longest is closed, and opened again on demand.
_MOST_HANDLES = 64


class RunFiles:
    """Run directory -> event file. Used by one thread at a time.

    Attributes:
        bytes_written: bytes of whole records handed to the operating system, in all files.
    """

    def __init__(self, log_dir: str, suffix: str = "") -> None:
        self.log_dir = log_dir
        self.bytes_written = 0
        self._suffix = suffix
        self._files: dict[str, EventFile] = {}
        self._open: OrderedDict[str, EventFile] = OrderedDict()

    def open_main(self, purge_step: int | None = None) -> None:
        """Creates the writer's own file now, and hides what earlier files hold from `purge_step` on.

        Raises:
            OSError: the directory or file cannot be made.
        """
        self._file(self.log_dir)
        if purge_step is not None:
            self.append(None, b"".join(map(record, purge_events(time.time(), purge_step))))

    def append(self, run: str | None, records: bytes) -> None:
        """Appends whole records to a run's file, creating the run's directory and file when they are new.

        Raises:
            OSError: nothing of `records` was written.
        """
        self._file(run or self.log_dir).append(records)
        self.bytes_written += len(records)

    def write_beside(self, run: str | None, path: str, content: bytes) -> None:
        """Writes a further file of a run, such as the projector's, whole or not at all.

        Args:
            run: the run's directory, or None for the writer's own.
            path: where, relative to it; directories are made.
            content: the file's bytes.

        Raises:
            ValueError: the path leads out of the run's directory.
            OSError: the file cannot be written; one that was there before is as it was.
        """
        root = os.path.realpath(run or self.log_dir)
        target = os.path.realpath(os.path.join(root, path))
        if os.path.commonpath((root, target)) != root or target == root:
            raise ValueError(f"{path!r} leads out of the run's directory")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        unfinished = f"{target}.{os.getpid()}.unfinished"
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
            os.replace(unfinished, target)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            raise
        self.bytes_written += len(content)

    def fsync(self) -> None:
        """Returns when what was appended to every run is on the disk."""
        for file in self._files.values():
            file.fsync()

    def end(self, run: str) -> None:
        """Closes the handle of a run that is complete for now."""
        file = self._open.pop(run, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        """Closes and forgets every file: the next append creates new ones."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._open.clear()

    def _file(self, run: str) -> EventFile:
        file = self._files.get(run)
        if file is None:
            file = self._files[run] = EventFile(run, self._suffix)
            self.bytes_written += file.size
        self._open[run] = file
        self._open.move_to_end(run)
        if len(self._open) > _MOST_HANDLES:
            self._open.popitem(last=False)[1].close()
        return file

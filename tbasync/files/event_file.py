"""One event file: whole records appended through one handle."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import time
from functools import cache

from ..wire.event import first_event
from ..wire.record import record

# Counts the files that this process has named, so that no two of them share a name. Padded in the name:
# TensorBoard reads a directory's files in the order of their names.
_counter = itertools.count()

_CREATE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_REOPEN = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@cache
def _host() -> str:
    return socket.gethostname()


class EventFile:
    """An event file that did not exist before; at every instant whole records and at most one torn one.

    Not thread-safe: the writer thread owns it, from the moment on when the constructor has returned.

    Attributes:
        path: where it lies.
        size: bytes of whole records in it.
    """

    def __init__(self, directory: str, suffix: str = "") -> None:
        """Creates `directory` and a file in it, and writes the record that opens every event file.

        Raises:
            OSError: the directory or the file cannot be made, or the first record cannot be written.
        """
        os.makedirs(directory, exist_ok=True)
        self.path, self._handle = _create(directory, suffix)
        self.size = self._synced = 0
        self._torn = False
        try:
            self.append(record(first_event(time.time())))
        except OSError:
            self.close()
            os.unlink(self.path)
            raise

    def append(self, records: bytes) -> None:
        """Appends whole records: all of them, or none when it raises.

        Raises:
            OSError: they could not be written; what had reached the file of them is cut off again, now or,
                where cutting fails too, before the next append.
        """
        handle = self._open()
        if self._torn:
            self._cut(handle)
        rest = memoryview(records)
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
        except OSError:
            self._torn = True
            self._cut_if_possible(handle)
            raise
        self.size += len(records)

    def fsync(self) -> None:
        """Returns when what was appended is on the disk; raises OSError when it cannot get there."""
        if self._synced < self.size:
            os.fsync(self._open())
            self._synced = self.size

    def close(self) -> None:
        """Closes the handle; a later append opens the same file again. Twice is harmless."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _open(self) -> int:
        if self._handle is None:
            self._handle = os.open(self.path, _REOPEN)
        return self._handle

    def _cut(self, handle: int) -> None:
        os.ftruncate(handle, self.size)
        self._torn = False

    def _cut_if_possible(self, handle: int) -> None:
        # Where this fails too `_torn` stays set, and the caller raises the error that came first.
        with contextlib.suppress(OSError):
            self._cut(handle)


def _create(directory: str, suffix: str) -> tuple[str, int | None]:
    """Makes a file with a name of its own: time, host, process, counter, as TensorBoard's writer names them.

    The counter keeps a process's names apart, the process a host's, and the exclusive opening whatever else
    could have taken the name (a container with the same host name and process number). The letter sorts the
    name behind those that TensorBoard's writer has made in the same second: a writer that is wrapped comes
    first, and TensorBoard does not go back to a file that it has left for the next one.
    """
    while True:
        made_by = f"{int(time.time()):010d}.{_host()}.{os.getpid()}.t{next(_counter):04d}"
        path = os.path.join(directory, f"events.out.tfevents.{made_by}{suffix}")
        with contextlib.suppress(FileExistsError):
            return path, os.open(path, _CREATE, 0o666)

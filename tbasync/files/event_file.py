"""One event file: whole records appended through one handle."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import time
from collections.abc import Callable
from functools import cache

from ..wire.event import first_event
from ..wire.record import record

# Counts the files that this process has named, so that no two of them share a name. Padded in the name:
# TensorBoard reads a directory's files in the order of their names.
_counter = itertools.count()
_latest = 0  # the time in the latest name

_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CREATE = _FLAGS | os.O_CREAT | os.O_EXCL
_REOPEN = _FLAGS | getattr(os, "O_NOFOLLOW", 0)

# A handle that has met one of these may be dead for good, while the path leads to the file again.
_HANDLE_IS_DEAD = frozenset((errno.ESTALE, errno.EIO, errno.EBADF, errno.ENODEV, errno.ENXIO, errno.ENOTCONN))


class FileVanishedError(FileNotFoundError):
    """The event file is no longer in its directory."""


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

    def __init__(self, directory: str, name: Callable[[], str] | None = None) -> None:
        """Creates `directory` and a file in it, and writes the record that opens every event file.

        Args:
            directory: where.
            name: makes the file's name, another one at each call; None is `FileNames("")`.

        Raises:
            OSError: the directory or the file cannot be made, or the first record cannot be written.
        """
        os.makedirs(directory, exist_ok=True)
        self._handle: int | None
        self.path, self._handle = _create(directory, name or FileNames(""))
        self.size = self._synced = 0
        self._torn = False
        self._named_on_disk = False
        try:
            self._identify(self._handle)
            self.append(record(first_event(time.time())))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
            with contextlib.suppress(OSError):
                self.close()
            raise

    def append(self, records: bytes) -> None:
        """Appends whole records: all of them, or none when it raises.

        Raises:
            FileVanishedError: the file was removed; it can be written no more.
            OSError: they could not be written; what had reached the file of them is cut off again, now or,
                where cutting fails too, before the next append.
        """
        handle = self._sound_handle()
        if self._torn:
            self._cut(handle)
        rest = memoryview(records)
        try:
            # Until all is there the end is torn, whatever interrupts this: an error, or a Ctrl-C where the
            # main thread writes, at exit.
            self._torn = True
            while rest:
                written = os.write(handle, rest)
                if not written:
                    raise OSError(errno.EIO, "nothing could be written", self.path)
                rest = rest[written:]
            self.size += len(records)
            self._torn = False
        except BaseException as error:
            # Where this fails too `_torn` stays set, and the caller learns of the error that came first.
            with contextlib.suppress(OSError):
                self._cut(handle)
            if isinstance(error, OSError) and error.errno in _HANDLE_IS_DEAD:
                with contextlib.suppress(OSError):
                    self.close()
            raise

    @property
    def synced(self) -> bool:
        """Whether what was appended, and the file's name, are on the disk."""
        return self._synced == self.size

    def fsync(self) -> None:
        """Returns when what was appended, and the file's name, are on the disk; raises OSError otherwise."""
        if self.synced:
            return
        os.fsync(self._open())
        if not self._named_on_disk:
            _fsync_directory(os.path.dirname(self.path))
            self._named_on_disk = True
        self._synced = self.size

    def close(self) -> None:
        """Closes the handle; a later append opens the same file again. Twice is harmless.

        Raises:
            OSError: what was appended may not be complete, as network file systems find out only now; the
                handle is closed all the same.
        """
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _sound_handle(self) -> int:
        """The handle, after a look whether it is still ours and the file still has a name."""
        handle = self._open()
        try:
            status = os.fstat(handle)
            ours = (status.st_dev, status.st_ino) == self._identity
        except OSError as error:
            ours = error.errno != errno.EBADF
            if ours:
                raise
        if not ours:
            # Somebody has closed it (programs that become daemons close all they find), and the number may be
            # another file's by now: it is not ours to close.
            self._handle = None
            return self._open()
        if self._counts_links and not status.st_nlink:
            raise self._vanished()
        return handle

    def _open(self) -> int:
        if self._handle is None:
            try:
                self._handle = os.open(self.path, _REOPEN)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    raise self._vanished() from error
                raise
            self._identify(self._handle)
        return self._handle

    def _identify(self, handle: int) -> None:
        status = os.fstat(handle)
        self._identity = (status.st_dev, status.st_ino)
        # Some network and user-space file systems count no links at all.
        self._counts_links = status.st_nlink > 0

    def _vanished(self) -> FileVanishedError:
        return FileVanishedError(errno.ENOENT, "the event file was removed", self.path)

    def _cut(self, handle: int) -> None:
        # Never makes the file longer, should somebody have emptied it: zeros are no records.
        if os.fstat(handle).st_size > self.size:
            os.ftruncate(handle, self.size)
        self._torn = False


class FileNames:
    """Names of files that go on for as long as a writer does: each call gives another.

    Time, host, process, counter, as TensorBoard's writer names them.

    The counter keeps a process's names apart, the process a host's, and the exclusive opening whatever else
    could have taken the name (a container with the same host name and process number). The letter sorts the
    name behind those that TensorBoard's writer has made in the same second: a writer that is wrapped comes
    first, and TensorBoard does not go back to a file that it has left for the next one.
    """

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix

    def __call__(self) -> str:
        return _unique_name() + self._suffix


class SegmentNames:
    """Names of files that follow one another: one name of its own, and a number.

    Whatever the clock does they sort in the order in which they were made, for the time is that of the first.
    """

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._stem = _unique_name()
        self._numbers = itertools.count()

    def __call__(self) -> str:
        return f"{self._stem}.{next(self._numbers):08d}{self._suffix}"


def _unique_name() -> str:
    """Sorts behind all earlier ones of the process: TensorBoard reads a run's files by name, and never goes back."""
    global _latest
    _latest = max(_latest, int(time.time()))  # the clock may have been set back
    return f"events.out.tfevents.{_latest:010d}.{_host()}.{os.getpid()}.t{next(_counter):08d}"


def _create(directory: str, name: Callable[[], str]) -> tuple[str, int]:
    while True:
        path = os.path.join(directory, name())
        with contextlib.suppress(FileExistsError):
            return path, os.open(path, _CREATE, 0o666)


def _fsync_directory(directory: str) -> None:
    """Sees a directory's entries to the disk, where the platform and the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

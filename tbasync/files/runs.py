"""The event files of one writer: its own run's and those of its sub-runs."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from collections import OrderedDict
from collections.abc import Callable

from ..wire.record import record
from ..wire.restart import purge_events
from .event_file import EventFile, FileNames, FileVanishedError

# Sub-runs beyond this many share handles: the one unused for longest is closed, and opened again on demand.
_MOST_HANDLES = 64

_numbers = itertools.count()

_EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class RunFiles:
    """Run directory -> event file. Used by one thread at a time.

    Where symbolic links on the way to the writer's own directory lead is found once, at the start; a link
    that is planted in it later is not followed out of it.

    Attributes:
        log_dir: the writer's own directory, as given.
        chunk_bytes: 1 MiB.
        bytes_written: bytes of whole records handed to the operating system, in all files.
        unsent: 0: who reads the files sees what was appended.
        spool: None: there is no other place.
    """

    chunk_bytes = 1 << 20
    unsent = 0
    spool = None

    def __init__(self, log_dir: str, names: Callable[[], str] | None = None, anchor: str = "") -> None:
        """Touches no file yet.

        Args:
            log_dir: the writer's own directory.
            names: makes the event files' names; None is `FileNames("")`.
            anchor: what relative directories are relative to; "" is the current directory at each moment.
        """
        self.log_dir = log_dir
        self.bytes_written = 0
        self._number = next(_numbers)
        self._names = names or FileNames("")
        self._anchor = anchor
        self._root = os.path.realpath(os.path.join(anchor, log_dir))
        self._files: dict[str, EventFile] = {}
        self._open: OrderedDict[str, EventFile] = OrderedDict()
        self._close_error: OSError | None = None
        self._vanished: list[str] = []

    def open_main(self, purge_step: int | None = None) -> None:
        """Creates the writer's own file now, and hides what earlier files hold from `purge_step` on.

        Raises:
            OSError: the directory or file cannot be made.
        """
        self._file(self.log_dir)
        if purge_step is not None:
            self.append(None, b"".join(map(record, purge_events(time.time(), purge_step))))

    def append(self, run: str | None, records: bytes, summaries: int = 0) -> None:
        """Appends whole records to a run's file, creating the run's directory and file when they are new.

        Raises:
            OSError: nothing of `records` was written.
        """
        name = run or self.log_dir
        try:
            self._file(name).append(records)
        except FileVanishedError:
            self._forget(name)
            self._file(name).append(records)
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
        target = self._beside(run, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # Of this writer alone: a copy of it, in this process or another, may be writing the same file.
        unfinished = f"{target}.{os.getpid()}.{self._number}.unfinished"
        try:
            with contextlib.suppress(FileNotFoundError):  # left by a process of this number that was killed
                os.unlink(unfinished)
            with open(os.open(unfinished, _EXCLUSIVE, 0o666), "wb") as file:
                file.write(content)
            os.replace(unfinished, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            raise
        self.bytes_written += len(content)

    def read_beside(self, run: str | None, path: str) -> tuple[bytes, object]:
        """A further file of a run, and what changes when it is written anew; empty and None if there is none.

        Raises:
            ValueError: the path leads out of the run's directory.
            OSError: the file is there and cannot be read.
        """
        try:
            with open(self._beside(run, path), "rb") as file:
                about = os.fstat(file.fileno())
                return file.read(), (about.st_ino, about.st_mtime_ns, about.st_size)
        except FileNotFoundError:
            return b"", None

    def deliver(self, *, everything: bool) -> bool:
        """True: what was appended is where it belongs."""
        return True

    def due_in(self) -> None:
        """None: nothing waits to be delivered."""

    def fsync(self) -> None:
        """Returns when what was appended to every run is on the disk.

        Raises:
            OSError: the first of what went wrong; the other files are on the disk all the same.
        """
        errors = [error for name in tuple(self._files) if (error := self._fsync(name)) is not None]
        if errors:
            raise errors[0]

    def end(self, run: str) -> None:
        """Closes the handle of a run that is complete for now."""
        file = self._open.pop(run, None)
        if file is not None:
            self._close(file)

    def leave(self, run: str) -> str:
        """Closes and forgets the file of a run, and returns its path; "" if there is none."""
        self.end(run)
        file = self._files.pop(run, None)
        return file.path if file else ""

    def close(self) -> None:
        """Closes and forgets every file: the next append creates new ones."""
        for file in self._files.values():
            self._close(file)
        self._files.clear()
        self._open.clear()

    def take_close_error(self) -> OSError | None:
        """What closing a file has met since the last call."""
        error, self._close_error = self._close_error, None
        return error

    def take_vanished(self) -> list[str]:
        """Paths of files that were found removed since the last call, and replaced."""
        vanished, self._vanished = self._vanished, []
        return vanished

    def _file(self, run: str) -> EventFile:
        file = self._files.get(run)
        if file is None:
            file = self._files[run] = EventFile(self._directory(run), self._names)
            self.bytes_written += file.size
        self._open[run] = file
        self._open.move_to_end(run)
        if len(self._open) > _MOST_HANDLES:
            self._close(self._open.popitem(last=False)[1])
        return file

    def _fsync(self, run: str) -> OSError | None:
        if self._files[run].synced:
            return None
        ended = run not in self._open
        try:
            self._file(run).fsync()
        except FileVanishedError:
            self._forget(run)
        except OSError as error:
            return error
        finally:
            if ended:
                self.end(run)
        return None

    def _directory(self, run: str) -> str:
        own = run == self.log_dir
        directory = os.path.realpath(self._root if own else os.path.join(self._anchor, run))
        if not (directory == self._root if own else _inside(directory, self._root)):
            raise OSError(errno.ELOOP, "a symbolic link leads out of the run's directory", run)
        return directory

    def _beside(self, run: str | None, path: str) -> str:
        root = self._directory(run or self.log_dir)
        target = os.path.realpath(os.path.join(root, path))
        if not _inside(target, root) or target == root:
            raise ValueError(f"{path!r} leads out of the run's directory")
        return target

    def _forget(self, run: str) -> None:
        """The run's file was removed: the next append creates another."""
        file = self._files.pop(run)
        self._open.pop(run, None)
        self._close(file)
        self._vanished.append(file.path)

    def _close(self, file: EventFile) -> None:
        try:
            file.close()
        except OSError as error:
            self._close_error = self._close_error or error


def _inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)

"""Event files on a remote store: a local spool, cut into segments that are uploaded once each.

What is appended goes to an event file in the spool, a local directory. A barrier, a certain size or a certain age
end that file: it is a **segment**, a complete event file that never changes again, and is uploaded under a name
that sorts behind those of the segments before it. Stock TensorBoard reads a run's files in the order of their
names, and goes on to the next when one has no more.

    append ─► spool/files/<run>/events….00000007     what has been cut waits in line
              ▼ cut                                  ▼ put, in order; on success removed from the spool
              spool/files/<run>/events….00000006  ─►  s3://…/<run>/events….00000006

The spool has the tree that the store is to have: what is in it after a crash can be copied there as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections import deque
from dataclasses import dataclass

from .event_file import SegmentNames
from .interface import SpoolFullError, StoreError
from .runs import RunFiles
from .store import Store

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0
_ABOUT = "destination.txt"


@dataclass(slots=True)
class _Waiting:
    """What the store does not have yet: a growing segment, or a file that waits to be uploaded.

    Attributes:
        path: where it belongs, relative to the root of the tree; empty of a segment that grows.
        nbytes: its size.
        summaries: how many it holds.
        since: when it was begun, by `time.monotonic()`.
    """

    path: str = ""
    nbytes: int = 0
    summaries: int = 0
    since: float = 0.0


class RemoteFiles:
    """The `Files` of a writer whose directory is a URL."""

    def __init__(
        self,
        log_dir: str,
        suffix: str,
        store: Store,
        *,
        segment_seconds: float,
        segment_bytes: int,
        spool_bytes: int,
        spool_dir: str | None,
    ) -> None:
        """Touches neither the store nor the disk.

        Args:
            log_dir: the writer's own directory, a URL.
            suffix: ends the event files' names.
            store: the tree below that URL.
            segment_seconds: age at which a segment is uploaded without a barrier.
            segment_bytes: size at which it is.
            spool_bytes: bytes that may wait in the spool while the store is away.
            spool_dir: where to make the spool; None is the system's directory for temporary files.
        """
        self.log_dir = log_dir
        self._suffix = suffix
        self._store = store
        self._segment_seconds = segment_seconds
        self._segment_bytes = segment_bytes
        self.chunk_bytes = min(
            RunFiles.chunk_bytes, segment_bytes, spool_bytes // 8
        )  # the last may be too much
        self._spool_bytes = spool_bytes
        self._spool_dir = spool_dir
        self._process = os.getpid()
        self._home: str | None = None
        self._local: RunFiles | None = None
        self._growing: dict[str, _Waiting] = {}
        self._uploads: deque[_Waiting] = deque()
        self._written = 0
        self._held = 0  # bytes in the spool
        self._vanished: list[str] = []
        self._pause = self._retry_at = 0.0  # seconds to wait after a failed upload; until when
        self._trouble: StoreError | None = None  # what it met

    @property
    def bytes_written(self) -> int:
        """Bytes handed to the operating system, each counted once."""
        return self._written + (self._local.bytes_written if self._local else 0)

    @property
    def unsent(self) -> int:
        """Summaries that are in the spool and not in the store."""
        return sum(waiting.summaries for waiting in (*self._growing.copy().values(), *self._uploads.copy()))

    @property
    def spool(self) -> str | None:
        """The directory that holds them."""
        return self._home

    def open_main(self, purge_step: int | None = None) -> None:
        """Does nothing: nothing is sent before there is something to send."""

    def append(self, run: str | None, records: bytes, summaries: int = 0) -> None:
        """Appends whole records to a run's segment, in the spool.

        Raises:
            OSError: nothing of `records` was written: the spool is full, for the store takes nothing, or the
                local disk is.
        """
        self._make_room(len(records))
        name = self._name(run)
        local, before = self._open_spool(), self.bytes_written
        try:
            local.append(self._directory(name), records)
        finally:
            grown = self.bytes_written - before  # a new file's first record, perhaps without the rest
            if grown:
                segment = self._growing.setdefault(name, _Waiting(since=time.monotonic()))
                segment.nbytes += grown
                self._held += grown
        self._growing[name].summaries += summaries  # there is one: `records` may be empty, a new file is not

    def write_beside(self, run: str | None, path: str, content: bytes) -> None:
        """Writes a further file of a run, such as the projector's, to be uploaded as it is now.

        Raises:
            ValueError: the path leads out of the run's directory.
            OSError: as `append`.
        """
        self._make_room(len(content))
        name = self._name(run)
        self._open_spool().write_beside(self._directory(name), path, content)
        target = os.path.normpath(os.path.join(name, path))
        # One that waits already is this one by now; it goes up behind what this one may refer to.
        for waiting in tuple(self._uploads):
            if waiting.path == target:
                self._uploads.remove(waiting)
                self._held -= waiting.nbytes
        self._uploads.append(_Waiting(target, len(content)))
        self._held += len(content)

    def read_beside(self, run: str | None, path: str) -> tuple[bytes, None]:
        """Nothing: what the store holds is not read back, this writer's own parts it knows itself."""
        return b"", None

    def deliver(self, *, everything: bool) -> bool:
        """Uploads segments that are due, or all of them, in the order in which they were cut.

        Returns:
            False if a failed upload is not tried again yet.

        Raises:
            StoreError: the store has not taken one; that and what comes after it wait in the spool.
        """
        now = time.monotonic()
        for name, segment in tuple(self._growing.items()):
            if segment.nbytes >= self._segment_bytes:
                self._cut(name)
        if now < self._retry_at and not everything:
            return False
        # First what has been cut before: while the store is away, no barrier makes more and smaller segments.
        self._upload()
        for name, segment in tuple(self._growing.items()):
            if everything or now - segment.since >= self._segment_seconds:
                self._cut(name)
        self._upload()
        return True

    def due_in(self) -> float | None:
        """Seconds until `deliver` has something to do; None if there is nothing."""
        now = time.monotonic()
        if self._uploads:
            return max(0.0, self._retry_at - now)
        if not self._growing:
            return None
        oldest = min(segment.since for segment in self._growing.values())
        return max(0.0, oldest + self._segment_seconds - now, self._retry_at - now)

    def fsync(self) -> None:
        """Does nothing: what the store has taken is its own affair."""

    def end(self, run: str) -> None:
        """Closes the handle of a run that is complete for now."""
        if self._local is not None:
            self._local.end(self._directory(self._name(run)))

    def close(self) -> None:
        """Ends all segments. What the store does not take now stays in the spool, and is tried again later."""
        if self._local is None:
            return
        if self._process != os.getpid():  # a forked child: the spool is the parent's
            self._local.close()
            return
        if not self._pause:
            with contextlib.suppress(StoreError):
                self.deliver(everything=True)
        for name in tuple(self._growing):
            self._cut(name)
        self._written += self._local.bytes_written
        self._local.close()
        self._local = None
        if not self._uploads:
            self._remove_spool()

    def take_close_error(self) -> OSError | None:
        """What closing a file of the spool has met since the last call."""
        return self._local.take_close_error() if self._local else None

    def take_vanished(self) -> list[str]:
        """Paths of spooled files that were found removed since the last call; what they held is lost."""
        vanished, self._vanished = self._vanished, []
        return vanished + (self._local.take_vanished() if self._local else [])

    def _open_spool(self) -> RunFiles:
        if self._home is None:
            self._home = tempfile.mkdtemp(prefix="tbasync-spool-", dir=self._spool_dir)
            with open(os.path.join(self._home, _ABOUT), "w", encoding="utf-8") as about:
                about.write(f"{self.log_dir}\n")
        if self._local is None:
            self._local = RunFiles(os.path.join(self._home, "files"), names=SegmentNames(self._suffix))
        return self._local

    def _remove_spool(self) -> None:
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _name(self, run: str | None) -> str:
        """A run's place in the tree; empty for the writer's own."""
        return run[len(self.log_dir) :].strip("/") if run else ""

    def _directory(self, name: str) -> str:
        assert self._home is not None
        return os.path.join(self._home, "files", name) if name else os.path.join(self._home, "files")

    def _make_room(self, nbytes: int) -> None:
        """Raises SpoolFullError when the spool would hold too much; but one that is empty takes anything."""
        if not self._overfull(nbytes):
            return
        with contextlib.suppress(StoreError):
            self.deliver(everything=True)
        if self._overfull(nbytes):
            message = f"the spool {self._home!r} is full, and the store takes nothing: {self._trouble}"
            raise SpoolFullError(errno.ENOSPC, message) from self._trouble

    def _overfull(self, nbytes: int) -> bool:
        return self._held > 0 and self._held + nbytes > self._spool_bytes

    def _cut(self, name: str) -> None:
        """Ends a segment: it waits to be uploaded."""
        path = self._open_spool().leave(self._directory(name))
        segment = self._growing.pop(name)
        if path:
            segment.path = os.path.join(name, os.path.basename(path))
            self._uploads.append(segment)
        else:  # it was removed, and no other one could be made
            self._held -= segment.nbytes

    def _upload(self) -> None:
        while self._uploads:
            waiting = self._uploads[0]
            source = os.path.join(self._directory(""), waiting.path)
            if os.path.exists(source):
                self._put(source, waiting.path)
                with contextlib.suppress(OSError):
                    os.unlink(source)
            else:
                self._vanished.append(source)
            self._held -= self._uploads.popleft().nbytes
            self._pause = self._retry_at = 0.0

    def _put(self, source: str, path: str) -> None:
        try:
            self._store.put(source, path.replace(os.sep, "/"), again=self._pause > 0)
        except Exception as error:
            self._pause = min(max(2 * self._pause, _FIRST_RETRY_SECONDS), _LAST_RETRY_SECONDS)
            self._retry_at = time.monotonic() + self._pause
            number = getattr(error, "errno", None) or errno.EIO
            self._trouble = StoreError(number, f"{type(error).__name__}: {error}", self.log_dir)
            raise self._trouble from error

"""Encoded records on their way to the files, kept until the operating system has them."""

from __future__ import annotations

import errno
import os

from ..files.runs import RunFiles
from .faults import Faults

# A run's records are written when a piece of the queue is done, or when they have grown to this.
_CHUNK_BYTES = 1 << 20

# Errors that go away by themselves: a full disk is emptied, a server comes back.
_PASSING = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EAGAIN,
        errno.ESTALE,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ETIMEDOUT,
        errno.EROFS,
    )
)


class _Chunk:
    """Whole records of one run that are not in its file yet."""

    __slots__ = ("nbytes", "records", "summaries")

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.nbytes = 0
        self.summaries = 0


class Output:
    """Collects records by run and appends them to the files. Used by one thread at a time.

    Attributes:
        written: summaries handed to the operating system.
        lost: summaries that can never be written.
        write_errors: writes that failed.
        write_error: what the latest write met; None while writing works.
    """

    def __init__(self, files: RunFiles, faults: Faults) -> None:
        self.files = files
        self.written = self.lost = self.write_errors = 0
        self.write_error: OSError | None = None
        self._faults = faults
        self._chunks: dict[str | None, _Chunk] = {}

    def add(self, run: str | None, records: bytes, summaries: int) -> None:
        """Takes whole records for a run, worth so many summaries."""
        chunk = self._chunks.get(run)
        if chunk is None:
            chunk = self._chunks[run] = _Chunk()
        chunk.records.append(records)
        chunk.nbytes += len(records)
        chunk.summaries += summaries
        if chunk.nbytes >= _CHUNK_BYTES and self.write_error is None:
            self.write()

    @property
    def pending(self) -> int:
        """Summaries that wait to be written."""
        return sum(chunk.summaries for chunk in self._chunks.values())

    def write(self) -> bool:
        """Appends what waits, one write for each run; False when some still waits, for `write_error`."""
        error = None
        for run, chunk in list(self._chunks.items()):
            try:
                self.files.append(run, b"".join(chunk.records))
            except OSError as caught:
                if run is None or caught.errno in _PASSING:
                    error = error or caught
                    continue
                # A sub-run whose directory cannot be made must not hold up all the others for ever.
                self._fail(run, chunk, caught)
            else:
                self.written += chunk.summaries
            del self._chunks[run]
        self._remember(error)
        return error is None

    def fsync(self) -> bool:
        """Sees what has been appended to the disk; False when that fails."""
        try:
            self.files.fsync()
        except OSError as error:
            self._remember(error)
            return False
        return True

    def give_up(self) -> int:
        """Forgets what still waits; returns how many summaries that costs."""
        lost = self.pending
        self._chunks.clear()
        return lost

    def _fail(self, run: str, chunk: _Chunk, error: OSError) -> None:
        self.lost += chunk.summaries
        message = f"{chunk.summaries} summaries of the run {run!r} are lost: {error}"
        self._faults.failed(("run", run), message, error, chunk.summaries)

    def _remember(self, error: OSError | None) -> None:
        if error is not None:
            self.write_errors += 1
            reason = os.strerror(error.errno) if error.errno else str(error)
            self._faults.trouble(
                ("write", error.errno),
                f"event files in {self.files.log_dir!r} cannot be written: {reason}; what was logged is kept "
                "in memory up to the writer's capacity, and writing is tried again",
                error,
            )
        elif self.write_error is not None:
            self._faults.forget_cause(("write", self.write_error.errno))
        self.write_error = error

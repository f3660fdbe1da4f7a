"""Encoded records on their way to the files, kept until the operating system has them."""

from __future__ import annotations

import errno

from ..errors import LoggingError
from ..files.runs import RunFiles
from .faults import Faults, describe

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
        self.write_error: Exception | None = None
        self._faults = faults
        self._chunks: dict[str | None, _Chunk] = {}
        self._ending: set[str] = (
            set()
        )  # runs whose handle is to be closed when what waits for them is written

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
        return sum(chunk.summaries for chunk in tuple(self._chunks.values()))

    def write(self) -> bool:
        """Appends what waits, one write for each run; False when some still waits, for `write_error`."""
        error = None
        for run in tuple(self._chunks):
            # Taken out before it is written: should anything but an `Exception` come in between, it may be
            # lost, and is counted so, but is never written twice.
            chunk = self._chunks.pop(run)
            try:
                if len(chunk.records) > 1:
                    chunk.records[:] = [b"".join(chunk.records)]
                self.files.append(run, *chunk.records)
            except Exception as caught:
                if _will_pass(run, caught):
                    self._chunks[run] = chunk
                    error = error or caught
                else:
                    # A sub-run whose directory cannot be made must not hold up all the others for ever.
                    self._fail(run, chunk, caught)
            else:
                self.written += chunk.summaries
                if run in self._ending:
                    self.end(run)
        self._remember(error)
        self._tell_of_files()
        return error is None

    def fsync(self) -> LoggingError | None:
        """Sees what has been appended to the disk; returns what a barrier that asked for it is to raise.

        A second try may succeed although the disk has lost what the first one failed for (Linux forgets what
        it could not write back), so there is none: the caller is told.
        """
        try:
            self.files.fsync()
        except Exception as error:
            self.write_errors += 1
            where = repr(self.files.log_dir)
            failure = LoggingError(f"event files in {where} may not be on the disk: {describe(error)}")
            failure.__cause__ = error
            return failure
        return None

    def end(self, run: str) -> None:
        """Closes the handle of a run that is complete for now, once what waits for it is written."""
        if run in self._chunks:
            self._ending.add(run)
            return
        self._ending.discard(run)
        self.files.end(run)
        self._tell_of_files()

    def close(self) -> LoggingError | None:
        """Closes all files, and forgets what could not be written; returns what a closing handle reported."""
        self.files.close()
        self._ending.clear()
        self._remember(None)
        error = self.files.take_close_error()
        if error is None:
            return None
        failure = LoggingError(_incomplete(self.files.log_dir, error))
        failure.__cause__ = error
        return failure

    def give_up(self) -> int:
        """Forgets what still waits; returns how many summaries that costs."""
        lost = self.pending
        self._chunks.clear()
        return lost

    def _fail(self, run: str | None, chunk: _Chunk, error: Exception) -> None:
        self.lost += chunk.summaries
        self._ending.discard(run or "")
        name = self.files.log_dir if run is None else run
        message = f"{chunk.summaries} summaries of the run {name!r} are lost: {describe(error)}"
        self._faults.failed(("run", run), message, error, chunk.summaries)

    def _remember(self, error: Exception | None) -> None:
        if error is not None:
            self.write_errors += 1
            self._faults.trouble(
                ("write", getattr(error, "errno", None)),
                f"event files in {self.files.log_dir!r} cannot be written: {describe(error)}; what was "
                "logged is kept in memory up to the writer's capacity, and writing is tried again",
                error,
            )
        elif self.write_error is not None:
            self._faults.recovered()
        self.write_error = error

    def _tell_of_files(self) -> None:
        error = self.files.take_close_error()
        if error is not None:
            self._faults.failed(("close", error.errno), _incomplete(self.files.log_dir, error), error, 0)
        for path in self.files.take_vanished():
            self._faults.note(
                ("vanished", path), f"the event file {path!r} was removed; logging goes on in a new one"
            )


def _will_pass(run: str | None, error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, OSError) and (run is None or error.errno in _PASSING)


def _incomplete(log_dir: str, error: OSError) -> str:
    return f"event files in {log_dir!r} may be incomplete, closing one failed: {describe(error)}"

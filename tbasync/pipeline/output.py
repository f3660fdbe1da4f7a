"""Encoded records and further files on their way, kept until the operating system has them."""

from __future__ import annotations

import errno

from ..errors import LoggingError
from ..files.interface import Files, SpoolFullError, StoreError
from .beside import Beside
from .faults import Faults, describe

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
    """Whole records of one run that are not in its file yet, or one summary with files beside that."""

    __slots__ = ("beside", "nbytes", "records", "summaries")

    def __init__(self, beside: Beside | None = None) -> None:
        self.beside = beside
        self.records: list[bytes] = []
        self.nbytes = 0 if beside is None else beside.nbytes
        self.summaries = 0


class Output:
    """Collects records by run and appends them to the files. Used by one thread at a time.

    Attributes:
        written: summaries handed to the operating system.
        lost: summaries that can never be written.
        write_errors: writes that failed.
        write_error: what the latest write met; None while writing works.
    """

    def __init__(self, files: Files, faults: Faults) -> None:
        self.files = files
        self.written = self.lost = self.write_errors = 0
        self.write_error: Exception | None = None
        self._store_error: StoreError | None = None
        self._faults = faults
        self._chunks: dict[str | None, list[_Chunk]] = {}  # by run, in the order in which they came
        self._ending: set[str] = (
            set()
        )  # runs whose handle is to be closed when what waits for them is written

    def add(self, run: str | None, records: bytes, summaries: int, beside: Beside | None = None) -> None:
        """Takes whole records for a run, worth so many summaries, and the files that are to be there before them."""
        chunks = self._chunks.setdefault(run, [])
        if beside is not None or not chunks or chunks[-1].beside is not None:
            chunks.append(_Chunk(beside))
        chunk = chunks[-1]
        chunk.records.append(records)
        chunk.nbytes += len(records)
        chunk.summaries += summaries
        if (beside is not None or chunk.nbytes >= self.files.chunk_bytes) and self.write_error is None:
            self.write()

    @property
    def pending(self) -> int:
        """Summaries that wait to be written."""
        return sum(chunk.summaries for chunks in tuple(self._chunks.values()) for chunk in tuple(chunks))

    def write(self) -> bool:
        """Writes what waits, as few writes for each run as can be; False when some still waits, for `write_error`."""
        error = None
        for run in tuple(self._chunks):
            caught = self._write_run(run)
            error = error or caught
            if isinstance(caught, SpoolFullError):
                break
        self._remember(error)
        self.deliver(everything=False)
        return error is None

    def _write_run(self, run: str | None) -> Exception | None:
        """Writes what waits for one run, in order; returns what the rest waits for."""
        chunks = self._chunks[run]
        while chunks:
            # Taken out before it is written: should anything but an `Exception` come in between, it may be
            # lost, and is counted so, but is never written twice.
            chunk = chunks.pop(0)
            try:
                self._write_chunk(run, chunk)
            except Exception as caught:
                if _will_pass(run, chunk, caught):
                    chunks.insert(0, chunk)
                    return caught
                # A sub-run whose directory cannot be made must not hold up all the others for ever.
                self._fail(run, chunk, caught)
            else:
                self.written += chunk.summaries
        del self._chunks[run]
        if run in self._ending:
            self.end(run)
        return None

    def _write_chunk(self, run: str | None, chunk: _Chunk) -> None:
        if chunk.beside is not None:
            chunk.beside.write(self.files, run)
        if len(chunk.records) > 1:
            chunk.records[:] = [b"".join(chunk.records)]
        self.files.append(run, chunk.records[0], chunk.summaries)

    def deliver(self, *, everything: bool = True) -> LoggingError | None:
        """Has a remote store take everything, or what is due; returns what a barrier is to raise if it fails."""
        try:
            delivered = self.files.deliver(everything=everything)
        except StoreError as error:
            self._store_error = error
            self.write_errors += 1
            self._faults.trouble(
                ("store", error.errno),
                f"{self.files.log_dir!r} takes nothing: {describe(error)}; what is logged is kept in "
                f"{self.files.spool!r} up to spool_bytes, and uploading is tried again",
                error,
            )
            return self._undelivered(error)
        else:
            if delivered and self._store_error is not None:
                self._store_error = None
                self._recovered()
        finally:
            self._tell_of_files()
        return None

    def wait_for_store(self) -> None:
        """Has the failure of the last delivery count as one of writing: somebody waits for it to succeed."""
        self.write_error = self._store_error

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
        if self._chunks.get(run):
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
        if chunk.beside is not None and chunk.beside.left:
            message = f"the {chunk.beside.name} could not be logged: {describe(error)}"
            self._faults.failed(("beside", type(error)), message, error, chunk.summaries)
            return
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
            self.write_error = None
            self._recovered()
        self.write_error = error

    def _recovered(self) -> None:
        if self.write_error is None and self._store_error is None:
            self._faults.recovered()

    def _undelivered(self, error: Exception) -> LoggingError:
        unsent = self.files.unsent
        failure = LoggingError(
            f"{unsent} summaries are not in {self.files.log_dir!r} ({describe(error)}); they are in event files "
            f"in {self.files.spool!r}, and uploading is tried again as long as the writer is open",
            max(1, unsent),
        )
        failure.__cause__ = error
        return failure

    def _tell_of_files(self) -> None:
        error = self.files.take_close_error()
        if error is not None:
            self._faults.failed(("close", error.errno), _incomplete(self.files.log_dir, error), error, 0)
        for path in self.files.take_vanished():
            self._faults.note(
                ("vanished", path), f"the event file {path!r} was removed; logging goes on in a new one"
            )


def _will_pass(run: str | None, chunk: _Chunk, error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    # Without its own event file a writer can do nothing; one that is not to be had is worth any patience.
    own = run is None and (chunk.beside is None or not chunk.beside.left)
    return isinstance(error, OSError) and (own or error.errno in _PASSING)


def _incomplete(log_dir: str, error: OSError) -> str:
    return f"event files in {log_dir!r} may be incomplete, closing one failed: {describe(error)}"

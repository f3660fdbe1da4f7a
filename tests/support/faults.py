"""What can go wrong under a writer, done to one that is in use; each can be undone."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncError, WriterStalledError
from tbasync.files.store import Store
from tbasync.pipeline import pipeline as pipeline_module
from tbasync.pipeline.worker import Worker
from tbasync.wire.scalars import ScalarEncoder

from .held import on_worker


class Fault:
    """One kind of trouble.

    Attributes:
        waiting: what `flush()` and `close()` do under it: True, or the error that they raise.
        in_haste: what they do with a timeout of a moment; False is "not yet".
        options: how the writer is to be made.
        remote: whether its directory is to be a store's.
    """

    waiting: bool | type[Exception] = True
    in_haste: tuple[bool | type[Exception], ...] = (True, False)
    options: dict[str, Any] = {}  # noqa: RUF012
    remote = False

    def __init__(self, writer: SummaryWriter, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writer = writer
        self.monkeypatch = monkeypatch
        if self.waiting is WriterStalledError:  # elsewhere a busy machine would be taken for a stall
            monkeypatch.setattr(pipeline_module, "STALL_SECONDS", 0.1)

    def strike(self) -> None:
        """Makes it go wrong."""

    def heal(self) -> None:
        """Makes it well again."""
        self.monkeypatch.undo()


def is_writer_thread() -> bool:
    """Whether a writer's own thread is calling."""
    return threading.current_thread().name == "tbasync-writer"


class KilledWhileIdle(Fault):
    """SystemExit, thrown into the thread from outside while it waits for work."""

    def strike(self) -> None:
        assert self.writer.flush(30)
        worker = self.writer._pipeline._thread._worker
        assert worker is not None
        hit = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker), ctypes.py_object(SystemExit))
        assert hit == 1


class KilledAtWork(Fault):
    """SystemExit out of the midst of the thread's own code."""

    waiting = LoggingError
    in_haste = (LoggingError, False)

    def strike(self) -> None:
        deaths = [SystemExit("killed")]

        def encode(encoder: ScalarEncoder, *columns: Any) -> bytes:
            if deaths:
                raise deaths.pop()
            return real(encoder, *columns)

        real = ScalarEncoder.encode
        self.monkeypatch.setattr(ScalarEncoder, "encode", encode)
        self.writer.add_scalar("lost", 1.0, 1)


class EncoderExits(Fault):
    """An encoder that raises SystemExit."""

    waiting = LoggingError
    in_haste = (LoggingError, False)

    def strike(self) -> None:
        def leave() -> None:
            raise SystemExit

        on_worker(self.writer, leave)


class FailsWhateverItDoes(Fault):
    """A bug that meets everything."""

    waiting = TbasyncError
    in_haste = (TbasyncError, False)

    def strike(self) -> None:
        def drain(worker: Worker) -> None:
            raise RuntimeError("a bug")

        self.monkeypatch.setattr(Worker, "drain", drain)
        self.writer.add_scalar("t", 1.0, 1)


class WriteHangs(Fault):
    """A network disk that does not answer."""

    waiting = WriterStalledError
    in_haste = (False,)

    def strike(self) -> None:
        self.healed = threading.Event()
        real = os.write

        def write(handle: int, data: Any) -> int:
            if is_writer_thread():
                self.healed.wait(60)
            return real(handle, data)

        self.monkeypatch.setattr(os, "write", write)
        self.writer.add_scalar("t", 1.0, 1)

    def heal(self) -> None:
        self.healed.set()
        super().heal()


class WriteFails(Fault):
    """A disk that takes nothing."""

    waiting = LoggingError
    in_haste = (LoggingError, False)
    error = errno.ENOSPC

    def strike(self) -> None:
        real = os.write

        def write(handle: int, data: Any) -> int:
            if is_writer_thread():
                raise OSError(self.error, os.strerror(self.error))
            return real(handle, data)

        self.monkeypatch.setattr(os, "write", write)
        self.writer.add_scalar("t", 1.0, 1)


class DiskFull(WriteFails):
    """ENOSPC."""


class QuotaUsedUp(WriteFails):
    """EDQUOT."""

    error = errno.EDQUOT


class DiskBroken(WriteFails):
    """EIO."""

    error = errno.EIO


class ReadOnly(WriteFails):
    """EROFS, after a remount."""

    error = errno.EROFS


class DirectoryGone(Fault):
    """Somebody has removed the run: another file is made."""

    def strike(self) -> None:
        assert self.writer.flush(30)
        shutil.rmtree(self.writer.log_dir)
        self.writer.add_scalar("t", 1.0, 1)


class DirectoryReplaced(DirectoryGone):
    """Somebody has removed the run and put a file in its place."""

    waiting = LoggingError
    in_haste = (LoggingError, False)

    def strike(self) -> None:
        super().strike()
        # The thread may have made it again already.
        shutil.rmtree(self.writer.log_dir, ignore_errors=True)
        Path(self.writer.log_dir).write_text("a file")
        self.writer.add_scalar("t", 1.0, 2)

    def heal(self) -> None:
        Path(self.writer.log_dir).unlink()
        super().heal()


class FsyncFails(Fault):
    """A disk that takes everything and keeps nothing."""

    waiting = LoggingError
    in_haste = (LoggingError, False)
    options = {"fsync": True}  # noqa: RUF012

    def strike(self) -> None:
        def fsync(handle: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        self.monkeypatch.setattr(os, "fsync", fsync)
        self.writer.add_scalar("t", 1.0, 1)


class NoMoreThreads(Fault):
    """The system has no thread left: the caller does the work."""

    def strike(self) -> None:
        assert self.writer.close(30)

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        self.monkeypatch.setattr(threading.Thread, "start", start)
        self.writer.add_scalar("t", 1.0, 1)


class NoMoreHandles(Fault):
    """The process may open no more files, and the next one is due."""

    waiting = LoggingError
    in_haste = (LoggingError, False)

    def strike(self) -> None:
        assert self.writer.close(30)
        real = os.open

        def open_(path: Any, *arguments: Any, **options: Any) -> int:
            if "tfevents" in os.fspath(path):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return real(path, *arguments, **options)

        self.monkeypatch.setattr(os, "open", open_)
        self.writer.add_scalar("t", 1.0, 1)


class StoreAway(Fault):
    """A store that refuses every upload: what is written waits in the spool."""

    waiting = LoggingError
    in_haste = (LoggingError, False)
    remote = True

    def strike(self) -> None:
        def put(store: Store, source: str, path: str, *, again: bool = False) -> None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

        assert self.writer.flush(30)
        self.monkeypatch.setattr(Store, "put", put)
        self.writer.add_scalar("t", 1.0, 1)


class StoreAwayAndSpoolFull(StoreAway):
    """The same, with room in the spool for nothing more."""

    options = {"spool_bytes": 1}  # noqa: RUF012

    def strike(self) -> None:
        super().strike()
        self.writer.add_scalar("t", 1.0, 2)


class StoreHangs(Fault):
    """An upload that does not return."""

    waiting = WriterStalledError
    in_haste = (False,)
    remote = True

    def strike(self) -> None:
        self.healed = threading.Event()
        real = Store.put

        def put(store: Store, source: str, path: str, *, again: bool = False) -> None:
            self.healed.wait(60)
            real(store, source, path, again=again)

        self.monkeypatch.setattr(Store, "put", put)
        self.writer.add_scalar("t", 1.0, 1)

    def heal(self) -> None:
        self.healed.set()
        super().heal()


FAULTS: list[type[Fault]] = [
    KilledWhileIdle,
    KilledAtWork,
    EncoderExits,
    FailsWhateverItDoes,
    WriteHangs,
    DiskFull,
    QuotaUsedUp,
    DiskBroken,
    ReadOnly,
    DirectoryGone,
    DirectoryReplaced,
    FsyncFails,
    NoMoreThreads,
    NoMoreHandles,
    StoreAway,
    StoreAwayAndSpoolFull,
    StoreHangs,
]


def outcome(call: Callable[[], object]) -> object:
    """What a call returns, or the exception that it raises."""
    try:
        return call()
    except Exception as error:
        return error

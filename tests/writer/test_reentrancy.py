"""Signal handlers, destructors and weakref callbacks that log in the midst of anything."""

from __future__ import annotations

import gc
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from tbasync import LoggingError, SummaryWriter

from ..support.held import on_worker
from ..support.plain_reader import steps

MOST_NESTED = 20
needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")


@contextmanager
def interrupted(handler: object, seconds: float = 0.0003) -> Iterator[None]:
    """A real signal again and again, wherever the main thread may be."""
    before = signal.signal(signal.SIGALRM, handler)  # type: ignore[arg-type]
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@needs_timer
def test_signal_handlers_that_push(tmp_path: Path) -> None:
    """Scalars and payloads, while the same thread pushes, starts the worker, waits for room and closes."""
    writer = SummaryWriter(tmp_path, interval=0, max_items=200, capacity=100_000)
    handled = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal handled
        mine = handled
        handled += 1  # no call, so no next signal, since the line before
        writer.add_scalar("handler", 1.0, mine)
        writer.add_text("text", "x" * 1000, mine)

    pushed = 0
    with interrupted(handle):
        while handled < 500:
            for _ in range(50):
                writer.add_scalar("main", 1.0, pushed)
                pushed += 1
            writer.add_histogram("h", np.zeros(1000), pushed, bins=[0.0, 1.0])
            if pushed % 500 == 0:
                writer.close()
    writer.close()
    assert steps(tmp_path, "main") == list(range(pushed))
    assert sorted(steps(tmp_path, "handler")) == list(range(handled))
    stats = writer.stats()
    assert stats.written == stats.pushed == pushed + pushed // 50 + 2 * handled
    assert stats.queue_bytes == 0


@needs_timer
def test_signal_handlers_that_flush(tmp_path: Path) -> None:
    """A flush within a flush, a push or a close."""
    writer = SummaryWriter(tmp_path)
    handled = depth = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal handled, depth
        if depth == MOST_NESTED:  # on a busy machine a flush takes longer than to the next signal, for ever
            return
        depth += 1
        mine = handled
        handled += 1
        writer.add_scalar("handler", 1.0, mine)
        assert writer.flush(30)
        depth -= 1

    pushed = 0
    with interrupted(handle, 0.003):
        while handled < 50:
            writer.add_scalar("main", 1.0, pushed)
            pushed += 1
            if pushed % 100 == 0:
                assert writer.flush(30)
            if pushed % 1000 == 0:
                assert writer.close(30)
    writer.close()
    assert steps(tmp_path, "main") == list(range(pushed))
    assert sorted(steps(tmp_path, "handler")) == list(range(handled))


@needs_timer
def test_handlers_that_raise_out_of_a_flush(tmp_path: Path) -> None:
    """Ctrl-C in a wait ends the wait and loses nothing."""
    writer = SummaryWriter(tmp_path)

    def handle(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    opened = threading.Event()
    on_worker(writer, lambda: opened.wait(60))
    writer.add_scalar("t", 1.0, 1)
    with pytest.raises(KeyboardInterrupt), interrupted(handle, 0.05):
        writer.flush()
    opened.set()
    assert writer.flush()
    writer.close()
    assert steps(tmp_path, "t") == [1]


def test_destructors_that_push(tmp_path: Path) -> None:
    """The collector runs them anywhere: on the pushing thread, and on the writer thread in the midst of its work."""
    writer = SummaryWriter(tmp_path, interval=0, max_items=50, on_full="drop_oldest")
    destroyed = [0]

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            writer.add_scalar("del", 1.0, destroyed[0])
            writer.add_text("text", "x" * 50, destroyed[0])
            destroyed[0] += 1

    def make() -> None:
        for _ in range(20):
            Cycle()

    threshold = gc.get_threshold()
    gc.set_threshold(50, 2, 2)
    try:
        for step in range(200):
            make()
            on_worker(writer, make)
            writer.add_scalar("main", 1.0, step)
            if step % 50 == 0:
                writer.close()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    writer.close()
    stats = writer.stats()
    assert destroyed[0] >= 4000
    # Each loop pushed a call and a scalar, each destructor a scalar and a text: all are counted.
    assert stats.pushed == 2 * 200 + 2 * destroyed[0]
    assert stats.written + stats.dropped == stats.pushed
    assert stats.queue_bytes == 0


def test_what_outlives_the_writer_and_logs(tmp_path: Path) -> None:
    """An object of the writer's own cycle logs when the writer is gone already: it is written, the thread ends."""
    writer = SummaryWriter(tmp_path)
    pipeline = writer._pipeline

    class Last:
        def __init__(self) -> None:
            self.writer, self.me = writer, self

        def __del__(self) -> None:
            self.writer._finalizer()  # which the collector calls first, as a rule
            while not pipeline.closed:
                threading.Event().wait(0.001)
            self.writer.add_scalar("last", 1.0, 1)

    Last()
    del writer
    gc.collect()
    while pipeline._thread.busy:
        threading.Event().wait(0.001)
    assert pipeline.closed
    assert steps(tmp_path, "last") == [1]


def test_weakref_callbacks_that_push_and_close(tmp_path: Path) -> None:
    """When a model dies, its last words are logged, and the writer with it."""
    writer = SummaryWriter(tmp_path)

    class Model:
        pass

    for step in range(50):
        model = Model()

        def last_words(_: object, step: int = step) -> None:
            writer.add_scalar("last words", 1.0, step)
            if step % 10 == 0:
                writer.close()

        reference = weakref.ref(model, last_words)
        writer.add_scalar("t", 1.0, step)
        del model
        assert reference() is None
    writer.close()
    assert steps(tmp_path, "last words") == steps(tmp_path, "t") == list(range(50))


def test_a_writer_that_is_destroyed_on_its_own_writer_thread(tmp_path: Path) -> None:
    """The last reference goes while its thread encodes: it drains and ends as always."""
    writer = SummaryWriter(tmp_path)
    pipeline = writer._pipeline
    held = [writer]
    ready = threading.Event()

    def forget() -> None:
        ready.wait(60)
        held.clear()
        gc.collect()

    on_worker(writer, forget)
    writer.add_scalar("behind", 1.0, 1)
    del writer
    ready.set()
    while not pipeline.closed:
        threading.Event().wait(0.001)
    assert steps(tmp_path, "behind") == [1]


def test_pushes_from_the_writer_thread(tmp_path: Path) -> None:
    """An encoder or an error handler may log; it never waits for room, which it would have to make itself."""
    writer = SummaryWriter(tmp_path, max_items=10)

    def log() -> None:
        for step in range(100):
            writer.add_scalar("nested", 1.0, step)

    on_worker(writer, log)
    with pytest.raises(LoggingError, match="were not logged"):
        writer.flush()  # it may have been before them in the queue
    writer.close()
    stats = writer.stats()
    assert stats.blocked_seconds == 0
    assert len(steps(tmp_path, "nested")) in (9, 10)  # the barrier may have been there and taken a place
    assert stats.dropped == 100 - len(steps(tmp_path, "nested"))

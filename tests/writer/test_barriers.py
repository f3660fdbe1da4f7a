"""`flush()` and `close()`: what they promise, in time, from any thread, in any state of the writer."""

from __future__ import annotations

import gc
import math
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncError, WriterStalledError
from tbasync.pipeline import pipeline as pipeline_module

from ..support.held import Gate, answer_on_worker, on_worker
from ..support.plain_reader import event_files, events, scalars, steps


def log_from_threads(writer: SummaryWriter, threads: int, count: int) -> None:
    """Each thread logs `count` scalars under a tag of its own, all beginning at the same moment."""
    start = threading.Barrier(threads)

    def log(thread: int) -> None:
        start.wait()
        for step in range(count):
            writer.add_scalar(f"thread {thread}", float(step), step)

    running = [threading.Thread(target=log, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@pytest.mark.slow
def test_tensorboards_reader_sees_everything_when_flush_returns(tmp_path: Path) -> None:
    """Eight threads, 20,000 scalars each: all 160,000 are there, each thread's in order."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    writer = SummaryWriter(tmp_path)
    log_from_threads(writer, 8, 20_000)
    assert writer.flush()
    (path,) = event_files(tmp_path)
    found: dict[str, list[int]] = {}
    for event in loader.LegacyEventFileLoader(str(path)).Load():
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(event.step)
    writer.close()
    assert found == {f"thread {thread}": list(range(20_000)) for thread in range(8)}


def test_a_reader_sees_everything_when_flush_returns(tmp_path: Path) -> None:
    """The same without TensorBoard, again and again while other threads go on pushing."""
    writer = SummaryWriter(tmp_path, interval=3600)
    stop = threading.Event()

    def others() -> None:
        step = 0
        while not stop.is_set():
            writer.add_scalar("others", 0.0, step)
            step += 1
            if step % 100 == 0:
                time.sleep(0.001)

    noise = threading.Thread(target=others)
    noise.start()
    for round in range(1, 11):
        for step in range(round * 100 - 100, round * 100):
            writer.add_scalar("mine", 0.0, step)
        assert writer.flush()
        assert steps(tmp_path, "mine", torn_end=True) == list(range(round * 100))
    stop.set()
    noise.join()
    writer.close()
    found = steps(tmp_path, "others")
    assert found == list(range(len(found)))


def test_flush_covers_what_other_threads_have_pushed(tmp_path: Path) -> None:
    """Any push that has returned, by whichever thread, of whichever kind."""
    writer = SummaryWriter(tmp_path, interval=3600)
    log_from_threads(writer, 4, 50)
    writer.log_metrics({"a": 1, "b": 2}, 3)
    writer.add_scalars("main", {"x": 1.0}, 4)
    assert writer.flush()
    found = scalars(tmp_path)
    assert {tag: len(points) for tag, points in found.items()} == {
        **{f"thread {thread}": 50 for thread in range(4)},
        "a": 1,
        "b": 1,
    }
    assert scalars(tmp_path / "main_x") == {"main": [(4, 1.0)]}
    writer.close()


@pytest.mark.parametrize("method", ["flush", "close"])
def test_barriers_are_refused_on_the_writer_thread(tmp_path: Path, method: str) -> None:
    """It would wait for itself; the error says so, and the writer goes on."""
    writer = SummaryWriter(tmp_path)
    error = answer_on_worker(writer, getattr(writer, method))
    assert isinstance(error, TbasyncError)
    assert f"{method}() was called on the writer thread" in str(error)
    writer.add_scalar("after", 1.0, 1)
    writer.close()
    assert steps(tmp_path, "after") == [1]


def test_barriers_are_refused_in_an_error_handler(tmp_path: Path) -> None:
    """The handler runs on the writer thread; what it raises costs nothing else."""
    seen: list[BaseException] = []

    def handler(error: BaseException) -> None:
        seen.append(error)
        writer.flush()

    writer = SummaryWriter(tmp_path, on_error=handler)
    on_worker(writer, lambda: 1 / 0)
    writer.add_scalar("after", 1.0, 1)
    assert writer.flush()
    writer.close()
    assert [type(error) for error in seen] == [ZeroDivisionError]
    assert steps(tmp_path, "after") == [1]


@pytest.mark.parametrize("method", ["flush", "close"])
def test_a_timeout_passes_and_nothing_is_lost(tmp_path: Path, method: str) -> None:
    """False when the writer thread is busy for longer; all is written once it gets on."""
    writer = SummaryWriter(tmp_path)
    writer.add_scalar("before", 1.0, 1)
    with Gate(writer):
        writer.add_scalar("behind", 1.0, 1)
        start = time.monotonic()
        assert getattr(writer, method)(timeout=0.05) is False
        assert 0.05 <= time.monotonic() - start < 10
        assert getattr(writer, method)(0) is False
    assert getattr(writer, method)(60) is True
    assert set(scalars(tmp_path)) == {"before", "gate", "behind"}
    writer.close()


def test_after_a_close_that_timed_out_the_thread_ends_by_itself(tmp_path: Path) -> None:
    """It closes the file when it can, and the next push opens a new one."""
    writer = SummaryWriter(tmp_path)
    with Gate(writer):
        assert not writer.close(0.01)
        assert writer.file_writer is not None
    assert writer.flush(60)
    assert writer.file_writer is None
    writer.add_scalar("again", 1.0, 1)
    writer.close()
    assert len(event_files(tmp_path)) == 2


def test_a_thread_that_hangs_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a timeout barriers wait for as long as the thread gets on, and no longer."""
    monkeypatch.setattr(pipeline_module, "STALL_SECONDS", 0.2)
    writer = SummaryWriter(tmp_path)
    with Gate(writer):
        for barrier in (writer.flush, writer.close):
            with pytest.raises(WriterStalledError, match="hangs"):
                barrier()
        with pytest.raises(TimeoutError):
            writer.flush(math.inf)
    assert writer.close()


def test_a_slow_thread_is_no_hanging_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many values that each take a while are progress."""
    monkeypatch.setattr(pipeline_module, "STALL_SECONDS", 1.2)
    writer = SummaryWriter(tmp_path)
    for _ in range(10):
        on_worker(writer, lambda: time.sleep(0.2))
    assert writer.flush()
    writer.close()


@pytest.mark.parametrize(
    ("timeout", "error"),
    [("1", TypeError), ([], TypeError), (-1, ValueError), (-0.001, ValueError), (math.nan, ValueError)],
)
@pytest.mark.parametrize("method", ["flush", "close"])
def test_a_wrong_timeout_is_refused(
    tmp_path: Path, method: str, timeout: Any, error: type[Exception]
) -> None:
    """By name, with what was given, before anything is waited for."""
    writer = SummaryWriter(tmp_path)
    with pytest.raises(error, match="timeout must be"):
        getattr(writer, method)(timeout)
    writer.close(float(np.float32(60)))


@pytest.mark.parametrize("barrier", [SummaryWriter.flush, SummaryWriter.close])
def test_barriers_without_anything_to_do(tmp_path: Path, barrier: Callable[[SummaryWriter], bool]) -> None:
    """Of a writer never used, of an idle one, of a closed one: True, twice as well as once."""
    writer = SummaryWriter(tmp_path)
    assert barrier(writer)
    assert barrier(writer)
    writer.add_scalar("t", 1.0, 1)
    assert writer.flush()
    assert barrier(writer)
    assert barrier(writer)
    assert writer.close()
    assert barrier(writer)
    assert barrier(writer)


def test_a_writer_never_used_has_no_thread(tmp_path: Path) -> None:
    """Constructing, flushing and closing start none."""
    before = threading.active_count()
    with SummaryWriter(tmp_path) as writer:
        writer.flush()
        assert threading.active_count() == before
    assert len(events(tmp_path)) == 1


def test_closing_ends_the_thread(tmp_path: Path) -> None:
    """A hundred writers, opened and closed, leave no thread behind."""
    before = set(threading.enumerate())
    for k in range(100):
        with SummaryWriter(tmp_path / str(k % 10)) as writer:
            writer.add_scalar("t", 1.0, k)
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert set(threading.enumerate()) <= before


def test_threads_that_push_while_others_close(tmp_path: Path) -> None:
    """Every value is in one of the files, in the order of its thread; closing twenty times loses none."""
    writer = SummaryWriter(tmp_path)
    done = threading.Event()

    def close() -> None:
        while not done.is_set():
            writer.close()

    closing = [threading.Thread(target=close) for _ in range(2)]
    for thread in closing:
        thread.start()
    log_from_threads(writer, 4, 3000)
    done.set()
    for thread in closing:
        thread.join()
    writer.close()
    found = scalars(tmp_path)
    assert {tag: [p.step for p in points] for tag, points in found.items()} == {
        f"thread {thread}": list(range(3000)) for thread in range(4)
    }
    stats = writer.stats()
    assert (stats.pushed, stats.written, stats.waiting) == (12_000, 12_000, 0)


def test_many_flushes_at_once(tmp_path: Path) -> None:
    """Each returns, and each sees its own thread's values."""
    writer = SummaryWriter(tmp_path, interval=3600)
    wrong: list[object] = []

    def work(name: str) -> None:
        for step in range(20):
            writer.add_scalar(name, 0.0, step)
            flushed = writer.flush(60)
            found = steps(tmp_path, name, torn_end=True)
            if not flushed or found != list(range(step + 1)):
                wrong.append((name, step, flushed, found))

    threads = [threading.Thread(target=work, args=(f"thread {k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert not wrong


def test_flush_raises_what_failed_before_it_once(tmp_path: Path) -> None:
    """Everything else is written first; the next flush is clean."""
    writer = SummaryWriter(tmp_path)
    on_worker(writer, lambda: 1 / 0)
    writer.add_scalar("behind", 1.0, 1)
    with pytest.raises(LoggingError, match="1 summary was not logged") as caught:
        writer.flush()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.failures == 1
    assert steps(tmp_path, "behind") == [1]
    assert writer.flush()
    assert writer.close()


@pytest.mark.parametrize("method", ["flush", "close"])
def test_raising_flushes_first(tmp_path: Path, method: str) -> None:
    """With `on_error="raise"` too a barrier waits for what was pushed before it raises."""
    writer = SummaryWriter(tmp_path, on_error="raise")
    with Gate(writer):
        on_worker(writer, lambda: 1 / 0)
        writer.add_scalar("behind", 1.0, 1)
    with pytest.raises(LoggingError):
        getattr(writer, method)()
    assert steps(tmp_path, "behind") == [1]
    writer.close()


def test_on_error_raise_reaches_the_next_push(tmp_path: Path) -> None:
    """Even the cheapest one; what that pushes is logged."""
    writer = SummaryWriter(tmp_path, on_error="raise")
    on_worker(writer, lambda: 1 / 0)
    while not (writer._pipeline.alarmed() and writer._queue.limit < 0):  # the worker closes the cheap path
        time.sleep(0.001)
    raised = 0
    for step in range(100):
        try:
            writer.add_scalar("t", 1.0, step)
        except LoggingError:
            raised += 1
    assert raised == 1
    writer.close()
    assert steps(tmp_path, "t") == list(range(100))


def test_an_exception_in_a_with_block_is_not_replaced(tmp_path: Path) -> None:
    """What could not be logged is warned of then, for the block's own exception matters more."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(KeyError):  # noqa: PT012, SIM117
            with SummaryWriter(tmp_path) as writer:
                on_worker(writer, lambda: 1 / 0)
                raise KeyError("the block's own")
    assert "after the exception that ended the block: 1 summary was not" in str(caught[-1].message)
    with pytest.raises(LoggingError), SummaryWriter(tmp_path) as writer:
        on_worker(writer, lambda: 1 / 0)


def test_a_forgotten_writer_writes_what_was_pushed_and_ends(tmp_path: Path) -> None:
    """Dropping the last reference is no crime: its thread drains and ends."""
    writer = SummaryWriter(tmp_path, interval=3600)
    for step in range(1000):
        writer.add_scalar("t", 1.0, step)
    pipeline = writer._pipeline
    del writer
    gc.collect()
    while not pipeline.closed:
        time.sleep(0.001)
    assert steps(tmp_path, "t") == list(range(1000))


def test_interval_bounds_how_long_a_push_waits(tmp_path: Path) -> None:
    """Without any barrier one push reaches the file; the thread then parks and wakes for the next one."""
    writer = SummaryWriter(tmp_path, interval=0.05)
    for step in range(5):
        writer.add_scalar("t", 1.0, step)
        start = time.monotonic()
        while len(steps(tmp_path, "t", torn_end=True)) <= step:
            assert time.monotonic() - start < 30
            time.sleep(0.005)
    writer.close()


def test_an_interval_of_zero_writes_at_once(tmp_path: Path) -> None:
    """It costs the most, and works."""
    writer = SummaryWriter(tmp_path, interval=0)
    for step in range(100):
        writer.add_scalar("t", 1.0, step)
    while writer.stats().written < 100:
        time.sleep(0.001)
    assert steps(tmp_path, "t") == list(range(100))
    writer.close()


@pytest.mark.slow
@pytest.mark.parametrize("interval", [0, 0.05])
def test_a_file_follows_a_loop_that_never_pauses(tmp_path: Path, interval: float) -> None:
    """No barrier, pushes at any moment: each is in the file while the loop still pushes, and so is the last one."""
    writer = SummaryWriter(tmp_path, interval=interval)
    pushed, stop = [0], threading.Event()

    def loop() -> None:
        while not stop.is_set():
            for _ in range(700):  # a piece and a little more
                writer.add_scalar("t", 1.0, pushed[0])
                pushed[0] += 1
            time.sleep(0.001)

    def reaches(count: int) -> bool:
        start = time.monotonic()
        while writer._pipeline._output.written < count:
            assert time.monotonic() - start < 30
            time.sleep(0.001)
        return True

    thread = threading.Thread(target=loop)
    thread.start()
    for _ in range(10):
        assert reaches(pushed[0] + 1)
    stop.set()
    thread.join()
    assert reaches(pushed[0])
    writer.add_scalar("t", 1.0, pushed[0])
    assert reaches(pushed[0] + 1)
    assert steps(tmp_path, "t") == list(range(pushed[0] + 1))
    writer.close()


def test_a_ring_that_comes_after_the_end_leaves_no_thread(tmp_path: Path) -> None:
    """Who puts the last barrier rings when it may have been met already: the worker that begins ends again."""
    writer = SummaryWriter(tmp_path)
    for step in range(3):
        writer.add_scalar("t", 1.0, step)
        writer.close()
        writer._pipeline.ring()
        deadline = time.monotonic() + 60
        while writer._pipeline._thread.busy or not writer._pipeline.closed:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert writer.file_writer is None
    assert steps(tmp_path, "t") == [0, 1, 2]

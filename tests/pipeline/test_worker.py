"""The worker, driven by the test as its own thread: what a drain takes, writes and keeps, wherever it is broken off."""

from __future__ import annotations

import errno
import gc
import sys
import weakref
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np
import pytest

import tbasync.encode.together as together_module
from tbasync import TbasyncWarning
from tbasync.encode.histogram import histogram
from tbasync.encode.pieces import PIECE
from tbasync.encode.result import Encoded
from tbasync.encode.text import text
from tbasync.pipeline import worker as worker_module
from tbasync.pipeline.faults import Faults
from tbasync.pipeline.items import Barrier, EndRun, Events, Group, Item, Metrics, Scalar, Summary, Task
from tbasync.pipeline.loop import Loop
from tbasync.pipeline.options import Options
from tbasync.pipeline.output import Output
from tbasync.pipeline.queue import PushQueue
from tbasync.pipeline.worker import _PIECE, Worker
from tbasync.proto import Event

from ..support.plain_reader import split
from .test_queue import Host

MIB = 1 << 20
ANY = np.linspace(-1, 1, 20, dtype=np.float32)


class Files:
    """Files in memory, and a disk that can be full."""

    def __init__(self) -> None:
        self.log_dir = "run"
        self.chunk_bytes = MIB
        self.bytes_written = self.unsent = 0
        self.spool = None
        self.appended: list[tuple[str | None, bytes, int]] = []
        self.before_append: Callable[[], object] = lambda: None
        self.ended: list[str] = []

    def append(self, run: str | None, records: bytes, summaries: int = 0) -> None:
        self.before_append()
        self.appended.append((run, records, summaries))

    def deliver(self, *, everything: bool) -> bool:
        return True

    def due_in(self) -> float | None:
        return None

    def fsync(self) -> None:
        pass

    def end(self, run: str) -> None:
        self.ended.append(run)

    def take_close_error(self) -> OSError | None:
        return None

    def take_vanished(self) -> list[str]:
        return []

    def steps(self, run: str | None = None) -> list[int]:
        """The steps of the run's events, in their order."""
        payloads = [payload for name, data, _ in self.appended if name == run for payload in split(data)]
        return [Event.FromString(payload).step for payload in payloads]


class Desk:
    """A worker and what it needs; nobody waits, nothing runs but what the test calls."""

    def __init__(self, capacity: int = 100 * MIB, max_items: int = 100_000) -> None:
        self.host = Host()
        self.queue = PushQueue(capacity, MIB, max_items, "drop_newest", self.host)
        self.queue.admit()
        self.files = Files()
        self.output = Output(self.files, Faults("warn"))  # type: ignore[arg-type]
        self.worker = Worker(self.queue, self.output, Faults("warn"))

    def push(self, *items: Scalar | Item) -> None:
        for item in items:
            if isinstance(item, Barrier):
                self.queue.put_barrier(item)
            elif isinstance(item, Item):
                self.queue.put(item)
            else:
                self.queue.append(item)

    @property
    def kept(self) -> int:
        """Summaries whose fate is known, or that are on their way."""
        worker, output = self.worker, self.output
        return worker.gathered + worker.failed + worker.lost + output.pending + output.written + output.lost


def scalar(step: int, tag: str = "t") -> Scalar:
    return (tag, 1.0, step, 1.6e9)


def scalars(steps: Sequence[int]) -> list[Scalar]:
    return [scalar(step) for step in steps]


def summary(
    step: int, encode: Callable[..., Encoded] = text, *arguments: Any, run: str | None = None
) -> Summary:
    return Summary(run, "s", step, 1.6e9, encode, arguments or ("hello",))


def small_histogram(step: int) -> Summary:
    return summary(step, histogram, ANY, "tensorflow", None)


@pytest.mark.parametrize("count", [0, 1, _PIECE - 1, _PIECE, _PIECE + 1, _PIECE + 100, 3 * _PIECE + 1])
def test_what_waits_when_a_drain_begins_is_written_by_it(count: int) -> None:
    """It has waited for its interval already: none of it waits for another, however little is over."""
    desk = Desk()
    desk.push(*scalars(range(count)))
    assert desk.worker.drain() is None
    assert desk.files.steps() == list(range(count))
    assert not desk.worker.left


def test_what_comes_meanwhile_waits_for_the_next_drain() -> None:
    """A drain that took it all would never end while a loop pushes."""
    desk = Desk()
    desk.push(*scalars(range(10)))
    desk.files.before_append = lambda: desk.push(scalar(10))
    desk.worker.drain()
    assert (desk.files.steps(), desk.worker.left) == (list(range(10)), True)
    desk.files.before_append = lambda: None
    desk.worker.drain()
    assert (desk.files.steps(), desk.worker.left) == (list(range(11)), False)


def test_a_barrier_that_comes_meanwhile_is_met_by_the_same_drain() -> None:
    """Its caller waits."""
    desk, late = Desk(), Barrier()

    def pushing(tag: str, text_: str) -> Encoded:
        desk.push(scalar(1), late)
        return text(tag, text_)

    desk.push(summary(0, pushing))
    desk.worker.drain()
    assert late.answered
    assert desk.files.steps() == [0, 1]


@pytest.mark.parametrize("items", [scalars(range(3)), [summary(0), summary(1), summary(2)]])
def test_an_unanswered_barrier_elsewhere_keeps_no_drain_busy(items: list[Any]) -> None:
    """One that a thread has announced, and not pushed yet, ends no drain later than the queue's end."""
    desk = Desk()
    desk.queue.barriers.add(Barrier())
    desk.push(*items)
    desk.worker.drain()
    assert len(desk.files.steps()) == 3
    beats = desk.worker.beats
    desk.worker.drain()
    assert desk.worker.beats == beats


def test_what_was_done_is_not_kept() -> None:
    """An idle writer holds none of the arrays that it wrote last."""
    desk = Desk()
    items = [small_histogram(0), summary(1, histogram, np.zeros(100), "tensorflow", None), summary(2)]
    marks = [weakref.ref(item.arguments[0]) for item in items[1:2]]
    desk.push(scalar(0), *items, scalar(3))
    del items
    desk.worker.drain()
    gc.collect()
    assert [mark() for mark in marks] == [None]


def test_it_rests_in_the_midst_of_a_large_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread sleeps between the pieces of a large array, when it has worked for long enough, and not otherwise."""
    rests: list[float] = []
    monkeypatch.setattr(worker_module.time, "sleep", rests.append)
    monkeypatch.setattr(
        worker_module.time, "perf_counter", lambda: 0.0
    )  # no piece takes so long that they grow
    array = np.ones(10 * PIECE)
    counts = []
    for seconds in (0.0, 3600.0):
        monkeypatch.setattr(worker_module, "_WORK_SECONDS", seconds)
        rests.clear()
        desk = Desk()
        desk.push(summary(0, histogram, array, "tensorflow", None))
        desk.worker.drain()
        counts.append(len(rests))
    assert counts == [9 + 2, 0]  # nine between ten pieces; after the summary; at the drain's end


def test_a_long_piece_is_written_in_its_midst(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done of hundreds of figures is in the file before the last is drawn, and what came before them too."""
    monkeypatch.setattr(worker_module, "_WRITE_SECONDS", 0.0)
    desk = Desk()
    seen: list[list[int]] = []

    def slow(tag: str, text_: str) -> Encoded:
        seen.append(desk.files.steps())
        return text(tag, text_)

    desk.push(*scalars(range(30)), *(summary(step, slow, "hello", run="sub") for step in range(3)))
    desk.worker.drain()
    assert seen == [[], list(range(30)), list(range(30))]
    assert desk.files.steps("sub") == [0, 1, 2]


@pytest.mark.parametrize("place", range(7))
def test_a_write_that_fails_in_the_midst_of_a_batch(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not begun goes back in its order; when the disk has room again everything is there, once."""
    monkeypatch.setattr(worker_module, "_WRITE_SECONDS", 0.0)
    desk = Desk()
    desk.push(*mixed(), Barrier())
    writes = [0]

    def fail() -> None:
        writes[0] += 1
        if writes[0] > place:
            raise OSError(errno.ENOSPC, "full")

    desk.files.before_append = fail
    with pytest.warns(TbasyncWarning):
        assert desk.worker.drain() is None
    assert desk.output.write_error is not None
    assert desk.worker.taken == desk.kept
    desk.files.before_append = lambda: None
    while desk.queue.items:
        assert desk.worker.drain() is None
    assert desk.files.steps() == MAIN_STEPS
    assert desk.files.steps("sub") == SUB_STEPS
    assert (desk.queue.payload, desk.queue.barriers) == (0, set())


MAIN_STEPS, SUB_STEPS = list(range(21)), [100, 101, 102, 103]


def mixed() -> list[Item | Scalar]:
    """Everything that travels, between one another; the steps are those above."""
    event = Event(wall_time=1.6e9, step=14, file_version="x").SerializeToString()
    return [
        *scalars([0, 1, 2]),
        small_histogram(3),
        small_histogram(4),
        Metrics("sub", {"a": 1.0}, 100, 1.6e9),
        scalar(5),
        Metrics(None, {"m": 2.0}, 6, 1.6e9),
        small_histogram(7),
        Barrier(),
        Task(lambda: None),
        small_histogram(8),
        Group([summary(101, run="sub"), Metrics("sub", {"b": 1.0}, 102, 1.6e9)]),
        *scalars([9, 10]),
        summary(11),
        Barrier(fsync=True),
        Metrics(None, {"m": 2.0}, 12, 1.6e9),
        scalar(13),
        Events(None, [event]),
        summary(103, run="sub"),
        EndRun("sub"),
        small_histogram(15),
        small_histogram(16),
        scalar(17),
        *(summary(step) for step in (18, 19)),
        scalar(20),
    ]


class Breaker:
    """Raises at one line of the worker's code, or of what counts histograms for it: the `place`-th that is begun."""

    def __init__(self, place: int, error: type[BaseException]) -> None:
        self.left = place
        self._error = error

    def __enter__(self) -> Breaker:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in (worker_module.__file__, together_module.__file__):
            return None
        if event == "line":
            self.left -= 1
            if self.left == -1:
                raise self._error
        return self._trace


def check_after_a_break(desk: Desk, items: Sequence[Item | Scalar]) -> None:
    """Drains what is left, and sees that nothing is forgotten, nothing is there twice, and all is counted."""
    barriers = [item for item in items if isinstance(item, Barrier)]
    assert desk.worker.taken == desk.kept
    for _ in barriers:
        last = desk.worker.drain()
        if last is not None:
            desk.queue.settle(last)
    assert all(barrier.answered for barrier in barriers)
    assert desk.worker.drain() is None
    assert (len(desk.queue.items), desk.queue.payload, desk.queue.barriers) == (0, 0, set())
    summaries = sum(item.summaries if isinstance(item, Item) else 1 for item in items)
    assert desk.worker.taken == desk.kept == summaries
    assert desk.worker.lost <= 6  # what it was busy with: the scalars between two other items
    found = [desk.files.steps(), desk.files.steps("sub")]
    assert all(steps == sorted(set(steps)) for steps in found)
    assert sum(map(len, found)) == desk.output.written


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
@pytest.mark.parametrize("error", [MemoryError, pytest.param(SystemExit, marks=pytest.mark.long)])
def test_an_exception_at_any_line_costs_what_the_worker_was_busy_with(error: type[BaseException]) -> None:
    """Each item that travels, and the barriers between them: the last one's caller is not forgotten either."""
    for place in range(10_000):
        desk = Desk()
        items = [*mixed(), Barrier(last=True), scalar(21)]
        desk.push(*items)
        with Breaker(place, error) as breaker:
            try:
                last = desk.worker.drain()
            except error:
                desk.worker.recover()
            else:
                if last is not None:  # as the loop does
                    desk.queue.settle(last)
        if breaker.left >= 0:
            assert place > 1000
            return
        if desk.queue.items or desk.queue.barriers:
            check_after_a_break(desk, items)
    pytest.fail("a drain has no end")


def test_what_a_failure_has_left_does_not_wait() -> None:
    """It has waited before; the next drain begins at once."""
    desk = Desk()
    desk.push(*scalars(range(3)))
    with Breaker(5, SystemExit), pytest.raises(SystemExit):
        desk.worker.drain()
    desk.worker.recover()
    assert waits(desk, 60.0) == []


def waits(desk: Desk, interval: float) -> list[float | None]:
    """How long the writer thread would sleep before its next drain, with what is in the queue now."""
    options = Options("run", interval=interval)
    loop = Loop(options, desk.queue, desk.output, Faults("warn"), desk.worker, lambda: None, lambda: None)
    slept: list[float | None] = []

    def wait(timeout: float | None = None) -> bool:
        slept.append(timeout)
        return True

    loop.thread.wait = wait  # type: ignore[method-assign]
    loop._wait_for_work()
    return slept


def test_what_a_drain_has_left_waits_no_longer_than_since_that_began() -> None:
    """An interval is counted from the oldest push that it can have left, not from its end."""
    desk = Desk()
    desk.push(scalar(0))
    desk.files.before_append = lambda: desk.push(scalar(1))
    desk.worker.drain()
    assert desk.worker.left
    desk.worker.began -= 40.0
    (patience,) = waits(desk, 60.0)
    assert patience is not None
    assert 0 < patience < 20.0
    desk.worker.began -= 40.0
    assert waits(desk, 60.0) == []
    assert waits(desk, 0.0) == []


def test_the_first_push_waits_one_interval_and_a_barrier_none() -> None:
    """Parked without a timeout, then gathering; a barrier's caller is not kept waiting."""
    desk = Desk()
    assert waits(desk, 60.0) == [None, 60.0]
    assert waits(desk, 0.0) == [None]
    desk.push(scalar(0), Barrier())
    assert waits(desk, 60.0) == []

"""The queue by itself: its bounds, what it drops, and the interleavings that its text says are impossible.

The pipeline is played by a host that does at each question what the worst thread could do at that moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tbasync.errors import QueueFullError
from tbasync.pipeline import queue as queue_module
from tbasync.pipeline.items import Barrier, EndRun, Events, Item, Scalar, summaries_of
from tbasync.pipeline.queue import SCALAR_BYTES, OnFull, PushQueue

MIB = 1 << 20


class Host:
    """A pipeline of which the test decides everything; by default nobody drains and waiting is in vain."""

    def __init__(self) -> None:
        self.rings = 0
        self.on_ring: Callable[[], object] = lambda: None
        self.hopeless = True
        self.moves = 0
        self.blocked = 0
        self.lost = 0
        self.alarm: Exception | None = None

    def ring(self) -> None:
        self.rings += 1
        self.on_ring()

    def waiting_is_hopeless(self) -> bool:
        return self.hopeless

    def beats(self) -> int:
        return self.moves

    def alarmed(self) -> bool:
        return self.alarm is not None

    def raise_alarm(self) -> None:
        assert self.alarm is not None
        raise self.alarm

    def note_blocked(self) -> None:
        self.blocked += 1

    def note_lost(self, summaries: int) -> None:
        self.lost += summaries


def make(
    on_full: OnFull = "block", *, capacity: int = 100 * MIB, device_capacity: int = MIB, max_items: int = 4
) -> tuple[PushQueue, Host]:
    """A queue whose worker is awake: pushes pass until it is full."""
    host = Host()
    queue = PushQueue(capacity, device_capacity, max_items, on_full, host)
    queue.admit()
    return queue, host


def scalar(step: int) -> Scalar:
    return ("t", 0.0, step, 0.0)


def pop(queue: PushQueue, most: int = 1000) -> list[Any]:
    """What the worker takes."""
    batch: list[Any] = []
    queue.pop(most, batch)
    return batch


def push(queue: PushQueue, *steps: int) -> None:
    """What `add_scalar` does."""
    for step in steps:
        queue.append(scalar(step))
        if len(queue.items) > queue.limit:
            queue.attend()


def held(queue: PushQueue) -> list[Any]:
    """Steps of the scalars that wait; other items as they are."""
    return [item[2] if isinstance(item, tuple) else item for item in queue.items]


def payload(size: int, summaries: int = 1) -> Item:
    """An item of so many bytes."""
    item = Events(None, [b""] * summaries)
    item.nbytes = size
    return item


# -- what is dropped ---------------------------------------------------------------------------------------


def test_drop_newest_keeps_what_came_first() -> None:
    """The queue stays as it was, and each loss is counted."""
    queue, _ = make("drop_newest")
    push(queue, *range(10))
    assert held(queue) == [0, 1, 2, 3]
    assert queue.dropped.total == 6


def test_drop_oldest_keeps_what_came_last() -> None:
    """The newest values are there, and each loss is counted."""
    queue, _ = make("drop_oldest")
    push(queue, *range(10))
    assert held(queue) == [6, 7, 8, 9]
    assert queue.dropped.total == 6


def test_raise_tells_the_caller() -> None:
    """One error for each value lost, naming what to change; what waits is untouched."""
    queue, _ = make("raise")
    push(queue, 0, 1, 2, 3)
    for step in range(5):
        with pytest.raises(QueueFullError, match=r"4 items.*max_items"):
            push(queue, step)
    assert held(queue) == [0, 1, 2, 3]
    assert queue.dropped.total == 5


def test_block_drops_when_waiting_is_hopeless_and_reports_it() -> None:
    """A full disk does not stop the loop; that values are lost is no secret."""
    queue, host = make("block")
    push(queue, *range(10))
    assert held(queue) == [0, 1, 2, 3]
    assert queue.dropped.total == host.lost == 6
    assert host.blocked == 0, "nobody waited, so nobody is told that pushes have to wait"
    assert queue.blocked_nanoseconds.total == 0


@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest", "block"])
def test_several_values_of_one_push_are_counted_each(on_full: OnFull) -> None:
    """Losing `log_metrics` of 20 metrics is losing 20 summaries."""
    queue, _ = make(on_full)
    for _ in range(6):
        queue.put(Events(None, [b""] * 20))
    assert queue.dropped.total == 40
    assert sum(map(summaries_of, queue.items)) == 80


@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest", "raise", "block"])
def test_barriers_and_ends_of_runs_are_never_dropped(on_full: OnFull) -> None:
    """They are put into a full queue, survive any number of pushes, and stay in their order."""
    queue, _ = make(on_full)
    push(queue, 0, 1)
    first, end, second = Barrier(), EndRun("run"), Barrier()
    queue.put_barrier(first)
    queue.append(end)
    queue.put_barrier(second)
    for step in range(2, 20):
        try:
            push(queue, step)
        except QueueFullError:
            assert on_full == "raise"
    kept = [item for item in queue.items if not isinstance(item, tuple)]
    assert kept == [first, end, second]
    scalars_left = sum(isinstance(item, tuple) for item in queue.items)
    assert scalars_left + queue.dropped.total == 20


def test_newest_is_dropped_from_before_a_barrier_if_nothing_is_behind_it() -> None:
    """The barrier keeps its place relative to everything that stays."""
    queue, _ = make("drop_newest", max_items=2)
    push(queue, 0, 1)
    barrier = Barrier()
    queue.put_barrier(barrier)
    queue.attend()
    assert held(queue) == [0, barrier]


def test_one_call_drops_one_value_at_most() -> None:
    """With `raise`, as many calls raise as values are lost, even if several threads are over at once."""
    queue, _ = make("raise")
    queue.items.extend(map(scalar, range(7)))  # three pushes have appended and none has looked yet
    for _ in range(3):
        with pytest.raises(QueueFullError):
            queue.attend()
    queue.attend()
    assert len(queue.items) == 4
    assert queue.dropped.total == 3


def test_nothing_is_dropped_if_room_came_meanwhile() -> None:
    """A pusher that was over the bound looks again once it has the right to drop."""
    queue, _ = make("drop_newest")
    queue.items.extend(map(scalar, range(5)))
    with queue._hands:
        overtaken = threading.Thread(target=queue.attend)
        overtaken.start()
        queue.items.popleft()  # the worker, while the pusher waits for its turn
    overtaken.join()
    assert len(queue.items) == 4
    assert queue.dropped.total == 0


def test_dropped_values_are_destroyed_when_the_queue_is_free() -> None:
    """A destructor may do anything, even wait for another thread that needs to drop as well."""
    queue, _ = make("drop_oldest", max_items=1)
    free: list[bool] = []

    class Value(Events):
        __slots__ = ()

        def __del__(self) -> None:
            def look() -> None:
                free.append(queue._hands.acquire(blocking=False))
                if free[-1]:
                    queue._hands.release()

            other = threading.Thread(target=look)
            other.start()
            other.join()

    queue.put(Value(None, [b""]))
    push(queue, 1)
    assert free == [True]


# -- bytes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_full", ["drop_newest", "block"])
def test_payload_is_bounded(on_full: OnFull) -> None:
    """What does not fit is dropped whole, before it is in the queue."""
    queue, _ = make(on_full, capacity=10 * MIB, max_items=1000)
    for _ in range(20):
        queue.put(payload(3 * MIB))
    assert len(queue.items) == 3
    assert queue.payload == 9 * MIB
    assert queue.dropped.total == 17


def test_payload_drops_the_oldest() -> None:
    """As many as the new one needs, and their bytes are free again."""
    queue, _ = make("drop_oldest", capacity=10 * MIB, max_items=1000)
    items = [payload(3 * MIB) for _ in range(5)]
    for item in items:
        queue.put(item)
    assert list(queue.items) == items[2:]
    assert queue.payload == 9 * MIB
    assert queue.dropped.total == 2


def test_device_memory_is_bounded_like_payload() -> None:
    """Either bound alone is enough to refuse an item."""
    queue, _ = make("drop_newest", device_capacity=10 * MIB, max_items=1000)
    for _ in range(5):
        item = payload(1)
        item.device_bytes = 4 * MIB
        queue.put(item)
    assert len(queue.items) == 2
    assert queue.device_bytes == queue.peak_device_bytes == 8 * MIB
    for taken in pop(queue, 10):
        queue.release(taken)
    assert queue.device_bytes == queue.payload == 0
    assert queue.peak_device_bytes == 8 * MIB


@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest", "raise", "block"])
def test_an_oversize_item_is_taken_when_it_is_alone(on_full: OnFull) -> None:
    """One value larger than the whole capacity is logged, and everything after it waits or is dropped."""
    queue, _ = make(on_full, capacity=MIB)
    big = payload(50 * MIB)
    queue.put(big)
    assert list(queue.items) == [big]
    assert queue.room() == 1
    assert queue.dropped.total == 0
    queue.admit()
    if on_full in ("drop_newest", "block"):
        queue.put(payload(1))
        push(queue, 1)
        assert list(queue.items) == [big]
        assert queue.dropped.total == 2


def test_oldest_goes_for_an_oversize_item() -> None:
    """`drop_oldest` makes room for it by dropping all the rest."""
    queue, _ = make("drop_oldest", capacity=MIB, max_items=100)
    for _ in range(5):
        queue.put(payload(1000))
    big = payload(50 * MIB)
    queue.put(big)
    assert list(queue.items) == [big]
    assert queue.dropped.total == 5


def test_payload_in_the_workers_hands_still_counts() -> None:
    """What has been taken and not been encoded holds memory; nothing else is dropped in vain for it twice."""
    queue, _ = make("drop_oldest", capacity=10 * MIB, max_items=100)
    queue.put(payload(9 * MIB))
    (taken,) = pop(queue, 10)
    queue.put(payload(5 * MIB))
    assert not queue.items
    assert queue.dropped.total == 1
    queue.release(taken)
    queue.put(payload(5 * MIB))
    assert len(queue.items) == 1


def test_scalars_count_as_bytes() -> None:
    """The bound of bytes holds for a queue of nothing but scalars."""
    queue, _ = make("drop_newest", capacity=100 * SCALAR_BYTES, max_items=10_000)
    push(queue, *range(500))
    assert len(queue.items) == 100
    assert queue.nbytes == 100 * SCALAR_BYTES


def test_reservations_of_two_threads_do_not_overlap() -> None:
    """Looking for room and taking it are one step: two pushes that fit one by one do not fit together."""
    queue, _ = make("drop_newest", capacity=10 * MIB, max_items=100)
    start = threading.Barrier(8)

    def put() -> None:
        start.wait()
        for _ in range(200):
            queue.put(payload(6 * MIB))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.payload == 6 * MIB
    assert len(queue.items) == 1
    assert queue.dropped.total == 1599


# -- blocking ----------------------------------------------------------------------------------------------


def test_a_blocked_push_goes_on_when_the_worker_makes_room() -> None:
    """It hurries the worker, waits, is counted and told of once, and nothing is lost."""
    queue, host = make("block")
    host.hopeless = False

    def drain() -> None:
        # The worker runs only now: the pusher is certainly blocked, or about to be.
        assert queue.urgent
        pop(queue, 100)
        queue.admit()

    host.on_ring = lambda: threading.Thread(target=drain).start() if len(queue.items) > 4 else None
    push(queue, *range(5))
    assert queue.dropped.total == 0
    assert host.lost == 0


def test_room_that_comes_just_before_the_sleep_is_seen() -> None:
    """Between the look and the ticket the worker may make room and release nobody: no sleep is needed then."""
    queue, host = make("block")
    host.hopeless = False
    sleeps: list[object] = []

    class Ticket:
        """The lock that a pusher sleeps on; while it is made, the worker empties the queue."""

        def __init__(self) -> None:
            pop(queue, 100)

        def acquire(self, timeout: float = -1) -> bool:
            if timeout >= 0:
                sleeps.append(timeout)
            return True

        def release(self) -> None:
            raise AssertionError("released although nobody waits")

    real = threading.Lock
    try:
        threading.Lock = Ticket  # type: ignore[assignment]
        queue.items.extend(map(scalar, range(5)))
        queue.attend()
    finally:
        threading.Lock = real
    assert not sleeps
    assert queue.blocked_nanoseconds.total == 0


def test_a_worker_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the patience ends pushes drop at once, until the worker moves again."""
    monkeypatch.setattr(queue_module, "STALL_SECONDS", 0.0)
    monkeypatch.setattr(queue_module, "_LOOK_AGAIN_SECONDS", 0.0)
    queue, host = make("block")
    host.hopeless = False
    push(queue, *range(5))
    assert queue.dropped.total == host.lost == 1
    assert host.blocked == 1
    tickets = len(queue._waiting)
    push(queue, *range(5, 100))
    assert queue.dropped.total == host.lost == 96
    assert len(queue._waiting) == tickets, "pushes that do not wait leave nothing behind"
    host.moves += 1
    push(queue, 100)
    assert host.blocked == 2, "it moved: the next push waits for it again"


def test_admit_wakes_everyone_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight blocked pushes go on at once; none has to wait until it looks again by itself."""
    monkeypatch.setattr(queue_module, "_LOOK_AGAIN_SECONDS", 3600.0)
    queue, host = make("block", max_items=100)
    host.hopeless = False
    push(queue, *range(100))
    looks: list[bool] = []
    fits = queue._fits

    def look() -> bool:
        room = fits()
        looks.append(room)
        return room

    monkeypatch.setattr(queue, "_fits", look)
    threads = [threading.Thread(target=push, args=(queue, step)) for step in range(8)]
    for thread in threads:
        thread.start()
    while len(looks) < 3 * 8:  # at the call, before the ticket and after it: the next thing is to sleep
        time.sleep(0.001)
    assert len(pop(queue, 1000)) == 108
    queue.admit()
    for thread in threads:
        thread.join(60)
    assert not queue._waiting
    assert host.blocked == 8
    assert queue.dropped.total == 0
    assert queue.blocked_nanoseconds.total > 0


# -- waking the worker -------------------------------------------------------------------------------------


class Sabotaged(PushQueue):
    """A queue that lets a push happen at the one moment at which the worker would miss it."""

    def __init__(self, host: Host, moment: str) -> None:
        super().__init__(MIB, MIB, 100, "block", host)
        self.moment = moment

    def call_in(self) -> None:
        if self.moment == "before the flag":
            push(self, 1)
        super().call_in()
        if self.moment == "between flag and look":
            push(self, 1)

    def empty(self) -> bool:
        seen = super().empty()
        if self.moment == "after the look":
            push(self, 1)
        return seen


@pytest.mark.parametrize("moment", ["before the flag", "between flag and look", "after the look"])
def test_no_wake_up_is_lost(moment: str) -> None:
    """Wherever a push falls between the worker's steps, either it rings or the worker does not park."""
    host = Host()
    queue = Sabotaged(host, moment)
    queue.admit()
    host.rings = 0
    parked = queue.park()
    assert len(queue.items) == 1
    assert not parked or host.rings == 1


def test_the_worker_does_not_park_while_a_barrier_is_in_a_droppers_hands() -> None:
    """A pusher that makes room holds a barrier for a moment: the worker finds the queue empty only after that."""
    queue, _host = make("drop_oldest", max_items=1)
    barrier = Barrier()
    queue.put_barrier(barrier)
    parked: list[bool] = []
    parking = threading.Thread(target=lambda: parked.append(queue.park()))
    fits = queue._fits

    def in_hand() -> bool:
        if not queue.items and not parking.ident:
            parking.start()  # the barrier has been taken off: nothing is in the queue
            assert not parked
        return fits() and bool(parked)

    queue._drop_oldest(in_hand)
    parking.join()
    assert parked == [False]
    assert held(queue) == [barrier]


def test_what_the_worker_puts_back_stays_before_a_droppers_barrier() -> None:
    """A barrier that is in hand while older items are put back does not end up before them."""
    queue, _host = make("drop_oldest", max_items=1)
    push(queue, 1)
    older = pop(queue, 1)
    barrier = Barrier()
    queue.put_barrier(barrier)
    putting = threading.Thread(target=queue.put_back, args=(older,))
    fits = queue._fits

    def in_hand() -> bool:
        if not queue.items and not putting.ident:
            putting.start()
        return not queue.items

    assert fits()
    queue.items.append(scalar(2))
    queue._drop_oldest(in_hand)
    putting.join()
    assert held(queue) == [1, barrier]


def test_alarm_reaches_the_next_push() -> None:
    """With `on_error="raise"` the cheap path is closed while there is something to raise."""
    queue, host = make("block", max_items=100)
    push(queue, 1)
    host.alarm = RuntimeError("disk")
    queue.admit()
    with pytest.raises(RuntimeError, match="disk"):
        push(queue, 2)
    assert held(queue) == [1, 2], "what is pushed is logged all the same"
    host.alarm = None
    queue.admit()
    push(queue, 3)


def test_barriers_do_not_raise_the_alarm() -> None:
    """Or they would end before what came before them is written."""
    queue, host = make("block")
    host.alarm = RuntimeError("disk")
    queue.put_barrier(Barrier())
    assert host.rings == 1


def test_a_barrier_is_answered_once() -> None:
    """Two threads may settle it; the first answer stays."""
    queue, _ = make()
    barrier = Barrier()
    queue.put_barrier(barrier)
    queue.settle(barrier)
    queue.settle(barrier, None)
    assert barrier.answered
    assert barrier.reached.acquire(blocking=False)
    assert not queue.barriers


def test_payload_that_is_half_full_hurries_the_worker() -> None:
    """So does memory, on the host or on a device."""
    for device in (False, True):
        queue, host = make("block", capacity=10 * MIB, device_capacity=10 * MIB, max_items=100)
        queue.gather()
        for _ in range(2):
            assert not queue.urgent
            item = payload(1 if device else 3 * MIB)
            item.device_bytes = 3 * MIB if device else 0
            queue.put(item)
        assert queue.urgent
        assert host.rings == 1


def test_a_queue_that_is_half_full_hurries_the_worker() -> None:
    """It does not wait out its interval while pushes are about to block."""
    queue, host = make("block", max_items=100)
    queue.gather()
    push(queue, *range(50))
    assert not queue.urgent
    assert host.rings == 0
    push(queue, 50)
    assert queue.urgent
    assert host.rings == 1

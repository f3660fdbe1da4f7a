"""The queue between the threads that push and the one that writes.

Why a deque and not a `queue.Queue`: a Queue takes a lock and signals a condition variable for every item,
some microseconds when it is contended, and a signal handler that pushes while its own thread holds that
lock hangs. `deque.append` and `deque.popleft` are single C calls, atomic under the GIL and, on
free-threaded builds, under the deque's own lock; they are all that the common push needs.

What a push does, in this order, and why no wake-up is lost:

    pusher                         worker, before it parks
    1. append(item)                a. limit = -1
    2. len(items) > limit ?        b. is anything in items?

If the worker does not see the item at (b), then (1) came after (b), hence after (a), so (2) sees -1 and the
pusher rings. Both sides write before they read, which needs the two steps of each not to be reordered: the
GIL sees to it; without a GIL the lock operations inside `append`, and in the worker between (a) and (b),
are full barriers.

The same comparison notices a full queue: `limit` is otherwise the number of items that may wait. So the
common push costs one append and one comparison, and everything unusual is behind the comparison.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from ..errors import QueueFullError
from .items import Barrier, Item, Scalar, summaries_of
from .tally import Tally

OnFull: TypeAlias = Literal["block", "drop_newest", "drop_oldest", "raise"]
ON_FULL: tuple[OnFull, ...] = ("block", "drop_newest", "drop_oldest", "raise")

# What a waiting scalar costs in memory: a tuple of four, two floats, an int and its place in the deque.
SCALAR_BYTES = 192

_ATTENTION = -1
# How long a blocked push sleeps at most before it looks whether the worker still lives.
_LOOK_AGAIN_SECONDS = 0.1
# A push does not wait for a worker that hangs: after this long without any progress it drops instead, and
# so do the pushes after it, until the worker moves again.
_STALL_SECONDS = 30.0


class Host(Protocol):
    """What the queue needs to know of its pipeline."""

    def ring(self) -> None:
        """Wakes the worker, starting it if there is none."""

    def waiting_is_hopeless(self) -> bool:
        """Whether there will be no room soon: nothing can be written, or the caller is the worker itself."""

    def beats(self) -> int:
        """A number that changes while the worker gets on."""

    def alarmed(self) -> bool:
        """Whether the next push is to raise what went wrong before."""

    def note_blocked(self) -> None:
        """Says once that a push had to wait."""


class PushQueue:
    """A bounded queue of many pushers and one worker.

    Attributes:
        items: what waits. Pushers append through `append`, the worker pops from the left.
        append: `items.append`, bound once.
        limit: after an append, a longer queue than this calls for `attend()`.
        urgent: whether the worker should not wait for more before it drains.
        barriers: those that have been pushed and not been settled.
    """

    def __init__(
        self, capacity: int, device_capacity: int, max_items: int, on_full: OnFull, host: Host
    ) -> None:
        """Makes an empty queue.

        Args:
            capacity: bytes of frozen payload that may wait, scalars counted at `SCALAR_BYTES` each; one item
                larger than that is taken when nothing else waits.
            device_capacity: bytes that values which wait may hold on devices, bounded in the same way.
            max_items: how many items may wait.
            on_full: what a push does when there is no room.
            host: the pipeline.
        """
        self._capacity = capacity
        self._device_capacity = device_capacity
        self._max_items = max_items
        self._on_full = on_full
        self._host = host
        self.reset()

    def reset(self) -> None:
        """Empties the queue, counters included, as if it were new; nobody else may be using it."""
        self.items: deque[Scalar | Item] = deque()
        self.append = self.items.append
        self.limit = _ATTENTION
        self.urgent = False
        self.barriers: deque[Barrier] = deque()
        self.dropped = Tally()
        self.blocked_nanoseconds = Tally()
        self.peak_items = 0
        self.peak_bytes = 0
        self.peak_device_bytes = 0
        self._payload = Tally()
        self._on_devices = Tally()
        self._waiting: deque[threading.Lock] = deque()
        self._fence = threading.Lock()
        self._stalled_at: int | None = None

    # -- for pushers ---------------------------------------------------------------------------------------

    def put(self, item: Item) -> None:
        """Pushes anything but a plain scalar, making room for its payload first.

        Raises:
            QueueFullError: there is no room and `on_full="raise"`.
        """
        if (item.nbytes or item.device_bytes) and item.droppable and not self._admit(item):
            return
        self._account(item, 1)
        self.append(item)
        if len(self.items) > self.limit:
            self.attend()

    def attend(self) -> None:
        """The rest of a push that found the queue longer than `limit`.

        Raises:
            QueueFullError: the queue is full and `on_full="raise"`; the newest item is taken back.
        """
        if self.limit == _ATTENTION:
            self._host.ring()
        if len(self.items) > self.room() // 2:
            self._hurry()
        if self._fits() or (self._on_full == "block" and self._wait(self._fits)):
            return
        lost = self._drop_while(lambda: not self._fits(), oldest=self._on_full == "drop_oldest")
        if lost and self._on_full == "raise":
            raise QueueFullError(self._full_message())

    def put_barrier(self, barrier: Barrier) -> None:
        """Pushes a barrier and wakes the worker: it is never dropped and never waits for room."""
        self.barriers.append(barrier)
        self.append(barrier)
        self._hurry()

    def _hurry(self) -> None:
        # In this order: the worker clears the flag before it drains, so it finds what came before the flag.
        self.urgent = True
        self._host.ring()

    def _fits(self) -> bool:
        return len(self.items) <= self.room()

    def _admit(self, item: Item) -> bool:
        """Makes room for the payload of `item`; False when the item is the one that was dropped."""

        def fits() -> bool:
            host, device = self._payload.total, self._on_devices.total
            return (host == 0 or host + item.nbytes <= self._capacity) and (
                device == 0 or device + item.device_bytes <= self._device_capacity
            )

        if fits() or (self._on_full == "block" and self._wait(fits)):
            return True
        if self._on_full == "drop_oldest":
            self._drop_while(lambda: not fits(), oldest=True)
            if fits():
                return True
        self.dropped.add(item.summaries)
        if self._on_full == "raise":
            raise QueueFullError(self._full_message())
        return False

    def _wait(self, enough_room: Callable[[], bool]) -> bool:
        """Blocks until there is room; False when waiting is or becomes hopeless."""
        start = time.perf_counter_ns()
        beats, moved = self._host.beats(), time.monotonic()
        try:
            while not enough_room():
                if self._host.waiting_is_hopeless() or self._stalled_at == beats:
                    return False
                ticket = threading.Lock()
                ticket.acquire()
                self._waiting.append(ticket)
                self._hurry()
                # Room may have come between the look and the ticket, and then nobody releases it.
                if not enough_room():
                    ticket.acquire(timeout=_LOOK_AGAIN_SECONDS)
                if self._host.beats() != beats:
                    beats, moved = self._host.beats(), time.monotonic()
                elif time.monotonic() - moved > _STALL_SECONDS:
                    self._stalled_at = beats
            return True
        finally:
            self.blocked_nanoseconds.add(time.perf_counter_ns() - start)
            self._host.note_blocked()

    def _drop_while(self, too_much: Callable[[], bool], *, oldest: bool) -> int:
        """Drops items until there is room; returns how many summaries that cost.

        Items that must not be lost are put back where they were found. The worker, or another pusher, may
        take what lies beyond them meanwhile: a barrier then covers more than it has to, never less.
        """
        pop = self.items.popleft if oldest else self.items.pop
        put_back = self.items.appendleft if oldest else self.items.append
        kept: list[Item] = []
        lost = 0
        try:
            while too_much():
                item = pop()
                if isinstance(item, Item) and not item.droppable:
                    kept.append(item)
                else:
                    lost += summaries_of(item)
                    self.release(item)
        except IndexError:
            pass  # empty: others have made the room
        finally:
            for item in reversed(kept):
                put_back(item)
            self.dropped.add(lost)
        return lost

    def _full_message(self) -> str:
        return (
            f"the queue is full ({len(self.items)} items, {self._payload.total} bytes of payload) and "
            'on_full="raise"; log less, enlarge capacity, device_capacity or max_items, or choose another '
            "on_full"
        )

    # -- for the worker ------------------------------------------------------------------------------------

    def room(self) -> int:
        """How many items may wait, given the payload that waits; at least one, however large."""
        return max(1, min(self._max_items, (self._capacity - self._payload.total) // SCALAR_BYTES))

    def park(self) -> bool:
        """Asks the next push to ring; False when something has been pushed already, and nobody will."""
        self.limit = _ATTENTION
        with self._fence:  # the full barrier that the module's text speaks of
            pass
        if self.items:
            self.gather()
            return False
        return True

    def gather(self) -> None:
        """Lets pushes pass until half the room is taken: the worker is awake and waits for a batch."""
        self.limit = _ATTENTION if self._host.alarmed() else self.room() // 2

    def pop(self, most: int) -> list[Scalar | Item]:
        """Takes up to `most` items, oldest first."""
        self._note_peaks()
        batch: list[Scalar | Item] = []
        add, popleft = batch.append, self.items.popleft
        try:
            # One by one into a list that is ours: a comprehension would lose what it has popped when a
            # pusher that drops the oldest empties the queue under it.
            for _ in range(most):
                add(popleft())
        except IndexError:
            pass
        return batch

    def release(self, item: Scalar | Item) -> None:
        """Gives back the payload of an item that has been encoded or dropped."""
        if isinstance(item, Item):
            self._account(item, -1)

    def _account(self, item: Item, sign: int) -> None:
        if item.nbytes:
            self._payload.add(sign * item.nbytes)
        if item.device_bytes:
            self._on_devices.add(sign * item.device_bytes)
            self.peak_device_bytes = max(self.peak_device_bytes, self._on_devices.total)

    def admit(self) -> None:
        """Lets pushes pass until the queue is full, and those that wait for room look again."""
        self.limit = _ATTENTION if self._host.alarmed() else self.room()
        while self._waiting:
            self._waiting.popleft().release()

    def settle(self, barrier: Barrier, *, passed: bool) -> None:
        """Answers a barrier's caller; only one that has passed is forgotten."""
        if passed:
            barrier.passed = True
            with contextlib.suppress(ValueError):
                self.barriers.remove(barrier)
        with contextlib.suppress(RuntimeError):  # released already, with bad news that is good now
            barrier.reached.release()

    @property
    def nbytes(self) -> int:
        """Bytes that wait: payload, and what scalars cost."""
        return self._payload.total + len(self.items) * SCALAR_BYTES

    @property
    def device_bytes(self) -> int:
        """Bytes that values which wait hold on devices."""
        return self._on_devices.total

    def _note_peaks(self) -> None:
        self.peak_items = max(self.peak_items, len(self.items))
        self.peak_bytes = max(self.peak_bytes, self.nbytes)

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
are full barriers. Two rules keep it true: only the worker writes `limit`, whichever thread is the worker (see
`thread.py`), and whoever has taken items off the queue and will put them back holds `_hands` meanwhile, so
that (b) cannot miss them.

The same comparison notices a full queue: `limit` is otherwise the number of items that may wait. So the
common push costs one append and one comparison, and everything unusual is behind the comparison.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat, starmap
from typing import Literal, Protocol, TypeAlias

from ..errors import LoggingError, QueueFullError
from .items import Barrier, Item, Scalar, droppable, summaries_of
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
STALL_SECONDS = 30.0


class Host(Protocol):
    """What the queue needs to know of its pipeline."""

    def ring(self) -> None:
        """Wakes the worker, starting it if there is none. Never raises."""

    def waiting_is_hopeless(self) -> bool:
        """Whether there will be no room soon: nothing can be written, or the caller is the worker itself."""

    def beats(self) -> int:
        """A number that changes while the worker gets on."""

    def alarmed(self) -> bool:
        """Whether the next push is to raise what went wrong before."""

    def raise_alarm(self) -> None:
        """Raises what went wrong before."""

    def note_blocked(self) -> None:
        """Says once that a push had to wait."""

    def note_lost(self, summaries: int) -> None:
        """Reports summaries that were lost although pushes are to wait for room."""


class PushQueue:
    """A bounded queue of many pushers and one worker.

    The bounds hold but for what pushes that are under way at the same moment add: `max_items` plus one item
    for each thread that pushes, `capacity` plus what `max_items` scalars cost, for those are let pass by a
    `limit` that was worked out before the payload came.

    Attributes:
        items: what waits. Pushers append through `append`, the worker pops from the left.
        append: `items.append`, bound once.
        limit: after an append, a longer queue than this calls for `attend()`.
        urgent: whether the worker should not wait for more before it drains.
        payload: bytes that items hold on the host, from before their push until they have been encoded.
        device_bytes: likewise on devices.
        barriers: those that have been pushed and not been answered. Adding to a set, discarding and copying
            are single C calls, atomic as those of the deque are.
    """

    def __init__(
        self, capacity: int, device_capacity: int, max_items: int, on_full: OnFull, host: Host
    ) -> None:
        """Makes an empty queue.

        Args:
            capacity: bytes of frozen payload that may wait, scalars counted at `SCALAR_BYTES` each; one item
                larger than that is taken when no other payload waits.
            device_capacity: bytes that values which wait may hold on devices, bounded in the same way.
            max_items: how many items may wait.
            on_full: what a push does when there is no room.
            host: the pipeline.
        """
        self._capacity = capacity
        self._device_capacity = device_capacity
        self._half, self._half_device = capacity // 2, device_capacity // 2
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
        self.barriers: set[Barrier] = set()
        self.dropped = Tally()
        self.blocked_nanoseconds = Tally()
        self.peak_items = 0
        self.peak_bytes = 0
        self.payload = 0
        self.device_bytes = 0
        self.peak_device_bytes = 0
        # Guards the two sums. Reentrant for the same reason as a Tally's, and with the same care: within it
        # there is no call, so no signal handler, and no destructor, runs between a reading and a writing.
        self._payload_lock = threading.RLock()
        # Held by whoever has items in hand that will be put back.
        self._hands = threading.RLock()
        self._waiting: deque[threading.Lock] = deque()
        self._stalled_at: int | None = None

    # -- for pushers ---------------------------------------------------------------------------------------

    def put(self, item: Item) -> None:
        """Pushes anything but a plain scalar, making room for its payload first.

        Raises:
            QueueFullError: there is no room and `on_full="raise"`.
            LoggingError: `on_error="raise"`, and something failed since the last call.
        """
        if sys.is_finalizing():
            return  # daemon threads have been stopped wherever they were, perhaps with one of our locks held
        nbytes, device_bytes = item.nbytes, item.device_bytes
        if nbytes or device_bytes:
            fits = False
            if not device_bytes:  # the common case of `_reserve`, without a function call
                with self._payload_lock:
                    fits = self.payload + nbytes <= self._capacity
                    if fits:
                        self.payload += nbytes
            if not fits and not self._reserve(nbytes, device_bytes) and not self._admit(item):
                return
        self.append(item)
        if len(self.items) > self.limit or self.payload > self._half or self.device_bytes > self._half_device:
            self.attend()

    def attend(self) -> None:
        """The rest of a push that found the queue longer than `limit`.

        Raises:
            QueueFullError: the queue is full and `on_full="raise"`; the newest item is taken back.
            LoggingError: `on_error="raise"`, and something failed since the last call.
        """
        if sys.is_finalizing():
            return
        if self.limit == _ATTENTION:
            self._host.ring()
        if self._half_full():
            self._hurry()
        if self._on_full == "drop_oldest":
            self._drop_oldest(self._fits)
        elif not self._fits() and not (self._on_full == "block" and self._wait(self._fits)):
            self._drop_newest()
        if self._host.alarmed():
            self._host.raise_alarm()

    def put_barrier(self, barrier: Barrier) -> None:
        """Pushes a barrier and wakes the worker: it is never dropped and never waits for room."""
        self.barriers.add(barrier)
        self.append(barrier)
        self._hurry()

    def _hurry(self) -> None:
        # In this order: the worker clears the flag before it drains, so it finds what came before the flag.
        self.urgent = True
        self._host.ring()

    def _half_full(self) -> bool:
        """Whether the worker should not wait for more: pushes might have to wait for it soon."""
        return (
            len(self.items) > self.room() // 2
            or self.payload > self._half
            or self.device_bytes > self._half_device
        )

    def _fits(self) -> bool:
        return len(self.items) <= self.room()

    def _admit(self, item: Item) -> bool:
        """Reserves room for the payload of `item`; False when the item is the one that was dropped."""

        def reserve() -> bool:
            return self._reserve(item.nbytes, item.device_bytes)

        admitted = False
        if self._on_full == "block":
            admitted = self._wait(reserve)
        elif self._on_full == "drop_oldest":
            admitted = self._drop_oldest(reserve)
        if not admitted:
            self._lose(item.summaries)
        return admitted

    def _reserve(self, nbytes: int, device_bytes: int) -> bool:
        with self._payload_lock:
            fits = self.payload == 0 or self.payload + nbytes <= self._capacity
            held = self.device_bytes + device_bytes
            if fits and (self.device_bytes == 0 or held <= self._device_capacity):
                self.payload += nbytes
                self.device_bytes = held
                if held > self.peak_device_bytes:
                    self.peak_device_bytes = held
                return True
        return False

    def _wait(self, enough_room: Callable[[], bool]) -> bool:
        """Blocks until there is room; False when waiting is or becomes hopeless."""
        start = time.perf_counter_ns()
        beats, moved = self._host.beats(), time.monotonic()
        slept = False
        try:
            while not enough_room():
                self._hurry()
                if self._host.waiting_is_hopeless() or self._stalled_at == beats:
                    return False
                ticket = threading.Lock()
                ticket.acquire()
                self._waiting.append(ticket)
                # Room may have come between the look and the ticket, and then nobody releases it.
                if enough_room():
                    break
                slept = True
                ticket.acquire(timeout=_LOOK_AGAIN_SECONDS)
                if self._host.beats() != beats:
                    beats, moved = self._host.beats(), time.monotonic()
                elif time.monotonic() - moved > STALL_SECONDS:
                    self._stalled_at = beats
            return True
        finally:
            if slept:
                self.blocked_nanoseconds.add(time.perf_counter_ns() - start)
                self._host.note_blocked()

    # -- dropping ------------------------------------------------------------------------------------------

    # What must not be lost is taken off and put back, at the same end. The worker, or another pusher, may
    # take or add what lies beyond it meanwhile: a barrier then covers more than it has to, never less.
    # `_hands` keeps the worker from parking, and from putting back older items, while a barrier is in hand.
    # What is dropped is destroyed only when `_hands` is free: destructors may do anything.

    def _drop_newest(self) -> None:
        """Drops the newest item unless there is room by now.

        Of several threads that push at the same moment one may drop another's value; but each drops one at
        most, so that as many calls raise, with `on_full="raise"`, as values are lost.
        """
        kept: list[Scalar | Item] = []
        victim: Scalar | Item | None = None
        with self._hands:
            if self._fits():
                return
            try:
                while victim is None:
                    item = self.items.pop()
                    if droppable(item):
                        victim = item
                        self.release(item)
                    else:
                        kept.append(item)
            except IndexError:
                return  # empty but for what is kept: others have made the room
            finally:
                self.items.extend(reversed(kept))
        self._lose(summaries_of(victim))

    def _drop_oldest(self, enough_room: Callable[[], bool]) -> bool:
        """Drops the oldest items until there is room; False when there is none even so."""
        kept: list[Scalar | Item] = []
        dropped: list[Scalar | Item] = []
        with self._hands:
            try:
                while not enough_room():
                    item = self.items.popleft()
                    (dropped if droppable(item) else kept).append(item)
                    self.release(item)
                room = True
            except IndexError:  # the payload is in the worker's hands
                room = False
            finally:
                self.items.extendleft(reversed(kept))
        self._lose(sum(map(summaries_of, dropped)))
        return room

    def _lose(self, summaries: int) -> None:
        if not summaries:
            return
        self.dropped.add(summaries)
        if self._on_full == "raise":
            raise QueueFullError(
                f"the queue is full ({len(self.items)} items, {self.payload} bytes of payload) and "
                'on_full="raise"; log less, enlarge capacity, device_capacity or max_items, or choose another '
                "on_full"
            )
        if self._on_full == "block":
            self._host.note_lost(summaries)

    # -- for the worker ------------------------------------------------------------------------------------

    def room(self) -> int:
        """How many items may wait, given the payload that waits; at least one, however large."""
        return max(1, min(self._max_items, (self._capacity - self.payload) // SCALAR_BYTES))

    def call_in(self) -> None:
        """Asks every push from now on to ring."""
        self.limit = _ATTENTION

    def empty(self) -> bool:
        """Whether nothing waits, not even in the hands of a pusher that will put it back."""
        with self._hands:  # also the full barrier that the module's text speaks of
            return not self.items

    def park(self) -> bool:
        """Asks the next push to ring; False when something has been pushed already, and nobody will."""
        self.call_in()
        if self.empty():
            return True
        self.gather()
        return False

    def gather(self) -> None:
        """Lets pushes pass until half the room is taken: the worker is awake and waits for a batch."""
        self.limit = _ATTENTION if self._host.alarmed() else self.room() // 2

    def pressing(self, many: int) -> bool:
        """Whether what waits is not to wait for more: many items, or a barrier or a pusher behind them.

        A worker that took every single item would never end while a loop pushes: each time that it waits for the
        GIL a few new ones come, and for these it would wait again.
        """
        waiting = len(self.items)
        return waiting >= many or (waiting > 0 and (self.urgent or bool(self.barriers) or self._half_full()))

    def awaited(self) -> bool:
        """Whether a push waits for room: its thread has nothing to do but to wait for the worker."""
        return bool(self._waiting)

    def pop(self, most: int, into: list[Scalar | Item]) -> None:
        """Moves up to `most` items into a list, oldest first."""
        self._note_peaks()
        # One C call: it cannot be interrupted between taking an item and putting it down. It ends early when a
        # pusher that drops the oldest empties the queue under it; what has been moved stays moved.
        with contextlib.suppress(IndexError):
            into.extend(starmap(self.items.popleft, repeat((), most)))

    def put_back(self, batch: Sequence[Scalar | Item]) -> int:
        """Puts what was popped last back to where it was; returns how many summaries that are."""
        summaries = sum(map(summaries_of, batch))
        # Not while a pusher has an older queue's barrier in hand: that would end up before these.
        with self._hands:
            self.items.extendleft(reversed(batch))
        return summaries

    def release(self, item: Scalar | Item) -> None:
        """Gives back the payload of an item that has been encoded or dropped; a second time does nothing."""
        if isinstance(item, Item) and (item.nbytes or item.device_bytes):
            with self._payload_lock:
                self.payload -= item.nbytes
                self.device_bytes -= item.device_bytes
                item.nbytes = item.device_bytes = 0

    def admit(self) -> None:
        """Lets pushes pass until the queue is full, and those that wait for room look again."""
        self.limit = _ATTENTION if self._host.alarmed() else self.room()
        with contextlib.suppress(IndexError):
            while True:
                self._waiting.popleft().release()

    def settle(self, barrier: Barrier, failure: LoggingError | None = None) -> None:
        """Answers a barrier's caller, unless it has its answer: written, or what to raise."""
        # Two may settle a barrier: the worker, and a thread that resigns while the next one begins. The set
        # decides between them, for only one finds the barrier in it.
        try:
            self.barriers.remove(barrier)
        except KeyError:
            return
        barrier.failure = failure
        barrier.answered = True
        barrier.reached.release()

    @property
    def nbytes(self) -> int:
        """Bytes that wait: payload, and what scalars cost."""
        return self.payload + len(self.items) * SCALAR_BYTES

    def _note_peaks(self) -> None:
        self.peak_items = max(self.peak_items, len(self.items))
        self.peak_bytes = max(self.peak_bytes, self.nbytes)

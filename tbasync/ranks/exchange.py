"""The thread that talks to the job's store, so that no other thread ever waits for a network."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..pipeline.faults import Faults
from .side import Side, UnreachableError

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0
# How often a side that is to end looks whether it may.
_END_SECONDS = 0.1


@dataclass(frozen=True)
class End:
    """How an exchange is to end.

    Attributes:
        at: when to end in any case (`time.monotonic()`).
        ready: whether it may end already.
        then: called, on the exchange's thread, when it has.
    """

    at: float
    ready: Callable[[], bool]
    then: Callable[[], object]


class Exchange:
    """Gives a side its turn once in an interval, and at once when somebody waits for it."""

    def __init__(self, side: Side, interval: float, faults: Faults) -> None:
        """Does not start yet.

        Args:
            side: whose turns.
            interval: seconds between them.
            faults: where to say that the store does not answer.
        """
        self._side = side
        self._interval = interval
        self._faults = faults
        self._life = threading.Lock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._waiting: deque[threading.Event] = deque()
        self._thread: threading.Thread | None = None
        self._end: End | None = None
        self._ended = threading.Event()
        self._ended.set()
        self._well = True
        self._unreachable = False

    def start(self) -> None:
        """Starts the thread, if it does not run; one that was about to end goes on."""
        with self._life:
            self._end = None
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="tbasync-ranks", daemon=True)
            self._ended.clear()
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is ending: `finish()` does the last turn itself
                self._thread = None
                self._ended.set()

    def sync(self, timeout: float) -> bool:
        """Waits until a turn that began after this call has handed everything over; False if it takes longer.

        Args:
            timeout: seconds.
        """
        if self._thread is None:
            return self._turn(urgent=True, last=False)
        done = threading.Event()
        self._waiting.append(done)
        self._ring()
        if not done.wait(timeout):
            with contextlib.suppress(ValueError):
                self._waiting.remove(done)
        return done.is_set()

    def finish(self, end: End) -> None:
        """Has the last turn done, as `end` says, and the thread end. Does not wait for it."""
        with self._life:
            self._end = end
            running = self._thread is not None
        if running:
            self._ring()
            return
        self._well = self._turn(urgent=True, last=True)
        self._side.leave()
        end.then()

    def retire(self) -> None:
        """Has a thread end that runs although there is nothing to exchange any more; there may be none."""
        with self._life:
            if self._thread is None:
                return
            self._end = End(time.monotonic(), lambda: True, lambda: None)
        self._ring()

    def join(self, timeout: float) -> bool:
        """Waits until the thread has ended; whether it has, with everything handed over."""
        return self._ended.wait(timeout) and self._well

    def forget(self) -> None:
        """In a forked child: thread and side are the parent's."""
        self._thread = None
        self._side.forget()

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # rung already
            self._bell.release()

    def _run(self) -> None:
        pause = self._interval
        while True:
            self._bell.acquire(timeout=pause)
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            end = self._end
            over = end is not None and time.monotonic() >= end.at
            last = over or (end is not None and end.ready())
            done = self._turn(urgent=bool(waiting), last=last)
            if done:
                pause = self._interval if end is None else min(self._interval, _END_SECONDS)
                for event in waiting:
                    event.set()
            else:
                pause = min(_LAST_RETRY_SECONDS, 2 * max(pause, _FIRST_RETRY_SECONDS))
                self._waiting.extendleft(reversed(waiting))
            if end is not None:
                pause = max(0.0, min(pause, end.at - time.monotonic()))
                # A store that cannot be reached when all is over has ended before us.
                if (over or (last and done) or self._unreachable) and self._stop(end, done):
                    return

    def _stop(self, end: End, done: bool) -> bool:
        """Ends the thread's work after its last turn; False if it is to go on after all."""
        with self._life:  # or `start()` could be counting on a thread that is just ending
            if self._end is not end:
                return False
            self._well = done
            self._side.leave()
            self._thread = None
        self._ended.set()
        end.then()
        return True

    def _turn(self, *, urgent: bool, last: bool) -> bool:
        before = time.thread_time()
        self._unreachable = False
        try:
            return self._side.turn(urgent=urgent, last=last)
        except Exception as error:
            self._side.detach()
            self._unreachable = isinstance(error, UnreachableError)
            if self._side.matters():
                self._faults.note(
                    ("ranks", type(error)),
                    f"scalars cannot be exchanged with other ranks for now: {type(error).__name__}: {error}",
                )
            return False
        finally:
            self._side.traffic.cpu_seconds += time.thread_time() - before

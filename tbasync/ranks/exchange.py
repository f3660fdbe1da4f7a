"""The thread that talks to the job's store, so that no other thread ever waits for a network."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque

from ..pipeline.faults import Faults
from .side import Side

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0


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
        self._ends_at: float | None = None
        self._ended_well = True

    def start(self) -> None:
        """Starts the thread, if it does not run."""
        with self._life:
            if self._thread is not None and self._thread.is_alive() and self._ends_at is None:
                return
            self._ends_at = None
            self._thread = threading.Thread(target=self._run, name="tbasync-ranks", daemon=True)
            # At the interpreter's end no thread can be started: `finish()` then does the last turn itself.
            with contextlib.suppress(RuntimeError):
                self._thread.start()

    def sync(self, timeout: float) -> bool:
        """Waits until a turn that began after this call has handed everything over; False if it takes longer.

        Args:
            timeout: seconds.
        """
        if self._thread is None or not self._thread.is_alive():
            return self._turn(urgent=True, last=False)
        done = threading.Event()
        self._waiting.append(done)
        self._ring()
        return done.wait(timeout)

    def finish(self, timeout: float) -> bool:
        """Has the last turn done and the thread end; False if not everything was handed over in time.

        Args:
            timeout: seconds for how long to try.
        """
        self.finish_soon(timeout)
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join(timeout)
            return not thread.is_alive() and self._ended_well
        return self._turn(urgent=True, last=True)

    def finish_soon(self, timeout: float) -> None:
        """The same without waiting for it."""
        self._ends_at = time.monotonic() + timeout
        self._ring()

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
            ends_at = self._ends_at
            done = self._turn(urgent=bool(waiting), last=ends_at is not None)
            if done:
                pause = self._interval
                for event in waiting:
                    event.set()
            else:
                pause = min(_LAST_RETRY_SECONDS, 2 * max(pause, _FIRST_RETRY_SECONDS))
                self._waiting.extendleft(reversed(waiting))
            if ends_at is not None and (done or time.monotonic() >= ends_at):
                self._ended_well = done
                self._side.leave()
                return

    def _turn(self, *, urgent: bool, last: bool) -> bool:
        try:
            return self._side.turn(urgent=urgent, last=last)
        except Exception as error:
            self._side.detach()
            self._faults.note(
                ("ranks", type(error)),
                f"scalars cannot be exchanged with other ranks for now: {type(error).__name__}: {error}",
            )
            return False
        finally:
            self._side.traffic.cpu_seconds = time.thread_time()

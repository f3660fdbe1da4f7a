"""The writer thread as such: that there is one at most, that it is started when needed, and its bell.

Whoever holds the **claim** is the worker: nobody else touches the files, the output, the queue's `limit`. The
claim is a plain lock that is only ever tried, never waited for, so taking it is one C call: of two threads,
or of a thread and a signal handler that interrupts it, exactly one gets it.

How a worker ends, and why no push is left behind:

    worker, in resign()                     pusher
    1. asks every push to ring              a. append(item)
    2. releases the claim                   b. ring(): tries the claim; if it is taken, rings the bell
    3. anything in the queue? then tries
       to take the claim again

A pusher that does not ring did (a) before (1), so (3) finds the item. One that rings and finds the claim
taken did (a) before (2): (3) finds it too. One that gets the claim starts the next worker itself. At (3)
another may have taken the claim: then it is the next worker, which looks at the queue first of all.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from . import process
from .queue import PushQueue


class WriterThread:
    """At most one thread at a time that works for a queue."""

    def __init__(
        self,
        queue: PushQueue,
        begin: Callable[[], None],
        work: Callable[[], None],
        work_here: Callable[[], None],
    ) -> None:
        """Starts nothing yet.

        Args:
            queue: whose worker it is.
            begin: called before a worker starts, by whoever starts it.
            work: run by each new thread, until it has resigned.
            work_here: run instead by the caller of `ring()` when no thread can be started; resigns too.
        """
        self._queue = queue
        self._begin = begin
        self._work = work
        self._work_here = work_here
        self._claim = threading.Lock()
        self._worker: int | None = None
        # A lock as a bell: rung twice before it is heard, it is heard once. Releasing a lock is one C call,
        # so a signal handler may ring while its own thread is ringing; an Event's lock would hang it.
        self._bell = threading.Lock()
        self._bell.acquire()

    @property
    def busy(self) -> bool:
        """Whether there is a worker."""
        return self._claim.locked()

    def is_me(self) -> bool:
        """Whether the calling thread is the worker."""
        return self._worker == threading.get_ident()

    def ring(self) -> None:
        """Wakes the worker; starts one if there is none. Raises nothing but what a signal handler raises."""
        if self._claim.locked() or not self._may_start() or not self._claim.acquire(blocking=False):
            if self._bell.locked():
                with contextlib.suppress(RuntimeError):  # another thread was faster
                    self._bell.release()
            return
        self._start()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleeps until the bell rings, or for `timeout` seconds; returns whether it rang."""
        return self._bell.acquire(timeout=-1 if timeout is None else timeout)

    def take(self) -> bool:
        """Makes the calling thread the worker, if there is none."""
        if not self._claim.acquire(blocking=False):
            return False
        self._worker = threading.get_ident()
        return True

    def resign(self) -> bool:
        """Ends being the worker; False when something has been pushed meanwhile: then the caller still is."""
        self.leave()
        return self._queue.empty() or not self.take()

    def leave(self) -> None:
        """Ends being the worker in any case; the next push, or barrier, starts another."""
        self._queue.call_in()
        self._worker = None
        self._claim.release()

    @staticmethod
    def _may_start() -> bool:
        # After the program's end the main thread alone drains, what exit handlers log: another thread may be
        # stopped at any moment, and would take the claim with it.
        return not process.exiting() or threading.get_ident() == threading.main_thread().ident

    def _start(self) -> None:
        permit = threading.Lock()
        try:
            # In this order: the exit handler says that it has begun before it looks whom to close.
            self._begin()
            if process.exiting():
                self._run(permit, self._work_here)
                return
            arguments = (permit, self._work)
            threading.Thread(target=self._run, args=arguments, name="tbasync-writer", daemon=True).start()
        except BaseException as error:
            # "can't start new thread", for want of resources or at interpreter shutdown
            if isinstance(error, RuntimeError) and not isinstance(error, RecursionError):
                self._run(permit, self._work_here)
                return
            # A signal handler has raised in the midst of it, or the caller is nested too deeply. Whoever gets
            # the permit decides: either the thread has begun and is the worker, or it will find that it may not.
            if permit.acquire(blocking=False):
                self._claim.release()
            raise

    def _run(self, permit: threading.Lock, work: Callable[[], None]) -> None:
        if not permit.acquire(blocking=False):
            return
        self._worker = threading.get_ident()
        try:
            work()
        finally:
            if self.is_me():  # it was not able to resign
                self.leave()

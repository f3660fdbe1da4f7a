"""Signals that end the script where it stands, which Python does not get to see: made to say something first."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

from ..pipeline.held_signals import hold_during_forks

# Those that are sent to end a process, and whose default action does so.
ENDING = tuple(
    getattr(signal, name)
    for name in ("SIGALRM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
)

# Whoever ends a process by a signal may lose patience: Docker after 10 seconds, SLURM after 30.
SECONDS_TO_DIE = 8.0


def before_dying(last_act: Callable[[], None]) -> None:
    """Has the default action of these signals call `last_act` first, on the main thread; then the process dies of it.

    The script finds the default action as ever: `signal.signal` and `signal.getsignal` give SIG_DFL for it, and
    take SIG_DFL for it. A forked child has the default action itself.
    """
    _DefaultAction(last_act).attach()


def give_time(act: Callable[[], None]) -> None:
    """Has another thread call `act`, and waits for that, but for `SECONDS_TO_DIE` at most.

    For the main thread has been stopped wherever it was, perhaps with a lock in its hands that `act` needs. Hence no
    `threading.Thread`, either: starting one takes such a lock.
    """
    done = _thread.allocate_lock()
    done.acquire()

    def work() -> None:
        try:
            with contextlib.suppress(Exception):
                act()
        finally:
            done.release()

    _thread.start_new_thread(work, ())
    done.acquire(timeout=SECONDS_TO_DIE)


class _DefaultAction:
    """Stands in for SIG_DFL."""

    def __init__(self, last_act: Callable[[], None]) -> None:
        self._last_act = last_act
        self._set, self._get = signal.signal, signal.getsignal
        self._attached = True
        self._ending = False

    def attach(self) -> None:
        for number in ENDING:
            if self._get(number) == signal.SIG_DFL:  # what is ignored, say under nohup, stays so
                self._set(number, self._die)
        signal.signal, signal.getsignal = self._signal, self._getsignal
        hold_during_forks(ENDING, self._detach)

    def _detach(self) -> None:
        """The end of a forked child is none of our business."""
        self._attached = False  # for those who have imported our functions
        signal.signal, signal.getsignal = self._set, self._get
        for number in ENDING:
            if self._get(number) == self._die:
                self._set(number, signal.SIG_DFL)

    def _signal(self, signalnum: Any, handler: Any) -> Any:
        ours = self._attached and handler == signal.SIG_DFL and signalnum in ENDING
        return self._as_seen(self._set(signalnum, self._die if ours else handler))

    def _getsignal(self, signalnum: Any) -> Any:
        return self._as_seen(self._get(signalnum))

    def _as_seen(self, handler: Any) -> Any:
        return signal.SIG_DFL if handler == self._die else handler

    def _die(self, number: int, _: Any) -> None:
        if self._ending:
            return  # one sends a signal to the process and to its group, which is not meant as two
        self._ending = True
        with contextlib.suppress(BaseException):
            self._last_act()
        self._set(number, signal.SIG_DFL)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))  # about to fork
        os.kill(os.getpid(), number)

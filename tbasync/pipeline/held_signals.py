"""Signals to a process that has just been forked: held back until it can handle them.

CPython forgets, in the child, what signals have come since the fork, before it calls any hook: with a handler
of Python's, one that is sent to a child in its first instants, as by `Process.start()` and `terminate()`, would be
lost, and whoever waits for the child's end wait for ever. Blocked, they are kept by the operating system.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable


def hold_during_forks(numbers: Iterable[int], in_child: Callable[[], None] = lambda: None) -> None:
    """From now on, signals that come during a fork come after it.

    Args:
        numbers: the signals.
        in_child: called in the child before they can come.
    """
    if not hasattr(os, "register_at_fork"):
        return
    held = frozenset(numbers)
    forking = threading.local()  # each thread has a mask of its own, and forks on its own

    def hold() -> None:
        forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, held)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, forking.mask)

    def release_in_child() -> None:
        in_child()
        release()

    # Hooks before a fork are called in reverse order, so that masks of several of these nest.
    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=release_in_child)

"""A sum that any thread, and any signal handler, may add to without waiting."""

from __future__ import annotations

import threading
from collections import deque


class Tally:
    """An exact sum without a lock that anyone waits for.

    `total += n` on a shared attribute loses additions: two threads, or a thread and a signal handler that
    interrupts it, read the same old total. Here an addition is one `deque.append`, which is atomic; whoever
    gets the lock without waiting folds the additions into the total, and who does not get it leaves its own
    to the holder or to the next one.
    """

    def __init__(self) -> None:
        self._additions: deque[int] = deque()
        self._folded = 0
        self._lock = threading.Lock()

    def add(self, amount: int) -> None:
        """Adds `amount`, which may be negative."""
        self._additions.append(amount)
        self._fold()

    @property
    def total(self) -> int:
        """The sum; additions that are under way in other threads this instant may not be in it yet."""
        self._fold()
        return self._folded

    def _fold(self) -> None:
        if not self._lock.acquire(blocking=False):
            return
        try:
            while self._additions:
                # Popped only by the holder of the lock, so the deque is not empty here.
                self._folded += self._additions.popleft()
        finally:
            self._lock.release()

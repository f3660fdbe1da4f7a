"""A sum that any thread, and any signal handler, may add to."""

from __future__ import annotations

import threading


class Tally:
    """An exact sum.

    `total += n` on a shared attribute loses additions: two threads read the same old total. A lock keeps them
    apart, held for the time of one addition and never while anything else happens. It is an RLock because a
    signal handler or a destructor that interrupts an addition may add as well: CPython runs either only at a
    call or at a jump backwards, and there is none between the reading and the writing of `total`.
    """

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.RLock()

    def add(self, amount: int) -> None:
        """Adds `amount`, which may be negative; `total` has it when this returns."""
        with self._lock:
            self.total += amount

"""The work that every writer is given, and the clocks that several questions read."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .peers import PEERS

CHUNK = 1_000  # calls between two looks at the clock: seldom enough to cost nothing


def tags(count: int) -> list[str]:
    """Names as a training loop has them."""
    return [f"train/metric_{number}" for number in range(count)]


def log_scalars(writer: Any, names: Sequence[str], events: int, limit: float) -> int:
    """Logs one value for each name a step, flat out, and returns how many.

    Ends after `events` (down to a whole number of steps), or at the first look at the clock after `limit`
    seconds: a slow writer's cost of an event does not need as many events to be known.
    """
    add = writer.add_scalar
    steps, chunk = events // len(names), max(1, CHUNK // len(names))
    end = time.perf_counter() + limit
    for first in range(0, steps, chunk):
        for step in range(first, min(first + chunk, steps)):
            for name in names:
                add(name, 0.5, step)
        if time.perf_counter() > end:
            return min(first + chunk, steps) * len(names)
    return steps * len(names)


def barrier(peer: str, writer: Any) -> None:
    """Returns when all that was logged is in the file; the writer may be closed then."""
    getattr(writer, PEERS[peer].barrier)()


def cpu_seconds() -> float:
    """CPU time of this process, all threads, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Memory:
    """How far the process's resident memory rises above what it is now."""

    def __init__(self) -> None:
        self._start = self._peak()
        try:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak of the imports
            self._start = self._peak()
        except OSError:
            pass

    def growth(self) -> float:
        """MiB between then and the highest since."""
        return (self._peak() - self._start) / 2**20

    @staticmethod
    def _peak() -> int:
        """Bytes; the kernel's own mark where there is one, as getrusage's cannot be reset."""
        try:
            status = Path("/proc/self/status").read_text()
            return int(status.partition("VmHWM:")[2].split()[0]) << 10
        except (OSError, IndexError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak << 10

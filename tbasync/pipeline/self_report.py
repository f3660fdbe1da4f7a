"""What a writer with `self_report=True` logs about itself, into its own run.

The report is made by the writer thread, when it is awake anyway: after a piece of work, if the last report is old
enough, and before it passes the last barrier. Nothing is woken for it, and nothing is said twice: without any work
since the last report there is none.
"""

from __future__ import annotations

import operator
import time
from typing import NamedTuple, Protocol

from .queue import PushQueue
from .tally import Tally

# Seconds between two reports, at least.
PERIOD = 5.0


class Counters(Protocol):
    """What the worker counts."""

    taken: int
    failed: int
    lost: int
    cpu_seconds: float


class _Totals(NamedTuple):
    """Where the counters stood at the last report."""

    calls: int
    nanoseconds: int  # in calls
    summaries: int
    cpu_seconds: float


class SelfReport:
    """Gathers what a report needs, and says when one is due."""

    def __init__(self, queue: PushQueue) -> None:
        self._queue = queue
        self._calls = Tally()
        self._nanoseconds = Tally()
        self._began = self._last = time.monotonic()
        self._step = -1
        self._longest = 0
        self._before = _Totals(0, 0, 0, 0.0)

    def note_call(self, nanoseconds: int, calls: int) -> None:
        """Takes the cost of a call that stands for so many; any thread may call this."""
        self._calls.add(calls)
        self._nanoseconds.add(nanoseconds * calls)

    def look(self) -> None:
        """Notes how long the queue has grown; called by the worker before it takes from it."""
        self._longest = max(self._longest, len(self._queue.items))

    def due(self, worker: Counters, *, closing: bool = False) -> bool:
        """Whether the worker should log a report now: it is time, or the end, and there is something to tell."""
        return (closing or time.monotonic() - self._last >= PERIOD) and worker.taken > self._before.summaries

    def take(self, worker: Counters) -> tuple[int, dict[str, float]]:
        """The report's step, whole seconds since the writer was made, and its scalars by tag.

        `call_*` are means over the time since the last report, as are rates and shares; `queue_length` is the
        most since then; `dropped`, `failed` and `blocked_seconds` are totals. Shares are percent of one core.
        """
        now = time.monotonic()
        seconds = max(now - self._last, 1e-9)
        totals = _Totals(self._calls.total, self._nanoseconds.total, worker.taken, worker.cpu_seconds)
        calls, nanoseconds, summaries, cpu_seconds = map(operator.sub, totals, self._before)
        values = {
            "tbasync/call_microseconds": nanoseconds / calls / 1e3 if calls else 0.0,
            "tbasync/calls_percent": nanoseconds / 1e7 / seconds,
            "tbasync/writer_cpu_percent": 100 * cpu_seconds / seconds,
            "tbasync/summaries_per_second": summaries / seconds,
            "tbasync/queue_length": float(self._longest),
            "tbasync/dropped": float(worker.lost + self._queue.dropped.total),
            "tbasync/failed": float(worker.failed),
            "tbasync/blocked_seconds": self._queue.blocked_nanoseconds.total / 1e9,
        }
        # A step of its own for each report, should two fall into one second.
        self._step = max(self._step + 1, int(now - self._began))
        self._last, self._before, self._longest = now, totals, 0
        return self._step, values

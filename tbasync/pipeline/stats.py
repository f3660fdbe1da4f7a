"""What a writer has done so far, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .stats_table import as_html, as_text


@dataclass(frozen=True)
class Reductions:
    """What a writer with `reduce=` has gathered from the ranks of its job, or sent to the one that writes.

    A group is what the ranks reported under one tag and step.

    Attributes:
        groups: number of ranks -> groups that were last written with the values of so many.
        rewritten: groups that were written again because ranks reported later.
        waiting: groups that hold values not written yet.
        living: ranks that may still report, this one included.
        unmet: ranks of which nothing has been heard yet.
        unread: contributions that could not be read.
        blocks_sent: blocks handed to the job's store.
        bytes_sent: bytes of them.
        blocks_received: blocks read from the job's store.
        bytes_received: bytes of them.
        exchange_cpu_seconds: CPU time of the thread that talks to the job's store.
    """

    groups: Mapping[int, int] = field(default_factory=dict)
    rewritten: int = 0
    waiting: int = 0
    living: int = 1
    unmet: tuple[int, ...] = ()
    unread: int = 0
    blocks_sent: int = 0
    bytes_sent: int = 0
    blocks_received: int = 0
    bytes_received: int = 0
    exchange_cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Stats:
    """A snapshot of a writer's counters; `pushed = written + dropped + failed + waiting`.

    Summaries are counted one for each value: `log_metrics` of 20 metrics counts 20. The counters of a forked
    child start at zero. `print(writer.stats())` prints a small table.

    Attributes:
        pushed: summaries pushed.
        written: summaries handed to the operating system.
        dropped: summaries lost because the queue was full, or because they could not be written at the end.
        failed: summaries that could not be encoded.
        waiting: summaries pushed and not yet written.
        queue_length: pushes that wait in the queue.
        queue_bytes: bytes that they hold, scalars counted at their cost in memory.
        queue_length_peak: the longest queue that the writer thread has met, or the one now if it is longer.
        queue_bytes_peak: the largest.
        device_bytes: bytes that values which wait hold on devices.
        device_bytes_peak: the most that they have held.
        blocked_seconds: how long pushes have waited for room, summed over threads.
        worker_cpu_seconds: CPU time of the writer thread.
        bytes_written: bytes handed to the operating system.
        nonfinite: NaN and infinite elements left out of histograms.
        write_errors: writes that failed, each retry counted; uploads to a remote store included.
        unsent: summaries among the written ones that wait, in files, for a remote store to take them.
        last_error: the latest failure as text, or None.
        reductions: with `reduce=`, what passed between the ranks; else None. On a rank that only sends,
            `written` counts what has been handed on.
    """

    pushed: int = 0
    written: int = 0
    dropped: int = 0
    failed: int = 0
    waiting: int = 0
    queue_length: int = 0
    queue_bytes: int = 0
    queue_length_peak: int = 0
    queue_bytes_peak: int = 0
    device_bytes: int = 0
    device_bytes_peak: int = 0
    blocked_seconds: float = 0.0
    worker_cpu_seconds: float = 0.0
    bytes_written: int = 0
    nonfinite: int = 0
    write_errors: int = 0
    unsent: int = 0
    last_error: str | None = None
    reductions: Reductions | None = None

    def __str__(self) -> str:
        """A small table for people."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """The same in a notebook."""
        return as_html(self)

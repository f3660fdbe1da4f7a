"""What a writer has done so far, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stats:
    """A snapshot of a writer's counters; `pushed = written + dropped + failed + waiting`.

    Summaries are counted one for each value: `log_metrics` of 20 metrics counts 20. The counters of a forked
    child start at zero.

    Attributes:
        pushed: summaries pushed.
        written: summaries handed to the operating system.
        dropped: summaries lost because the queue was full, or because they could not be written at the end.
        failed: summaries that could not be encoded.
        waiting: summaries pushed and not yet written.
        queue_length: pushes that wait in the queue.
        queue_bytes: bytes that they hold, scalars counted at their cost in memory.
        queue_length_peak: the longest queue that the writer thread has met.
        queue_bytes_peak: the largest.
        device_bytes: bytes that values which wait hold on devices.
        device_bytes_peak: the most that they have held.
        blocked_seconds: how long pushes have waited for room, summed over threads.
        worker_cpu_seconds: CPU time of the writer thread.
        bytes_written: bytes handed to the operating system.
        nonfinite: NaN and infinite elements left out of histograms.
        write_errors: writes that failed, each retry counted.
        last_error: the latest failure as text, or None.
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
    last_error: str | None = None

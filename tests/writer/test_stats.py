"""`stats()`: every number adds up, at rest exactly, under way without nonsense."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from tbasync import LoggingError, Stats, SummaryWriter
from tbasync.pipeline.stats import Reductions

from ..support.held import Gate, on_worker
from ..support.plain_reader import event_files, scalars


def test_at_rest_it_adds_up(tmp_path: Path) -> None:
    """pushed = written + failed, bytes are those of the files, and metrics count one for each value."""
    writer = SummaryWriter(tmp_path)
    for step in range(100):
        writer.add_scalar("t", 1.0, step)
    writer.log_metrics({"a": 1, "b": 2.0, "c": 3}, 1)
    writer.add_text("text", "text", 1)
    writer.add_histogram("h", np.array([1.0, np.nan, np.inf]), 1)
    on_worker(writer, lambda: 1 / 0)
    with pytest.raises(LoggingError):
        writer.flush()
    stats = writer.stats()
    assert (stats.pushed, stats.written, stats.failed) == (106, 105, 1)
    assert (stats.dropped, stats.waiting, stats.queue_length, stats.queue_bytes) == (0, 0, 0, 0)
    assert stats.nonfinite == 2
    assert stats.last_error == "ZeroDivisionError: division by zero"
    assert stats.bytes_written == sum(path.stat().st_size for path in event_files(tmp_path))
    assert 0 < stats.worker_cpu_seconds < 60
    assert stats.blocked_seconds == 0
    writer.close()


def test_it_is_frozen(tmp_path: Path) -> None:
    """A snapshot, not a view."""
    with SummaryWriter(tmp_path) as writer:
        stats = writer.stats()
        writer.add_scalar("t", 1.0, 1)
        assert stats == Stats(bytes_written=stats.bytes_written)
        with pytest.raises(dataclasses.FrozenInstanceError):
            stats.pushed = 1  # type: ignore[misc]


def test_what_waits_is_counted(tmp_path: Path) -> None:
    """Items, the summaries in them and their bytes, while the thread is held."""
    writer = SummaryWriter(tmp_path)
    with Gate(writer):
        writer.add_histogram("h", np.zeros(1000), 1)
        writer.log_metrics({str(k): 1.0 for k in range(20)}, 1)
        writer.add_scalar("t", 1.0, 1)
        stats = writer.stats()
        assert stats.queue_length == 3
        assert stats.queue_length_peak == 3
        assert stats.waiting == 23
        assert 8000 + 20 * 32 <= stats.queue_bytes <= 8000 + 20 * 200 + 3000
    writer.close()
    stats = writer.stats()
    assert stats.queue_bytes == 0
    assert stats.queue_bytes_peak >= 8000


def test_cpu_seconds_are_those_of_all_threads_that_wrote(tmp_path: Path) -> None:
    """Closing and starting anew does not set them back."""
    writer = SummaryWriter(tmp_path)
    seen = []
    for _ in range(5):
        for step in range(2000):
            writer.add_scalar("t", 1.0, step)
        writer.close()
        seen.append(writer.stats().worker_cpu_seconds)
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1]


def test_under_way_nothing_is_negative(tmp_path: Path) -> None:
    """Asked all the time while threads push, flush and close; each answer adds up by itself."""
    writer = SummaryWriter(tmp_path, interval=0, on_full="drop_oldest", max_items=500)
    wrong: list[Stats] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            stats = writer.stats()
            if (
                stats.waiting < 0
                or stats.pushed != stats.written + stats.dropped + stats.failed + stats.waiting
            ):
                wrong.append(stats)

    def log(k: int) -> None:
        for step in range(5000):
            writer.add_scalar(f"thread {k}", 1.0, step)
            if step % 1000 == 0:
                writer.close()

    asking = threading.Thread(target=ask)
    threads = [threading.Thread(target=log, args=(k,)) for k in range(3)]
    for thread in (asking, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    asking.join()
    writer.close()
    assert not wrong
    stats = writer.stats()
    assert stats.pushed == 15_000
    assert stats.written + stats.dropped == 15_000
    assert sum(map(len, scalars(tmp_path).values())) == stats.written


def test_it_prints_as_a_table(tmp_path: Path) -> None:
    """Aligned, with units; what is zero and means nothing then is left out."""
    with SummaryWriter(tmp_path) as writer:
        writer.log_metrics(dict.fromkeys("abc", 1.0), 1)
        writer.flush()
        lines = str(writer.stats()).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("pushed", "written", "waiting", "dropped", "failed"),
        *("queue", "longest", "calls", "writer"),
    ]
    assert lines[0].split() == ["pushed", "3", "summaries"]
    ends = {len(line) - len(line[line.index("3") :]) for line in lines[:2]}
    assert len(ends) == 1, "the numbers stand below each other"
    assert all(line == line.rstrip() for line in lines)


def test_a_table_of_everything() -> None:
    """Sizes and times in fitting units, errors, and what the ranks of a job exchanged."""
    reductions = Reductions(groups={4: 90, 3: 10}, waiting=2, living=3, unmet=tuple(range(10)), unread=1)
    stats = Stats(
        pushed=2_500_000,
        written=2_000_000,
        bytes_written=3 << 30,
        blocked_seconds=0.25,
        worker_cpu_seconds=72.5,
        device_bytes=1536,
        device_bytes_peak=5 << 20,
        nonfinite=7,
        write_errors=1,
        last_error="OSError: <full>",
        reductions=reductions,
    )
    rows = {line[:14].strip(): line[14:].split() for line in str(stats).splitlines()}
    assert rows["written"] == ["2,000,000", "3.0", "GiB"]
    assert rows["calls blocked"][:2] == ["250.0", "ms"]
    assert rows["writer thread"] == ["72.5", "s", "of", "CPU,", "36.2", "µs", "each"]
    assert rows["held"] == ["1.5", "KiB", "on", "devices,", "5.0", "MiB", "at", "most"]
    assert rows["reduced"] == ["100", "groups:", "90", "of", "4", "ranks,", "10", "of", "3", "ranks"]
    assert rows["never heard of"][-1] == "…"
    assert rows["last error"] == ["OSError:", "<full>"]
    assert "OSError: &lt;full&gt;" in stats._repr_html_()
    assert stats._repr_html_().count("<tr>") == len(rows)

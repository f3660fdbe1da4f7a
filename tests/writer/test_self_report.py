"""`self_report=True`: the run holds what logging to it costs; without it nothing is different."""

from __future__ import annotations

import copy
import pickle
import time
from pathlib import Path

import pytest

import tbasync
from tbasync import SummaryWriter
from tbasync.pipeline import self_report

from ..support.held import Gate
from ..support.plain_reader import events, scalars

TAGS = {
    "tbasync/blocked_seconds",
    "tbasync/call_microseconds",
    "tbasync/calls_percent",
    "tbasync/dropped",
    "tbasync/failed",
    "tbasync/queue_length",
    "tbasync/summaries_per_second",
    "tbasync/writer_cpu_percent",
}


def reported(log_dir: Path) -> dict[str, list[float]]:
    """Tag without `tbasync/` -> its values."""
    found = {tag: points for tag, points in scalars(log_dir).items() if tag in TAGS}
    return {tag.partition("/")[2]: [value for _, value in points] for tag, points in found.items()}


def test_a_short_run_is_reported_on_when_it_is_closed(tmp_path: Path) -> None:
    """One point for each figure, at a step of its own, behind all that was logged; it counts as nothing pushed."""
    with SummaryWriter(tmp_path, self_report=True) as writer:
        for step in range(1000):
            writer.add_scalar("loss", 1.0, step)
        writer.add_text("text", "text", 1)
    stats = writer.stats()
    assert (stats.pushed, stats.written, stats.waiting) == (1001, 1001, 0)
    logged = [value.tag for event in events(tmp_path) for value in event.summary.value]
    assert set(logged[-len(TAGS) :]) == TAGS
    assert len(logged) == 1001 + len(TAGS)
    found = reported(tmp_path)
    assert 0 < found["call_microseconds"][0] < 1e5
    assert 0 < found["calls_percent"][0] <= 100
    assert found["summaries_per_second"][0] > 0
    assert (found["dropped"], found["failed"], found["blocked_seconds"]) == ([0], [0], [0])
    assert 1 <= found["queue_length"][0] <= 1002


def test_it_is_reported_again_and_again_while_something_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in a period at most, by growing steps, in the file before any barrier; and not while nothing is logged."""
    monkeypatch.setattr(self_report, "PERIOD", 0.0)
    writer = SummaryWriter(tmp_path, self_report=True)
    for step in range(3):
        writer.add_scalar("loss", 1.0, step)
        assert writer.flush(60)
    assert writer.flush(60)
    assert len(scalars(tmp_path)["tbasync/dropped"]) >= 2  # the last one may come behind the barrier
    writer.close()
    points = scalars(tmp_path)["tbasync/dropped"]
    assert len(points) == 3
    assert [step for step, _ in points] == sorted({step for step, _ in points})


def test_nobody_is_woken_for_a_report(tmp_path: Path) -> None:
    """Before the period is over, and without work after it, the thread says nothing until the end."""
    writer = SummaryWriter(tmp_path, self_report=True)
    writer.add_scalar("loss", 1.0, 1)
    assert writer.flush(60)
    beats = writer._pipeline._worker.beats
    time.sleep(0.05)
    assert writer._pipeline._worker.beats == beats
    assert not reported(tmp_path)
    writer.close()
    assert reported(tmp_path)["dropped"] == [0]


def test_the_longest_queue_and_what_was_dropped(tmp_path: Path) -> None:
    """Both are seen, and the queue's length is that since the last report."""
    writer = SummaryWriter(tmp_path, self_report=True, on_full="drop_newest", max_items=50)
    with Gate(writer):
        for step in range(80):
            writer.add_scalar("loss", 1.0, step)
    writer.close()
    dropped = writer.stats().dropped
    assert dropped >= 30
    assert reported(tmp_path)["dropped"] == [dropped]
    writer.add_scalar("loss", 1.0, 100)
    writer.close()
    assert reported(tmp_path)["queue_length"][-1] <= 2


def test_slow_calls_are_seen(tmp_path: Path) -> None:
    """The mean is over all calls: one that takes 50 ms among 16 quick ones makes it 50/17 ms at least."""

    class Slow:
        def __array__(self, dtype: object = None, copy: object = None) -> object:
            time.sleep(0.05)
            import numpy as np

            return np.ones(3)

    writer = SummaryWriter(tmp_path, self_report=True)
    writer.add_histogram("h", Slow(), 1)
    for step in range(16):
        writer.add_scalar("loss", 1.0, step)
    writer.close()
    assert reported(tmp_path)["call_microseconds"][0] >= 50_000 / 17


def test_a_fault_is_counted_and_the_method_still_raises(tmp_path: Path) -> None:
    """Errors of arguments come out of a timed call as they are."""
    with (
        SummaryWriter(tmp_path, self_report=True) as writer,
        pytest.raises(TypeError, match="tag must be a str"),
    ):
        writer.add_histogram(1, [1.0], 1)  # type: ignore[arg-type]


def test_the_class_is_one_of_the_writers(tmp_path: Path) -> None:
    """It is the writer's in name, and an instance of it; a subclass's own methods are called, and once."""
    calls = []

    class Mine(SummaryWriter):
        def add_scalar(self, *arguments: object, **options: object) -> None:  # type: ignore[override]
            calls.append(arguments)
            super().add_scalar(*arguments, **options)  # type: ignore[arg-type]

    with Mine(tmp_path, self_report=True) as writer:
        writer.add_scalar("loss", 1.0, 1)
        assert isinstance(writer, Mine)
        assert repr(type(writer)) == repr(Mine)
    assert calls == [("loss", 1.0, 1)]


@pytest.mark.parametrize("remake", [copy.copy, lambda writer: pickle.loads(pickle.dumps(writer))])
def test_copies_report_too(remake: object, tmp_path: Path) -> None:
    """A copy, or what a spawned process gets, has a file and a report of its own."""
    writer = SummaryWriter(tmp_path, self_report=True)
    other = remake(writer)  # type: ignore[operator]
    other.add_scalar("loss", 1.0, 1)
    other.close()
    writer.add_scalar("loss", 2.0, 2)
    writer.close()
    assert reported(tmp_path)["failed"] == [0, 0]


def test_a_wrapped_writer_reports(tmp_path: Path) -> None:
    """torch's writer, wrapped with the option; pickled, its stand-in is one again."""
    torch = pytest.importorskip("torch.utils.tensorboard")
    with tbasync.wrap(torch.SummaryWriter(tmp_path), self_report=True) as writer:
        writer.add_scalar("loss", 1.0, 1)
        assert isinstance(pickle.loads(pickle.dumps(writer)), torch.SummaryWriter)
    assert reported(tmp_path)["failed"] == [0]


def test_without_it_nothing_is_different(tmp_path: Path) -> None:
    """The class, its methods and the run are what they were."""
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", 1.0, 1)
        assert type(writer) is SummaryWriter
    assert set(scalars(tmp_path)) == {"loss"}


def test_a_null_writer_has_nothing_to_report(tmp_path: Path) -> None:
    """Other ranks than the one that writes stay without file and thread."""
    with SummaryWriter(tmp_path / "run", ranks=0, rank=1, self_report=True) as writer:
        writer.add_scalar("loss", 1.0, 1)
    assert not (tmp_path / "run").exists()

"""The estimate: the sampled calls made again with tbasync, and nothing left of it afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync.profiling.estimate import estimate
from tbasync.profiling.sample import Sample


@pytest.fixture(autouse=True)
def in_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary directories are made in a directory that can be looked at."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def sample(*calls: tuple[str, tuple[Any, ...]]) -> Sample:
    """A sample of these calls, names with positional arguments."""
    taken = Sample()
    for name, arguments in calls:
        taken.offer(name, arguments, {})
    return taken


def test_calls_are_made_again(in_a_place_of_its_own: Path) -> None:
    """Every call that tbasync has is timed once, the writer's making and closing too; no file is left."""
    calls = [("add_scalar", ("loss", 0.5, step)) for step in range(100)]
    calls += [("add_histogram", ("h", np.zeros(100), 1)), ("flush", ()), ("close", ()), ("close", ())]
    tried = estimate(sample(*calls).calls)
    counts = {name: len(spans) for name, spans in tried.items()}
    assert counts == {"SummaryWriter()": 1, "add_scalar": 100, "add_histogram": 1, "flush": 1, "close": 1}
    assert all(nanoseconds >= 0 for spans in tried.values() for nanoseconds in spans)
    assert list(in_a_place_of_its_own.iterdir()) == []


def test_what_cannot_be_made_again_is_missing() -> None:
    """Methods that tbasync lacks and calls that raise have no estimate; the others do."""
    tried = estimate(
        sample(
            ("add_smell", ("rose",)),
            ("add_scalar", ("loss", "no number", 1)),
            ("add_text", ("tag", 3)),
            ("file_writer.add_summary", (object(),)),
            ("add_histogram", ("h", [1.0], 1)),
        ).calls
    )
    assert set(tried) == {"SummaryWriter()", "add_histogram", "close"}


def test_calls_of_the_file_writer() -> None:
    """Ready-made summaries go through the file writer, as they did."""
    summary_pb2 = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag="a", simple_value=1)])
    tried = estimate(sample(("file_writer.add_summary", (summary, 3))).calls)
    assert len(tried["file_writer.add_summary"]) == 1


def test_without_any_calls() -> None:
    """A script that has logged nothing gets an estimate of nothing."""
    assert set(estimate([])) == {"SummaryWriter()", "close"}

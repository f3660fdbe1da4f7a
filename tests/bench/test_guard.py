"""The guard fails on gross loss alone, and its baseline is about what it measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("benchmarks.guard.__main__", reason="the benchmarks are not beside the tests")

from benchmarks.guard.__main__ import BASELINE, gross, measure, report
from benchmarks.guard.works import Work, works


@pytest.mark.parametrize(
    ("ratio", "baseline", "expected"),
    [(1.9, 1.0, False), (2.0, 1.0, False), (2.1, 1.0, True), (0.5, 1.0, False), (99.0, None, False)],
)
def test_gross_loss(ratio: float, baseline: float | None, expected: bool) -> None:
    """More than twice the baseline; what has no baseline yet cannot be lost."""
    assert gross(ratio, baseline) is expected


def test_the_report_names_what_was_lost() -> None:
    """One line a work, and the whole is not well if one of them is grossly slower."""
    found = {"push": (250.0, 100.0), "image": (50.0, 10.0), "new": (1.0, 1.0)}
    lines, well = report(found, {"push": 2.5, "image": 2.0})
    assert not well
    assert [line.split()[0] for line in lines if line.endswith("GROSS LOSS")] == ["image"]
    assert report(found, {"push": 2.5, "image": 4.0})[1]


def test_the_baseline_has_every_work_and_no_other(tmp_path: Path) -> None:
    """A new work needs its baseline: run `python -m benchmarks.guard --update`."""
    with works(str(tmp_path)) as all_works:
        assert set(json.loads(BASELINE.read_text())) == set(all_works)


def test_the_shortest_time_counts() -> None:
    """Of the work and of its floor: what other programs disturbed most is left out."""
    ours, floor = iter([9.0, 5.0, *[7.0] * 9]), iter([3.0, 2.0, *[4.0] * 9])
    assert measure(Work(lambda: next(ours), lambda: next(floor), ""), seconds=0) == (5.0, 2.0)

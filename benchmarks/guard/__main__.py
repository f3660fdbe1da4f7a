"""Has anything become grossly slower than it was?

    python -m benchmarks.guard             measure, compare with baseline.json, print a report
    python -m benchmarks.guard --update    measure and write baseline.json

Each work and its floor take turns, many times and for milliseconds each; of both the shortest CPU time counts,
which is the one that other programs disturbed least. It ends with status 1 only if a ratio is more than twice
its baseline: neither a noisy machine nor another processor does that.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tbasync.bench.runner import machine

from .works import Work, works

BASELINE = Path(__file__).with_name("baseline.json")
GROSS = 2.0
_SECONDS = 1.5  # for each work
_LEAST = 7  # turns


def measure(work: Work, seconds: float = _SECONDS) -> tuple[float, float]:
    """The shortest CPU time of the work and of its floor, in nanoseconds."""
    ours, floor = [work.ours()], [work.floor()]
    end = time.perf_counter() + seconds
    while len(ours) < _LEAST or time.perf_counter() < end:
        ours.append(work.ours())
        floor.append(work.floor())
    return min(ours), min(floor)


def gross(ratio: float, baseline: float | None) -> bool:
    """Whether a ratio is beyond what can be put down to anything but the code."""
    return baseline is not None and ratio > GROSS * baseline


def report(found: Mapping[str, tuple[float, float]], baseline: Mapping[str, float]) -> tuple[list[str], bool]:
    """The report's lines, and whether nothing has become grossly slower."""
    lines, well = [f"{'':24}{'ns':>12}{'floor':>12}{'ratio':>9}{'was':>9}{'now/was':>9}"], True
    for name, (ours, floor) in found.items():
        ratio, was = ours / floor, baseline.get(name)
        slow = gross(ratio, was)
        well = well and not slow
        before = f"{'new':>9}{'':9}" if was is None else f"{was:9.2f}{ratio / was:9.2f}"
        lines.append(f"{name:24}{ours:12,.0f}{floor:12,.0f}{ratio:9.2f}{before}{'  GROSS LOSS' * slow}")
    return lines, well


def main() -> int:
    """Measures, prints, compares; the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="make what is measured the baseline")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tbasync-guard-") as directory, works(directory) as all_works:
        found = {name: measure(work) for name, work in all_works.items()}
        beside = [f"{name}: beside {work.beside}" for name, work in all_works.items()]
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    lines, well = report(found, baseline)
    print("\n".join([machine(), "", *lines, "", *beside]))
    if arguments.update:
        ratios = {name: round(ours / floor, 2) for name, (ours, floor) in found.items()}
        BASELINE.write_text(json.dumps(ratios, indent=2) + "\n")
        return 0
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

"""Does an event cost more the more there are, or the more tags they have? And does memory grow?

The measurement of `cpu.py`, at numbers of events from ten thousand to ten million, and of tags from one to ten
thousand. What is called flat is the CPU time of an event. Few events are logged over and over, with a flush after
each time, so that what a process pays but once (its first memory, the thread's end) is no more in them than in many.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from . import cpu, runner, verdict
from .table import number, values

EVENTS = (10_000, 100_000, 1_000_000, 10_000_000)
_LEAST = 500_000  # events in all
TAGS = (1, 10, 100, 1_000, 10_000)
_FIGURES = {
    "cpu/CPU": "CPU [µs]",
    "cpu/events": "events a second",
    "cpu/memory growth": "memory growth [MiB]",
}


def report(
    name: str, rounds: Mapping[int, Sequence[runner.Round]], peer: str, limit: float
) -> tuple[list[str], str]:
    """The table of one series, `name` being what varies; and the verdict on the CPU of an event, in words."""
    lines = [f"\n{name:>14}" + "".join(f"{title:>34}" for title in _FIGURES.values())]
    for amount, found in rounds.items():
        cells = []
        for key in _FIGURES:
            figure = verdict.Measured.of(values(found, peer, key))
            cells.append(f"{number(figure.median)} ({number(figure.low)} to {number(figure.high)})")
        lines.append(f"{amount:14,}" + "".join(f"{cell:>34}" for cell in cells))
    spreads = [
        _spread(found) for found in zip(*(values(r, peer, "cpu/CPU") for r in rounds.values()), strict=True)
    ]
    said = verdict.verdict([spread <= limit for spread in spreads])
    each = ", ".join(f"{spread:.2f}" for spread in spreads)
    return lines, f"dearest over cheapest, round by round: {each}; to reach: ≤ {limit}: {said}"


def _spread(figures: Sequence[float]) -> float:
    return max(figures) / min(figures)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures one peer and prints both series."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each amount (3)")
    parser.add_argument("--peer", default="tbasync", help="the writer (tbasync)")
    parser.add_argument("--most", type=int, default=EVENTS[-1], help=f"events at most ({EVENTS[-1]:,})")
    options = parser.parse_args(arguments)
    print(runner.machine())
    events = {
        count: {"events": count, "repeats": max(1, _LEAST // count)}
        for count in EVENTS
        if count <= options.most
    }
    tags = {count: {"events": min(1_000_000, options.most), "tags": count} for count in TAGS}
    for name, series, limit in (("events", events, 1.15), ("tags", tags, 2.0)):
        lines, said = report(name, _measure(options.peer, series, options.rounds), options.peer, limit)
        print("\n".join([*lines, said]))


def _measure(
    peer: str, series: Mapping[int, Mapping[str, Any]], rounds: int
) -> dict[int, list[runner.Round]]:
    """Interleaved as everywhere: every amount once, then again."""
    found: dict[int, list[runner.Round]] = {amount: [] for amount in series}
    for _ in range(rounds):
        for amount, given in series.items():
            found[amount] += runner.measure({peer: runner.work_for(peer, [cpu.UNIT], "alone", given)}, 1)
    return found

"""Rows of calls that make the same summaries, and their CPU time measured in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WRITERS = ("tbasync", "torch", "tensorboardX")

NOISY = 0.25
"""The spread, relative to the median, above which no ratio is printed: the middle half of the times."""

_TURN = 0.02  # seconds of CPU a turn, or one call


@dataclass(frozen=True)
class Row:
    """The same work done by each writer.

    Attributes:
        name: what is encoded.
        calls: for each of `WRITERS` (or some of them), a call that makes its summaries: bytes or messages.
    """

    name: str
    calls: Mapping[str, Callable[[], Sequence[Any]]]


@dataclass(frozen=True)
class Timed:
    """CPU seconds a call, of the calling thread: the median of the rounds, and the spread relative to it."""

    median: float
    spread: float


def measure(row: Row, finish: Mapping[str, Callable[[Any], object]], rounds: int) -> dict[str, Timed]:
    """Lets each writer make and `finish` the row's summaries: in turns, `rounds` times, in rotating order."""
    works = {name: _work(call, finish[name]) for name, call in row.calls.items()}
    repeats = {name: _repeats(work) for name, work in works.items()}
    times: dict[str, list[float]] = {name: [] for name in works}
    order = list(works)
    for _ in range(rounds):
        order.append(order.pop(0))
        for name in order:
            times[name].append(_cpu(works[name], repeats[name]))
    return {name: _timed(seconds) for name, seconds in times.items()}


def _work(call: Callable[[], Sequence[Any]], finish: Callable[[Any], object]) -> Callable[[], None]:
    def work() -> None:
        for summary in call():
            finish(summary)

    return work


def _repeats(work: Callable[[], None]) -> int:
    work()  # tables, caches and imports are not what is measured
    return max(1, int(_TURN / max(_cpu(work, 1), 1e-6)))


def _cpu(work: Callable[[], None], repeats: int) -> float:
    began = time.thread_time()
    for _ in range(repeats):
        work()
    return (time.thread_time() - began) / repeats


def _timed(seconds: Sequence[float]) -> Timed:
    quarter, median, three_quarters = statistics.quantiles(seconds, n=4)
    return Timed(median, (three_quarters - quarter) / median)


def header(title: str) -> str:
    """The table's head: `title`, a column a writer, and one for the ratio to each peer."""
    columns = [*WRITERS, *(f"to {peer}" for peer in WRITERS[1:])]
    return f"{title:<44}" + "".join(f"{column:>17}" for column in columns)


def line(name: str, timed: Mapping[str, Timed]) -> str:
    """A row of the table: microseconds a call, and the fraction of each peer's that tbasync takes."""
    cells = [f"{timed[writer].median * 1e6:,.1f} µs" if writer in timed else "" for writer in WRITERS]
    cells += [_ratio(timed["tbasync"], timed[peer]) if peer in timed else "" for peer in WRITERS[1:]]
    return f"{name:<44}" + "".join(f"{cell:>17}" for cell in cells)


def _ratio(ours: Timed, theirs: Timed) -> str:
    if max(ours.spread, theirs.spread) > NOISY:
        return "noisy"
    return f"1/{theirs.median / ours.median:.1f}"

"""The reduction itself, on the writing rank's writer thread: values come in, points go out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..pipeline.items import Summary
from ..pipeline.stats import Reductions
from ..pipeline.worker import Columns, Worker
from .block import HISTOGRAMS, Block, Section, Table
from .groups import Groups
from .reports import (
    PLAIN,
    Overrides,
    Style,
    accumulator,
    apart,
    encode_merged,
    encode_styled,
    is_histogram,
    run_directory,
    run_name,
    single,
    styled_scalar,
    write_apart,
)
from .roster import Roster
from .rows import Bools, Floats, Ready
from .series import KnownSeries
from .team import Reduction, Team

_FUNCTIONS: Mapping[Reduction, Callable[..., Any]] = {
    "mean": np.mean,
    "sum": np.sum,
    "min": np.min,
    "max": np.max,
}
# A job that makes up tags without end must not grow the tables without end.
_MOST_SERIES = 32_768
# What the accumulators of waiting groups may take; their groups' cells are bounded apart from them.
_MOST_HISTOGRAM_BYTES = 256 << 20
# Wall times of ranks whose clock is further off than this are set by the writing rank's clock.
_CLOCKS_AGREE_SECONDS = 60.0
# Work and rest of the writer thread by turns: see `pipeline/worker.py`.
_WORK_SECONDS = 300e-6
_REST_SECONDS = 50e-6
# How long a rank must have been silent before `close()` believes that it has nothing more to say: so many
# intervals of the exchange, as its word may have to wait for one on each of three threads, but not less than this.
_QUIET_INTERVALS = 3
_QUIET_SECONDS = 1.0


def reduce_rows(name: Reduction, values: Floats, present: Bools) -> Floats:
    """Each row's reduction over its present values, bit for bit what numpy's function makes of them in order.

    Args:
        name: the reduction.
        values: float64 (rows, ranks).
        present: bool (rows, ranks), at least one in each row.

    Returns:
        float64 (rows,). NaN and infinities do as in numpy.
    """
    function = _FUNCTIONS[name]
    if present.all():
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(function(values, axis=1))
    reduced = np.empty(len(values))
    patterns, which = np.unique(np.packbits(present, axis=1), axis=0, return_inverse=True)
    with np.errstate(invalid="ignore", over="ignore"):
        for pattern in range(len(patterns)):
            rows = np.flatnonzero(which.ravel() == pattern)
            # A row must be contiguous: over another axis numpy adds in another order.
            some = np.ascontiguousarray(values[np.ix_(rows, np.flatnonzero(present[rows[0]]))])
            reduced[rows] = function(some, axis=1)
    return reduced


class Reducer:
    """Gathers the values of all ranks and writes their reductions: the diversion of the writing rank.

    All but what is below "for other threads" runs on the writer thread.

    Attributes:
        held: values of this rank that wait for those of others.
    """

    def __init__(
        self, team: Team, log_dir: str, overrides: Overrides, worker: Worker, interval: float = 0.0
    ) -> None:
        """Knows of nothing yet.

        Args:
            team: the ranks.
            log_dir: the writer's directory.
            overrides: tag -> its reductions; may change meanwhile.
            worker: what writes the points.
            interval: seconds between two words of a rank that reports something.
        """
        self.held = 0
        self._quiet = max(_QUIET_SECONDS, _QUIET_INTERVALS * interval)
        self._team = team
        self._log_dir = log_dir
        self._overrides = overrides
        self._worker = worker
        self._ranks = np.array([team.rank], np.intp)
        self._roster = Roster(team.world, team.rank, team.silence, time.monotonic())
        self._sizes: Counter[int] = Counter()
        self._rewritten = self._unread = self._waiting = 0
        self._rested = 0.0
        self._kept_so_far = 0
        self._begin()

    def _begin(self) -> None:
        self._known = KnownSeries()
        self._histograms: dict[int, bytes] = {}
        self._histogram_bytes = 0
        team = self._team
        self._groups = Groups(team.world, team.rank, team.timeout, self._forgotten, self._breathe)

    # -- values of this rank -------------------------------------------------------------------------------

    def scalars(self, run: str | None, columns: Columns) -> None:
        """Takes plain scalars of this rank."""
        tags = apart(columns.tags, self._team.reduce, self._overrides)
        columns = write_apart(self._worker, run, columns, tags)
        if columns.tags:
            self._put_own(run_name(self._log_dir, run), columns, PLAIN)

    def summary(self, item: Summary) -> bool:
        """Takes a scalar of another style, or an accumulator, if it is one."""
        if apart((item.tag,), self._team.reduce, self._overrides):
            return False
        run = run_name(self._log_dir, item.run)
        styled, gathered = styled_scalar(item), accumulator(item)
        if styled is not None:
            self._put_own(run, single(item, styled[0]), styled[1])
        elif gathered is not None:
            self._put_own(run, single(item, self._keep(gathered[0])), gathered[1])
        return styled is not None or gathered is not None

    def _keep(self, histogram: bytes) -> int:
        """Keeps an accumulator's bytes until its group is forgotten; returns what stands for it there."""
        self._kept_so_far += 1
        self._histograms[self._kept_so_far] = histogram
        self._histogram_bytes += len(histogram)
        return self._kept_so_far

    def _forgotten(self, series: int, values: Floats, present: Bools) -> None:
        if is_histogram(self._known.forms[series][1]):
            for number in values[present].tolist():
                self._histogram_bytes -= len(self._histograms.pop(int(number)))

    def _put_own(self, run: str, columns: Columns, style: Style) -> None:
        known = self._known
        numbers = {
            tag: known.number(run, tag, self._overrides.get(tag), style)
            for tag in dict.fromkeys(columns.tags)
        }
        for tag, number in numbers.items():
            known.forms[number] = self._overrides.get(tag), style
        self.held += len(columns.tags)
        self._roster.note_own(closed=False)
        self._groups.put(
            np.array([numbers[tag] for tag in columns.tags], np.intp),
            np.array(columns.steps, np.int64),
            np.array(columns.wall_times),
            self._ranks,
            np.array(columns.values, np.float64).reshape(-1, 1),
            None,
            time.monotonic(),
        )
        self._waiting = max(1, self._waiting)
        if self._team.world == 1 or self._groups.crowded:
            self.write_ready()
        self._bound()

    def _bound(self) -> None:
        """Writes as it is what would take too much memory: the oldest accumulators; or all, and begins anew."""
        while self._histogram_bytes > _MOST_HISTOGRAM_BYTES and len(self._groups):
            self.write_ready(most=len(self._groups) // 2)
        if len(self._known.names) > _MOST_SERIES:
            self.write_ready(everything=True)
            self._begin()

    def end(self) -> None:
        """This rank reports nothing more, unless it pushes again."""
        self._roster.note_own(closed=True)

    # -- values of others ----------------------------------------------------------------------------------

    def hear(self, blocks: Sequence[Block]) -> None:
        """Takes what other ranks sent, and writes what is complete or has waited long enough."""
        now = time.monotonic()
        for block in blocks:
            # The way takes seconds at most, or a minute if a network was cut: more is a clock that is wrong.
            behind = time.time() - block.sent
            behind = behind if abs(behind) > _CLOCKS_AGREE_SECONDS else 0.0
            for section in block.sections:
                self._hear_section(section, behind, now)
                self._breathe()
        self.write_ready()
        self._bound()

    def _hear_section(self, section: Section, behind: float, now: float) -> None:
        new = {origin.rank for origin in section.origins if self._roster.note(origin, now)}
        table = section.table
        if table is None:
            self._unread += bool(section.payload)
            return
        wanted = np.fromiter((rank in new for rank in table.ranks.tolist()), np.bool_, len(table.ranks))
        if not wanted.all():
            table = table.of_ranks(wanted)
        if not table.ranks.size:
            return
        if section.kind == HISTOGRAMS:
            keep = [[self._keep(section.histograms[int(place)]) for place in row] for row in table.values]
            table = replace(table, values=np.array(keep, np.float64).reshape(table.values.shape))
        self._put_table(table, behind, now)

    def _put_table(self, table: Table, behind: float, now: float) -> None:
        """Takes a table of other ranks, whose clock is `behind` this one by so many seconds."""
        self._groups.put(
            self._known.numbers_of(table.series)[table.numbers],
            table.steps,
            table.wall_times + behind,
            table.ranks,
            table.values,
            table.present,
            now,
        )

    # -- points --------------------------------------------------------------------------------------------

    def write_ready(self, *, everything: bool = False, most: int | None = None) -> None:
        """Writes the groups that need not wait, or all that hold something new.

        Args:
            everything: all.
            most: how many groups may go on waiting; the oldest do not.
        """
        now = time.monotonic()
        for ready in self._groups.take(self._roster.alive(now), now, everything=everything, most=most):
            self._count(ready)
            self._write(ready)
            self._breathe()
        self._waiting = self._groups.waiting

    def _breathe(self) -> None:
        """Lets the training loop have the GIL, after as much work as the worker does at a stretch."""
        if time.perf_counter() - self._rested >= _WORK_SECONDS:
            time.sleep(_REST_SECONDS)
            self._rested = time.perf_counter()

    def _count(self, ready: Ready) -> None:
        self.held -= int(ready.own.sum())
        self._sizes.update(ready.present.sum(1).tolist())
        before = ready.before[ready.before > 0].tolist()
        self._sizes.subtract(before)
        self._rewritten += len(before)

    def _write(self, ready: Ready) -> None:
        by_form: dict[tuple[tuple[Reduction, ...], Style], list[int]] = {}
        for row, number in enumerate(ready.series.tolist()):
            reduce, style = self._known.forms[number]
            by_form.setdefault((reduce or self._team.reduce or ("mean",), style), []).append(row)
        for (reduce, style), rows in by_form.items():
            if is_histogram(style):
                self._write_histograms(ready, rows, style)
                continue
            for place, name in enumerate(reduce):
                values = reduce_rows(name, ready.values[rows], ready.present[rows])
                points = self._points(ready, rows, values, f"/{name}" if place else "", counted=not place)
                for run, (columns, own) in points.items():
                    self._write_points(run_directory(self._log_dir, run), columns, own, style)

    def _write_histograms(self, ready: Ready, rows: Sequence[int], style: Style) -> None:
        for row in rows:
            parts = [self._histograms[int(n)] for n in ready.values[row, ready.present[row]].tolist()]
            run, tag = self._known.names[int(ready.series[row])]
            where = run_directory(self._log_dir, run), tag
            when = int(ready.steps[row]), float(ready.wall_times[row])
            item = Summary(*where, *when, encode_merged, (parts, *style))
            item.summaries = int(ready.own[row])
            self._worker.encode_summary(item)

    def _points(
        self, ready: Ready, rows: Sequence[int], values: Floats, suffix: str, *, counted: bool
    ) -> dict[str, tuple[Columns, list[bool]]]:
        """The points of each run, and which of them count as summaries that this rank has pushed."""
        points: dict[str, tuple[Columns, list[bool]]] = {}
        names = [self._known.names[number] for number in ready.series[rows].tolist()]
        steps, wall_times = ready.steps[rows].tolist(), ready.wall_times[rows].tolist()
        own = ready.own[rows].tolist()
        for (run, tag), *rest, mine in zip(names, values.tolist(), steps, wall_times, own, strict=True):
            if run not in points:
                points[run] = Columns(), []
            columns, counts = points[run]
            columns.tags.append(tag + suffix)
            columns.values.append(rest[0])
            columns.steps.append(rest[1])
            columns.wall_times.append(rest[2])
            counts.append(counted and mine)
        return points

    def _write_points(self, run: str | None, columns: Columns, own: Sequence[bool], style: Style) -> None:
        if not style:
            self._worker.encode_scalars(run, columns, sum(own))
            return
        rows = zip(columns.tags, columns.values, columns.steps, columns.wall_times, own, strict=True)
        for tag, value, step, wall_time, mine in rows:
            item = Summary(run, tag, step, wall_time, encode_styled, (value, *style))
            item.summaries = int(mine)
            self._worker.encode_summary(item)

    # -- for other threads ---------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether no living rank is expected to report anything more, as far as can be told."""
        return not self._waiting and not self._roster.busy(time.monotonic(), self._quiet).any()

    @property
    def waits(self) -> bool:
        """Whether groups may be waiting, so that `hear()` is to be called again even without news."""
        return self._waiting > 0

    def stats(self) -> Reductions:
        """The counters of the reduction; those of the traffic are zero."""
        return Reductions(
            groups={size: count for size, count in sorted(dict(self._sizes).items()) if count},
            rewritten=self._rewritten,
            waiting=self._waiting,
            living=int(self._roster.alive(time.monotonic()).sum()),
            unmet=tuple(self._roster.never_met()),
            unread=self._unread,
        )

"""Values of the same series and step from all ranks, waiting for each other.

A group is a row of a matrix with a column for each rank, and so is filled, looked at and read by whole arrays. It
is written when every rank has reported that is expected to, when it has waited too long, or when that is asked
for. One that is written with ranks missing is kept for a while: what they report later is written again with
the rest.

Which ranks are expected is learnt for each series: all that live, at first; one that was waited for in vain is not
waited for under that series until it reports it again. So a tag that only some ranks log waits once.

A rank that reports the same series and step twice opens a second group of that name, as the second call would
write a second point: the n-th report of one rank meets the n-th reports of the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from .rows import Bools, Floats, Ints, Ready, Rows, Steps, columns_of

# The memory that waiting groups may take.
_MOST_BYTES = 256 << 20
# A group that was written incomplete is kept for so many times the timeout after its first report.
_KEPT_TIMEOUTS = 3
# Cells looked at or copied at once: numpy holds the GIL meanwhile, some hundred microseconds.
_PIECE = 1 << 16
# Ranks in step report the same rows one after the other: so many sets of rows are recognised.
_MOST_RECENT = 256

# Groups that are forgotten at a stretch.
_FORGOTTEN_AT_ONCE = 256

Forgotten: TypeAlias = "Callable[[int, Floats, Bools], object]"


class _Repeats:
    """The groups of one series and step once a rank has reported it twice, oldest first."""

    def __init__(self, row: int, present: Bools) -> None:
        self.rows: deque[int] = deque((row,))
        self._first = 0  # which report of each rank belongs to the oldest of the rows
        self._reports = dict.fromkeys(np.flatnonzero(present).tolist(), 1)

    def place(self, rank: int) -> int:
        """Which of the rows the next report of `rank` belongs to; one beyond the last is a new one."""
        report = max(self._reports.get(rank, 0), self._first)
        self._reports[rank] = report + 1
        return report - self._first

    def forget_oldest(self) -> None:
        """The oldest row is done with. No other is before it: it is the fullest and has waited longest."""
        self.rows.popleft()
        self._first += 1


class Groups:
    """The groups that wait, and those that were written incomplete. For one thread at a time."""

    def __init__(
        self,
        world: int,
        own_rank: int,
        timeout: float,
        forgotten: Forgotten | None = None,
        breathe: Callable[[], object] = bool,
    ) -> None:
        """Makes an empty collection.

        Args:
            world: number of ranks.
            own_rank: the rank whose wall times are the groups'.
            timeout: seconds after its first report at which a group is written with whom it has.
            forgotten: called with the series of each group that is done with, its values, and which of them are
                there; both float64 and bool (world,), valid during the call.
            breathe: called between two pieces of work.
        """
        self._forgotten = forgotten
        self._breathe = breathe
        self._world = world
        self._timeout = timeout
        self._most_rows = max(1024, _MOST_BYTES // Rows.nbytes(world))
        self._piece = max(1, _PIECE // world)
        self._rows = Rows(world, own_rank)
        self._names: dict[tuple[int, int], int | _Repeats] = {}
        self._recent: dict[bytes, Ints] = {}
        self._expected = np.ones((0, world), np.bool_)
        self._all_expected = True

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def crowded(self) -> bool:
        """Whether they take more memory than they may: the next `take()` lets the oldest go."""
        return len(self._rows) > self._most_rows

    @property
    def waiting(self) -> int:
        """How many groups hold reports that have not been written."""
        return self._rows.unread

    # -- putting -------------------------------------------------------------------------------------------

    def put(
        self,
        series: Ints,
        steps: Steps,
        wall_times: Floats,
        ranks: Ints,
        values: Floats,
        present: Bools | None,
        now: float,
    ) -> None:
        """Takes reports: a row for each series and step, a column for each rank.

        Args:
            series: numbers of series, intp (rows,).
            steps: int64 (rows,).
            wall_times: float64 (rows,).
            ranks: intp (columns,), each once.
            values: float64 (rows, columns).
            present: bool (rows, columns), which of the values were reported; None is all.
            now: `time.monotonic()`.
        """
        if not len(series):
            return
        self._expect(series, ranks, present)
        rows = self._rows_of(series, steps, wall_times, now)
        if rows is not None and not self._rows.hold_any(rows, columns_of(ranks), present):
            self._rows.fill(rows, ranks, values, present, wall_times)
            return
        for place, key in enumerate(zip(series.tolist(), steps.tolist(), strict=True)):
            columns = np.arange(len(ranks)) if present is None else np.flatnonzero(present[place])
            for column in columns.tolist():
                row = self._row_of_repeat(key, int(ranks[column]), wall_times[place], now)
                value = values[place : place + 1, column : column + 1]
                one = slice(place, place + 1)
                self._rows.fill(np.array([row]), ranks[column : column + 1], value, None, wall_times[one])

    def _rows_of(self, series: Ints, steps: Steps, wall_times: Floats, now: float) -> Ints | None:
        """The rows of some groups, opened where they are new; None if a name occurs twice."""
        signature = series.tobytes() + steps.tobytes()
        rows = self._recent.get(signature)
        if rows is None or not self._rows.belong_to(rows, series, steps):
            rows = self._look_up(list(zip(series.tolist(), steps.tolist(), strict=True)), wall_times, now)
            if rows is not None:
                if len(self._recent) >= _MOST_RECENT:
                    self._recent.clear()
                self._recent[signature] = rows
        return rows

    def _look_up(self, keys: list[tuple[int, int]], wall_times: Floats, now: float) -> Ints | None:
        if len(set(keys)) < len(keys):
            return None
        found = list(map(self._names.get, keys))
        rows = []
        for key, row, wall_time in zip(keys, found, wall_times.tolist(), strict=True):
            if isinstance(row, _Repeats):
                return None
            if row is None:
                row = self._names[key] = self._rows.take(*key, wall_time, now)
            rows.append(row)
        return np.array(rows, np.intp)

    def _row_of_repeat(self, key: tuple[int, int], rank: int, wall_time: float, now: float) -> int:
        """The row for a rank's next report of `key`, when a rank may have reported it before."""
        known = self._names.get(key)
        if known is None:
            row = self._names[key] = self._rows.take(*key, wall_time, now)
            return row
        if not isinstance(known, _Repeats):
            if not self._rows.present[known, rank]:
                return known
            known = self._names[key] = _Repeats(known, self._rows.present[known])
            self._recent.clear()
        place = known.place(rank)
        while place >= len(known.rows):
            known.rows.append(self._rows.take(*key, wall_time, now))
        return known.rows[place]

    # -- expectations --------------------------------------------------------------------------------------

    def _expect(self, series: Ints, ranks: Ints, present: Bools | None) -> None:
        missing = int(series.max()) + 1 - len(self._expected)
        if missing > 0:
            more = max(missing, len(self._expected))
            self._expected = np.concatenate((self._expected, np.ones((more, self._world), np.bool_)))
        if self._all_expected:
            return
        if present is None:
            self._expected[np.ix_(np.unique(series), ranks)] = True
        else:
            row, column = np.nonzero(present)
            self._expected[series[row], ranks[column]] = True

    def _learn(self, rows: Ints, alive: Bools) -> None:
        """Whoever is not in these rows is not waited for again under their series."""
        for row in rows.tolist():
            self._expected[self._rows.series[row], ~self._rows.present[row] & alive] = False
            self._all_expected = False
        self._rows.judged[rows] = True

    def _satisfied(self, rows: Ints, alive: Bools) -> Bools:
        """Whether every rank that is expected has reported: bool (rows,)."""
        needed = self._expected & alive
        counts = self._rows.counts[rows]
        # Most groups lack several ranks, and then no look at their row is needed.
        satisfied: Bools = counts >= needed.sum(1)[self._rows.series[rows]]
        candidates = np.flatnonzero(satisfied & (counts < self._world))
        for first in range(0, len(candidates), self._piece):
            some = candidates[first : first + self._piece]
            at = rows[some]
            satisfied[some] = ~(needed[self._rows.series[at]] & ~self._rows.present[at]).any(1)
            self._breathe()
        return satisfied

    # -- taking --------------------------------------------------------------------------------------------

    def take(
        self, alive: Bools, now: float, *, everything: bool = False, most: int | None = None
    ) -> Iterator[Ready]:
        """The groups that are to be written now, oldest first, in pieces of a bounded size.

        Those that need not be kept are forgotten at the end.

        Args:
            alive: bool (world,), ranks that may still report.
            now: `time.monotonic()`.
            everything: write every group that holds something new.
            most: how many groups may be kept; None is as many as there is memory for.
        """
        most = self._most_rows if most is None else most
        rows = self._rows.used()
        counts = self._rows.counts[rows]
        pushed_out = np.arange(len(rows)) < len(rows) - most
        age = now - self._rows.since[rows]
        late = age >= self._timeout
        due = counts > self._rows.written[rows]
        if not everything:
            due &= late | pushed_out | self._satisfied(rows, alive)
        self._learn(rows[late & ~self._rows.judged[rows]], alive)
        to_write = rows[due]
        for first in range(0, len(to_write), self._piece):
            yield self._rows.read(to_write[first : first + self._piece])
        done = (counts == self._world) | (age >= _KEPT_TIMEOUTS * self._timeout) | pushed_out
        for place, row in enumerate(rows[done].tolist()):
            self._forget(row)
            if place % _FORGOTTEN_AT_ONCE == 0:
                self._breathe()

    def _forget(self, row: int) -> None:
        if self._forgotten is not None:
            self._forgotten(int(self._rows.series[row]), self._rows.values[row], self._rows.present[row])
        key = int(self._rows.series[row]), int(self._rows.steps[row])
        known = self._names[key]
        if isinstance(known, _Repeats):
            known.forget_oldest()
        if not isinstance(known, _Repeats) or not known.rows:
            del self._names[key]
        self._rows.give_back(row)

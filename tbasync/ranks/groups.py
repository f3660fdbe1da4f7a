"""Values of the same series and step from all ranks, waiting for each other.

A group has a row in matrices of a column for each rank of the world, and so is filled, looked at and read by
whole arrays. It is written when every rank has reported that is expected to, when it has waited too long, or
when that is asked for. One that is written with ranks missing is kept for a while: what they report later is
written again with the rest.

Which ranks are expected is learnt for each series: all that live, at first; one that was waited for in vain
is not waited for under that series until it reports it again. So a tag that only some ranks log waits once.

A rank that reports the same series and step twice opens a second group of that name, as the second call
would write a second point: the n-th report of one rank meets the n-th reports of the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

# The memory that waiting groups may take, and what one costs besides its row of the matrices.
_MOST_BYTES = 256 << 20
_GROUP_BYTES = 320
_FIRST_ROWS = 64
# A group that was written incomplete is kept for so many times the timeout after its first report.
_KEPT_TIMEOUTS = 3


@dataclass
class Ready:
    """Groups to be written, in the order in which they were opened.

    Attributes:
        series: intp (groups,).
        steps: int64 (groups,).
        wall_times: float64 (groups,).
        values: float64 (groups, world).
        present: bool (groups, world).
        own: bool (groups,), those with a value of the own rank that no earlier writing of them had.
        before: intp (groups,), ranks in them when they were last written; 0 for the first time.
    """

    series: Ints
    steps: npt.NDArray[np.int64]
    wall_times: Floats
    values: Floats
    present: Bools
    own: Bools
    before: Ints


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

    def __init__(self, world: int, own_rank: int, timeout: float) -> None:
        """Makes an empty collection.

        Args:
            world: number of ranks.
            own_rank: the rank whose wall times are the groups'.
            timeout: seconds after its first report at which a group is written with whom it has.
        """
        self._world = world
        self._own_rank = own_rank
        self._timeout = timeout
        self._most_rows = max(1024, _MOST_BYTES // (9 * world + _GROUP_BYTES))
        self._rows: dict[tuple[int, int], int | _Repeats] = {}
        self._free: list[int] = []
        self._opened = 0
        self._expected = np.ones((0, world), np.bool_)
        self._allocate(_FIRST_ROWS)

    def _allocate(self, rows: int) -> None:
        self._values = np.zeros((rows, self._world))
        self._present = np.zeros((rows, self._world), np.bool_)
        self._series = np.zeros(rows, np.intp)
        self._steps = np.zeros(rows, np.int64)
        self._wall_times = np.zeros(rows)
        self._since = np.zeros(rows)
        self._order = np.zeros(rows, np.int64)
        self._counts = np.zeros(rows, np.intp)
        self._written = np.zeros(rows, np.intp)
        self._judged = np.zeros(rows, np.bool_)
        self._own_written = np.zeros(rows, np.bool_)
        self._in_use = np.zeros(rows, np.bool_)
        self._free = list(range(rows - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._in_use) - len(self._free)

    @property
    def crowded(self) -> bool:
        """Whether they take more memory than they may: the next `take()` lets the oldest go."""
        return len(self) > self._most_rows

    @property
    def waiting(self) -> int:
        """How many groups hold reports that have not been written."""
        return int((self._counts > self._written)[self._in_use].sum())

    # -- putting -------------------------------------------------------------------------------------------

    def put(
        self,
        series: Sequence[int],
        steps: Sequence[int],
        wall_times: Floats,
        ranks: Ints,
        values: Floats,
        present: Bools | None,
        now: float,
    ) -> None:
        """Takes reports: a row for each series and step, a column for each rank.

        Args:
            series: numbers of series, (rows,).
            steps: (rows,).
            wall_times: float64 (rows,).
            ranks: (columns,), each once.
            values: float64 (rows, columns).
            present: bool (rows, columns), which of the values were reported; None is all.
            now: `time.monotonic()`.
        """
        self._know(max(series, default=-1))
        keys = list(zip(series, steps, strict=True))
        self._expect(np.asarray(series, np.intp), ranks, present)
        if len(set(keys)) == len(keys):
            found = list(map(self._rows.get, keys))
            if not any(isinstance(row, _Repeats) for row in found):
                rows = self._rows_of(keys, found, wall_times, now)
                given = np.ones(values.shape, np.bool_) if present is None else present
                where = np.ix_(rows, ranks)
                if not (self._present[where] & given).any():
                    self._fill(rows, ranks, values, given, wall_times)
                    return
        for place, key in enumerate(keys):
            columns = np.arange(len(ranks)) if present is None else np.flatnonzero(present[place])
            for column in columns.tolist():
                row = self._row_of_repeat(key, int(ranks[column]), wall_times[place], now)
                at = np.array([row])
                one = np.ones((1, 1), np.bool_)
                value = values[place : place + 1, column : column + 1]
                self._fill(at, ranks[column : column + 1], value, one, wall_times[place : place + 1])

    def _fill(self, rows: Ints, ranks: Ints, values: Floats, given: Bools, wall_times: Floats) -> None:
        if given.all():
            where: Any = np.ix_(rows, ranks)
            self._values[where] = values
        else:
            row, column = np.nonzero(given)
            where = rows[row], ranks[column]
            self._values[where] = values[row, column]
        self._present[where] = True
        self._counts[rows] += given.sum(1)
        own = np.flatnonzero(ranks == self._own_rank)
        if own.size:
            reported = given[:, own[0]]
            self._wall_times[rows[reported]] = wall_times[reported]

    def _rows_of(self, keys: list[tuple[int, int]], found: list[Any], wall_times: Floats, now: float) -> Ints:
        for place, row in enumerate(found):
            if row is None:
                found[place] = self._rows[keys[place]] = self._open(keys[place], wall_times[place], now)
        return np.array(found, np.intp)

    def _row_of_repeat(self, key: tuple[int, int], rank: int, wall_time: float, now: float) -> int:
        """The row for a rank's next report of `key`, when a rank may have reported it before."""
        known = self._rows.get(key)
        if known is None:
            row = self._rows[key] = self._open(key, wall_time, now)
            return row
        if not isinstance(known, _Repeats):
            if not self._present[known, rank]:
                return known
            known = self._rows[key] = _Repeats(known, self._present[known])
        place = known.place(rank)
        while place >= len(known.rows):
            known.rows.append(self._open(key, wall_time, now))
        return known.rows[place]

    def _open(self, key: tuple[int, int], wall_time: float, now: float) -> int:
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._series[row], self._steps[row] = key
        self._wall_times[row] = wall_time
        self._since[row] = now
        self._order[row] = self._opened = self._opened + 1
        self._present[row] = False
        self._counts[row] = self._written[row] = 0
        self._judged[row] = self._own_written[row] = False
        self._in_use[row] = True
        return row

    def _grow(self) -> None:
        old = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        rows = len(self._in_use)
        self._allocate(2 * rows)
        for name, value in old.items():
            if name != "_expected":
                vars(self)[name][:rows] = value
        self._free = list(range(2 * rows - 1, rows - 1, -1))

    # -- expectations --------------------------------------------------------------------------------------

    def _know(self, series: int) -> None:
        missing = series + 1 - len(self._expected)
        if missing > 0:
            more = max(missing, len(self._expected))
            self._expected = np.concatenate((self._expected, np.ones((more, self._world), np.bool_)))

    def _expect(self, series: Ints, ranks: Ints, present: Bools | None) -> None:
        if present is None:
            self._expected[np.ix_(series, ranks)] = True
        else:
            row, column = np.nonzero(present)
            self._expected[series[row], ranks[column]] = True

    # -- taking --------------------------------------------------------------------------------------------

    def take(self, alive: Bools, now: float, *, everything: bool = False) -> Ready:
        """The groups that are to be written now; those that need not be kept are forgotten.

        Args:
            alive: bool (world,), ranks that may still report.
            now: `time.monotonic()`.
            everything: write every group that holds something new.
        """
        rows = np.flatnonzero(self._in_use)
        rows = rows[np.argsort(self._order[rows])]
        counts = self._counts[rows]
        excess = max(0, len(rows) - self._most_rows)
        pushed_out = np.arange(len(rows)) < excess
        late = now - self._since[rows] >= self._timeout
        due = counts > self._written[rows]
        if not everything:
            due &= late | pushed_out | self._satisfied(rows, counts, alive)
        self._learn(rows[late & ~self._judged[rows]], alive)
        old = now - self._since[rows] >= _KEPT_TIMEOUTS * self._timeout
        done = (counts == self._world) | old | pushed_out
        ready = self._read(rows[due], counts[due])
        for row in rows[done].tolist():
            self._forget(row)
        return ready

    def _satisfied(self, rows: Ints, counts: Ints, alive: Bools) -> Bools:
        """Whether every rank that is expected has reported."""
        needed = self._expected & alive
        # Most groups lack several ranks, and then no look at their row is needed.
        satisfied: Bools = counts >= needed.sum(1)[self._series[rows]]
        candidates = np.flatnonzero(satisfied & (counts < self._world))
        at = rows[candidates]
        satisfied[candidates] = ~(needed[self._series[at]] & ~self._present[at]).any(1)
        return satisfied

    def _learn(self, rows: Ints, alive: Bools) -> None:
        for row in rows.tolist():
            self._expected[self._series[row], ~self._present[row] & alive] = False
        self._judged[rows] = True

    def _read(self, rows: Ints, counts: Ints) -> Ready:
        present = self._present[rows]
        own = present[:, self._own_rank] & ~self._own_written[rows]
        head = (self._series[rows], self._steps[rows], self._wall_times[rows], self._values[rows])
        ready = Ready(*head, present, own, self._written[rows])
        self._written[rows] = counts
        self._own_written[rows] |= own
        return ready

    def _forget(self, row: int) -> None:
        key = int(self._series[row]), int(self._steps[row])
        known = self._rows[key]
        if isinstance(known, _Repeats):
            known.forget_oldest()
        if not isinstance(known, _Repeats) or not known.rows:
            del self._rows[key]
        self._in_use[row] = False
        self._free.append(row)

"""Rows of matrices with a column for each rank: where groups keep their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.intp]
Steps = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Columns: TypeAlias = "slice | Ints"

_FIRST_ROWS = 64
# What one row takes besides its cells, of nine bytes each; with what finds it.
_ROW_BYTES = 320


@dataclass
class Ready:
    """Groups to be written.

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
    steps: Steps
    wall_times: Floats
    values: Floats
    present: Bools
    own: Bools
    before: Ints


def columns_of(ranks: Ints) -> Columns:
    """How to index the columns of some ranks: by a slice, which is much cheaper, if they are neighbours."""
    first, size = int(ranks[0]), len(ranks)
    if size == 1 or bool((ranks == np.arange(first, first + size)).all()):
        return slice(first, first + size)
    return ranks


class Rows:
    """Rows that are taken and given back.

    Attributes:
        values: float64 (rows, world).
        present: bool (rows, world), which of them are set.
        counts: intp (rows,), how many that are.
        series: intp (rows,).
        steps: int64 (rows,).
        since: float64 (rows,), when the row was taken.
        order: int64 (rows,), which of all rows ever taken it is.
        written: intp (rows,), how many values it had when it was last read.
        judged: bool (rows,), free for the owner's use; False at first.
    """

    def __init__(self, world: int, own_rank: int) -> None:
        self._world = world
        self._own_rank = own_rank
        self._taken = 0
        self._make(_FIRST_ROWS)

    @staticmethod
    def nbytes(world: int) -> int:
        """About what a row takes."""
        return 9 * world + _ROW_BYTES

    def _make(self, rows: int) -> None:
        self.values = np.zeros((rows, self._world))
        self.present = np.zeros((rows, self._world), np.bool_)
        self.counts = np.zeros(rows, np.intp)
        self.series = np.zeros(rows, np.intp)
        self.steps = np.zeros(rows, np.int64)
        self.since = np.zeros(rows)
        self.order = np.zeros(rows, np.int64)
        self.written = np.zeros(rows, np.intp)
        self.judged = np.zeros(rows, np.bool_)
        self._wall_times = np.zeros(rows)
        self._own_written = np.zeros(rows, np.bool_)
        self._used = np.zeros(rows, np.bool_)
        self._free = list(range(rows - 1, -1, -1))

    def __len__(self) -> int:
        return len(self._used) - len(self._free)

    def used(self) -> Ints:
        """intp (rows,), the rows that are taken, oldest first."""
        rows = np.flatnonzero(self._used)
        return rows[np.argsort(self.order[rows])]

    @property
    def unread(self) -> int:
        """How many rows hold values that have not been read."""
        return int((self.counts > self.written)[self._used].sum())

    def take(self, series: int, step: int, wall_time: float, now: float) -> int:
        """Takes a row; returns its number."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self.series[row] = series
        self.steps[row] = step
        self._wall_times[row] = wall_time
        self.since[row] = now
        self.order[row] = self._taken = self._taken + 1
        self.present[row] = False
        self.counts[row] = self.written[row] = 0
        self.judged[row] = self._own_written[row] = False
        self._used[row] = True
        return row

    def give_back(self, row: int) -> None:
        """The row may be taken again."""
        self._used[row] = False
        self._free.append(row)

    def _grow(self) -> None:
        old = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        rows = len(self._used)
        self._make(2 * rows)
        for name, value in old.items():
            vars(self)[name][:rows] = value
        self._free = list(range(2 * rows - 1, rows - 1, -1))

    def belong_to(self, rows: Ints, series: Ints, steps: Steps) -> bool:
        """Whether these rows are taken, each by its series and step."""
        same = (self.series[rows] == series) & (self.steps[rows] == steps) & self._used[rows]
        return bool(same.all())

    def hold_any(self, rows: Ints, columns: Columns, given: Bools | None) -> bool:
        """Whether one of the values in these rows and columns (those of `given`, if any) is set already."""
        present = self._block(self.present, rows, columns)
        return bool(present.any() if given is None else (present & given).any())

    def fill(self, rows: Ints, ranks: Ints, values: Floats, given: Bools | None, wall_times: Floats) -> None:
        """Sets values that are not set yet.

        Args:
            rows: intp (rows,), each once.
            ranks: intp (columns,), each once.
            values: float64 (rows, columns).
            given: bool (rows, columns), which of them to set; None is all.
            wall_times: float64 (rows,), of which those of the own rank's values are kept.
        """
        if given is None:
            where = self._where(rows, columns_of(ranks))
            self.values[where] = values
            self.present[where] = True
            self.counts[rows] += len(ranks)
        else:
            row, column = np.nonzero(given)
            cells = rows[row], ranks[column]
            self.values[cells] = values[row, column]
            self.present[cells] = True
            self.counts[rows] += given.sum(1)
        own = np.flatnonzero(ranks == self._own_rank)
        if own.size:
            reported = slice(None) if given is None else given[:, own[0]]
            self._wall_times[rows[reported]] = wall_times[reported]

    @staticmethod
    def _where(rows: Ints, columns: Columns) -> Any:
        return (rows, columns) if isinstance(columns, slice) else (rows[:, None], columns)

    def _block(self, matrix: Bools, rows: Ints, columns: Columns) -> Bools:
        block: Bools = matrix[self._where(rows, columns)]
        return block

    def read(self, rows: Ints) -> Ready:
        """Copies of these rows, which count as written from now on."""
        present = self.present[rows]
        own = present[:, self._own_rank] & ~self._own_written[rows]
        head = (self.series[rows], self.steps[rows], self._wall_times[rows], self.values[rows])
        ready = Ready(*head, present, own, self.written[rows])
        self.written[rows] = self.counts[rows]
        self._own_written[rows] |= own
        return ready

"""What this process pushes, as the tables that ranks exchange are made of it."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import TypeAlias

import numpy as np

from ..encode.result import Encoded
from ..encode.scalar import described_scalar, scalar_tensor
from ..pipeline.deferred import Deferred
from ..pipeline.items import Summary
from ..pipeline.worker import Columns, Worker
from .block import Series, Table
from .team import Reduction

Style: TypeAlias = "tuple[str, ...]"
Overrides: TypeAlias = "Mapping[str, tuple[Reduction, ...]]"

PLAIN: Style = ()
_TENSOR, _DESCRIBED = "tensor", "described"

# Values of this process that may wait for the job's store to answer: about 100 MiB of them.
MOST_VALUES = 1_000_000


def styled_scalar(item: Summary) -> tuple[float, Style] | None:
    """The value and the style of a scalar that is not a plain one; None for other summaries.

    Waits for a value that is still on its way from a device. One that never comes is no value: encoding it
    will say so.
    """
    if item.encode not in (scalar_tensor, described_scalar):
        return None
    value, *rest = item.arguments
    if isinstance(value, Deferred):
        try:
            value = value.resolve().item()
        except Exception:
            return None
    if item.encode is scalar_tensor:
        return value, (_TENSOR, "double" if rest[0] else "float")
    return value, (_DESCRIBED, *rest)


def encode_styled(tag: str, value: float, *style: str) -> Encoded:
    """A Summary of a scalar in the style that `styled_scalar()` found."""
    if style[0] == _TENSOR:
        return scalar_tensor(tag, value, style[1] == "double")
    return described_scalar(tag, value, *style[1:])


def run_name(log_dir: str, run: str | None) -> str:
    """A run's name below the writer's directory, which may be another one on each rank."""
    return "" if run is None else run[len(log_dir) + 1 :]


def run_directory(log_dir: str, name: str) -> str | None:
    """The directory of a run, as the output knows it."""
    return f"{log_dir}/{name}" if name else None


def apart(tags: Iterable[str], reduce: tuple[Reduction, ...], overrides: Overrides) -> set[str]:
    """Those of `tags` that are not reduced, but written by each rank that writes."""
    if reduce and not overrides:
        return set()
    return {tag for tag in set(tags) if not overrides.get(tag, reduce)}


def write_apart(worker: Worker, run: str | None, columns: Columns, tags: set[str]) -> Columns:
    """Has the scalars of some tags written at once; returns the others."""
    if not tags:
        return columns
    chosen = [tag in tags for tag in columns.tags]
    some = _compressed(columns, chosen)
    worker.encode_scalars(run, some, len(some.tags))
    return _compressed(columns, [not choice for choice in chosen])


def _compressed(columns: Columns, chosen: Sequence[bool]) -> Columns:
    some = Columns()
    some.tags += compress(columns.tags, chosen)
    some.values += compress(columns.values, chosen)
    some.steps += compress(columns.steps, chosen)
    some.wall_times += compress(columns.wall_times, chosen)
    return some


class Pending:
    """The reports of a rank that does not write, between its writer thread and its exchange thread.

    One thread appends and another takes; a deque is all that they share.

    Attributes:
        taken_in: values that were pushed to be sent.
        dropped: values lost because too many waited.
    """

    def __init__(
        self, log_dir: str, reduce: tuple[Reduction, ...], overrides: Overrides, worker: Worker | None
    ) -> None:
        """Holds nothing yet.

        Args:
            log_dir: the writer's directory.
            reduce: the reductions of tags that `overrides` does not name.
            overrides: tag -> its reductions; may change meanwhile.
            worker: what writes the tags that are not reduced; None if this rank writes nothing.
        """
        self.taken_in = self.dropped = 0
        self._taken_out = 0
        self._log_dir = log_dir
        self._reduce = reduce
        self._overrides = overrides
        self._worker = worker
        self._batches: deque[tuple[str, Columns, Style]] = deque()

    @property
    def held(self) -> int:
        """Values that wait here."""
        return self.taken_in - self._taken_out - self.dropped

    def scalars(self, run: str | None, columns: Columns) -> None:
        """Takes plain scalars; loses the oldest ones when too many wait."""
        if self._worker is not None:
            columns = write_apart(
                self._worker, run, columns, apart(columns.tags, self._reduce, self._overrides)
            )
        self._append(run_name(self._log_dir, run), columns, PLAIN)

    def summary(self, item: Summary) -> bool:
        """Takes a scalar of another style; whether it was one."""
        styled = styled_scalar(item)
        if styled is None:
            return False
        if self._worker is not None and apart((item.tag,), self._reduce, self._overrides):
            return False
        columns = Columns()
        columns.extend(((item.tag, styled[0], item.step, item.wall_time),))
        self._append(run_name(self._log_dir, item.run), columns, styled[1])
        return True

    def _append(self, run: str, columns: Columns, style: Style) -> None:
        self._batches.append((run, columns, style))
        self.taken_in += len(columns.tags)
        # The other thread may be faster and empty the deque.
        with contextlib.suppress(IndexError):
            while self.held > MOST_VALUES:
                self.dropped += len(self._batches.popleft()[1].tags)

    def take(self) -> list[tuple[str, Columns, Style]]:
        """All that waits, oldest first."""
        batches = []
        with contextlib.suppress(IndexError):
            while True:
                batches.append(self._batches.popleft())
        self._taken_out += sum(len(columns.tags) for _, columns, _ in batches)
        return batches


class Nowhere:
    """Takes the scalars of a process that is no rank: a forked child of one that does not write.

    Attributes:
        held: values that it has taken; they are lost.
    """

    def __init__(self) -> None:
        self.held = 0

    def scalars(self, run: str | None, columns: Columns) -> None:
        """Loses plain scalars."""
        self.held += len(columns.tags)

    def summary(self, item: Summary) -> bool:
        """Loses a scalar of another style; whether it was one."""
        self.held += 1
        return True


def table_of(
    rank: int,
    batches: Sequence[tuple[str, Columns, Style]],
    reduce: tuple[Reduction, ...],
    overrides: Overrides,
) -> Table | None:
    """One rank's reports as a table.

    Args:
        rank: the rank.
        batches: run's name, scalars and their style.
        reduce: the reductions of tags that `overrides` does not name.
        overrides: tag -> its reductions.

    Returns:
        None if nothing of it is to be reduced.
    """
    numbers: dict[Series, int] = {}
    rows: list[int] = []
    steps: list[int] = []
    wall_times: list[float] = []
    values: list[float] = []
    for run, columns, style in batches:
        wanted = {tag: _series(run, tag, reduce, overrides, style) for tag in dict.fromkeys(columns.tags)}
        own = {tag: numbers.setdefault(s, len(numbers)) for tag, s in wanted.items() if s is not None}
        scalars = zip(columns.tags, columns.steps, columns.wall_times, columns.values, strict=True)
        for tag, step, wall_time, value in scalars:
            number = own.get(tag)
            if number is not None:
                rows.append(number)
                steps.append(step)
                wall_times.append(wall_time)
                values.append(value)
    if not rows:
        return None
    head = (tuple(numbers), np.array(rows, np.intp), np.array(steps, np.int64), np.array(wall_times))
    return Table(*head, np.array([rank], np.intp), np.array(values, np.float64).reshape(-1, 1))


def _series(
    run: str, tag: str, reduce: tuple[Reduction, ...], overrides: Overrides, style: Style
) -> Series | None:
    own = overrides.get(tag)
    if not (reduce if own is None else own):
        return None
    return Series(run, tag, "" if own is None else ",".join(own), style)

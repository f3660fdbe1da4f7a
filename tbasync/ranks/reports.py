"""What this process pushes, as the tables that ranks exchange are made of it."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeAlias

import numpy as np

from ..encode.accumulator import Histogram
from ..encode.histogram import histogram
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
_TENSOR, _DESCRIBED, _HISTOGRAM = "tensor", "described", "histogram"

# What may wait for the job's store to answer.
MOST_BYTES = 100 << 20
_VALUE_BYTES = 100  # of a scalar that waits as a row of four lists
_PIECE = 1024  # scalars of a batch, at most


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


def accumulator(item: Summary) -> tuple[bytes, Style] | None:
    """The bytes of the `tbasync.Histogram` that is to be logged, and its style; None for other summaries."""
    if item.encode is not histogram or not isinstance(item.arguments[0], Histogram):
        return None
    values, _, max_bins = item.arguments
    return values.to_bytes(), (_HISTOGRAM, "" if max_bins is None else str(max_bins))


def is_histogram(style: Style) -> bool:
    """Whether it is the style of histograms, which are merged, and not of numbers, which are reduced."""
    return style[:1] == (_HISTOGRAM,)


def encode_merged(tag: str, parts: Sequence[bytes], _: str, max_bins: str) -> Encoded:
    """A Summary of all that several accumulators have gathered, in the style that `accumulator()` found."""
    merged = Histogram()
    for part in parts:
        merged.merge(Histogram.from_bytes(part))
    return histogram(tag, merged, max_bins=int(max_bins) if max_bins else None)


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


@dataclass(frozen=True)
class Batch:
    """Scalars of one run and style, in the order of their pushes; or one histogram, as a row of its own.

    Attributes:
        run: the run's name below the writer's directory.
        columns: the scalars.
        style: their style.
        histogram: the bytes of a `tbasync.Histogram`; empty for scalars.
    """

    run: str
    columns: Columns
    style: Style = PLAIN
    histogram: bytes = b""

    @property
    def summaries(self) -> int:
        """How many summaries it holds."""
        return len(self.columns.tags)

    @property
    def nbytes(self) -> int:
        """About what it takes in memory."""
        return _VALUE_BYTES * self.summaries + len(self.histogram)


def parcels(batches: Iterable[Batch], most: int) -> Iterator[list[Batch]]:
    """Batches in lists that take `most` bytes together, or hold one batch."""
    parcel: list[Batch] = []
    size = 0
    for batch in batches:
        if parcel and size + batch.nbytes > most:
            yield parcel
            parcel, size = [], 0
        parcel.append(batch)
        size += batch.nbytes
    if parcel:
        yield parcel


def _pieces(columns: Columns) -> Iterator[Columns]:
    """Scalars in pieces of a bounded size: a single dict of metrics may be of any."""
    if len(columns.tags) <= _PIECE:
        yield columns
        return
    for first in range(0, len(columns.tags), _PIECE):
        piece = Columns()
        some = slice(first, first + _PIECE)
        piece.tags += columns.tags[some]
        piece.values += columns.values[some]
        piece.steps += columns.steps[some]
        piece.wall_times += columns.wall_times[some]
        yield piece


def single(item: Summary, value: float) -> Columns:
    """One value at the place of a summary."""
    columns = Columns()
    columns.extend(((item.tag, value, item.step, item.wall_time),))
    return columns


class Pending:
    """The reports of a rank that does not write, between its writer thread and its exchange thread.

    One thread appends and another takes; a deque is all that they share.

    Attributes:
        taken_in: summaries that were pushed to be sent.
        dropped: summaries lost because too many waited.
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
        self._bytes_in = self._bytes_out = self._bytes_dropped = 0
        self._log_dir = log_dir
        self._reduce = reduce
        self._overrides = overrides
        self._worker = worker
        self._batches: deque[Batch] = deque()

    @property
    def held(self) -> int:
        """Summaries that wait here."""
        return self.taken_in - self._taken_out - self.dropped

    def scalars(self, run: str | None, columns: Columns) -> None:
        """Takes plain scalars; loses the oldest ones when too many wait."""
        if self._worker is not None:
            tags = apart(columns.tags, self._reduce, self._overrides)
            columns = write_apart(self._worker, run, columns, tags)
        for some in _pieces(columns):
            self._append(Batch(run_name(self._log_dir, run), some))

    def summary(self, item: Summary) -> bool:
        """Takes a scalar of another style, or an accumulator; whether it was one."""
        if self._worker is not None and apart((item.tag,), self._reduce, self._overrides):
            return False
        run = run_name(self._log_dir, item.run)
        styled, gathered = styled_scalar(item), accumulator(item)
        if styled is not None:
            self._append(Batch(run, single(item, styled[0]), styled[1]))
        elif gathered is not None:
            self._append(Batch(run, single(item, 0.0), gathered[1], gathered[0]))
        return styled is not None or gathered is not None

    def _append(self, batch: Batch) -> None:
        self._batches.append(batch)
        self.taken_in += batch.summaries
        self._bytes_in += batch.nbytes
        # The other thread may be faster and empty the deque.
        with contextlib.suppress(IndexError):
            while self._bytes_in - self._bytes_out - self._bytes_dropped > MOST_BYTES:
                lost = self._batches.popleft()
                self.dropped += lost.summaries
                self._bytes_dropped += lost.nbytes

    def take(self) -> list[Batch]:
        """All that waits, oldest first."""
        batches = []
        with contextlib.suppress(IndexError):
            while True:
                batches.append(self._batches.popleft())
        self._taken_out += sum(batch.summaries for batch in batches)
        self._bytes_out += sum(batch.nbytes for batch in batches)
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
    rank: int, batches: Sequence[Batch], reduce: tuple[Reduction, ...], overrides: Overrides
) -> Table | None:
    """One rank's reports as a table.

    Args:
        rank: the rank.
        batches: its scalars; or histograms, whose values are then their numbers.
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
    for place, batch in enumerate(batches):
        columns = batch.columns
        own = {}
        for tag in dict.fromkeys(columns.tags):
            series = _series(batch.run, tag, reduce, overrides, batch.style)
            if series is not None:
                own[tag] = numbers.setdefault(series, len(numbers))
        scalars = zip(columns.tags, columns.steps, columns.wall_times, columns.values, strict=True)
        for tag, step, wall_time, value in scalars:
            number = own.get(tag)
            if number is not None:
                rows.append(number)
                steps.append(step)
                wall_times.append(wall_time)
                values.append(place if batch.histogram else value)
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

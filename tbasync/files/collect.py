"""The values of a run's files, gathered into columns in the order of the records."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..wire.columns import Block, scalar_tensor
from ..wire.decode import (
    AUDIO,
    GRAPH,
    HISTOGRAM,
    IMAGE,
    SIMPLE,
    SUMMARY,
    TAGGED_RUN_METADATA,
    TENSOR,
    Event,
    Value,
    event,
    last_field,
    values,
)
from ..wire.fields import Malformed
from .inspect import Inspected, Inspector, flaw_of
from .purge import History
from .records import Batch, Large, Records
from .tags import Tags

# How a value is stored: a field number of Summary.Value, or a tensor of one number without dimensions.
FLOAT_TENSOR, DOUBLE_TENSOR = 101, 102
_STORED = frozenset((SIMPLE, IMAGE, HISTOGRAM, AUDIO, TENSOR))
_FLUSH = 1 << 14  # values of one large record that are turned into arrays together


class Rows(NamedTuple):
    """Values by column, each an array of n elements, in the order of the file.

    Attributes:
        tag: number of the tag.
        record: number of the record in the run.
        number: the scalar; NaN of other kinds.
        kind: how it is stored.
        place: index of the payload among the collected objects; -1 of scalars.
    """

    tag: NDArray[np.int64]
    record: NDArray[np.int64]
    step: NDArray[np.int64]
    wall_time: NDArray[np.float64]
    number: NDArray[np.float64]
    kind: NDArray[np.uint8]
    place: NDArray[np.int64]

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Rows:
        """Some of the rows, or all in another order."""
        return Rows._make(column[which] for column in self)


_DTYPES = (np.int64, np.int64, np.int64, np.float64, np.float64, np.uint8, np.int64)


def join(parts: list[Rows]) -> Rows:
    """The rows of all parts, one after another."""
    empty = [np.empty(0, dtype) for dtype in _DTYPES]
    return Rows._make(np.concatenate(columns) for columns in zip(empty, *parts, strict=True))


class Collector:
    """Takes files of one run in, in their order.

    Attributes:
        tags: the numbers of tags.
        objects: the payloads of all values that are no scalars, undecoded.
        metadata: number of the tag -> its first serialized SummaryMetadata; TensorBoard too keeps the first.
        graph: the last serialized GraphDef.
        run_metadata: tag -> the last serialized RunMetadata.
        history: what decides on hidden values.
        records: how many whole records have been seen; the next one's number.
        events: how many of them are events.
    """

    def __init__(self) -> None:
        self.tags = Tags()
        self.objects: list[bytes] = []
        self.metadata: dict[int, bytes] = {}
        self.graph: bytes | None = None
        self.run_metadata: dict[str, bytes] = {}
        self.history = History()
        self.records = self.events = 0
        self._parts: list[Rows] = []
        self._inspector = Inspector()
        self._stated: list[tuple[int, int, bytes]] = []  # record, tag, metadata: of the batch at hand

    def rows(self) -> Rows:
        """Everything that has been taken in, by tag and in the order of the files within a tag.

        The collector has no rows any more then: each column is sorted in turn, so that they are never held twice.
        """
        columns = [list(column) for column in zip(join([]), *self._parts, strict=True)]
        self._parts.clear()
        order = np.argsort(_narrow(np.concatenate(columns[0])), kind="stable")

        def sort(column: list[NDArray[Any]]) -> NDArray[Any]:
            joined = np.concatenate(column)
            column.clear()
            return joined[order]

        return Rows._make(sort(column) for column in columns)

    def batch(self, batch: Batch) -> Inspected:
        """Take the events of a batch in; what was found in it."""
        found = self._inspector.inspect(batch)
        singles = list[_Single]()
        for index, record in found.others:
            singles += self._values(self.records + index, event(record))
        parts = [part for block in found.blocks for part in self._block(block)]
        rows = join([*parts, _rows(singles)])
        self._parts.append(rows.take(np.argsort(rows.record, kind="stable")))
        self._settle_metadata()
        self.records += len(batch.starts)
        self.events += len(batch.starts) - len(found.broken)
        return found

    def large(self, records: Records, large: Large) -> Malformed | None:
        """Take a large record in; what is wrong with it if it is no event."""
        flaw = flaw_of(records, large)
        if flaw is None:
            singles = self._values(self.records, event(records.read(large.start, large.length)))
            while chunk := list(islice(singles, _FLUSH)):
                self._parts.append(_rows(chunk))
            self._settle_metadata()
            self.events += 1
        self.records += 1
        return flaw

    def _block(self, block: Block) -> Iterator[Rows]:
        """The rows of a block, one value of its events after another."""
        records, steps, wall_times = block.members + self.records, block.steps(), block.wall_times()
        self.history.note_summaries(records, steps)
        for slot in block.layout.slots:
            tags = self.tags.numbers(block, slot)
            with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
                numbers = block.numbers(slot).astype(np.float64)
            kind = SIMPLE if not slot.tensor else FLOAT_TENSOR if slot.dtype == "<f4" else DOUBLE_TENSOR
            kinds, places = np.full(len(tags), kind, np.uint8), np.full(len(tags), -1)
            yield Rows(tags, records, steps, wall_times, numbers, kinds, places)
            if slot.metadata:
                distinct, first = np.unique(tags, return_index=True)
                for tag, index in zip(distinct.tolist(), first.tolist(), strict=True):
                    self._stated.append((int(records[index]), tag, slot.metadata))

    def _values(self, record: int, event: Event) -> Iterator[_Single]:
        """The values of one event, and what else it says."""
        self.history.note(record, event)
        if event.what == SUMMARY:
            for value in values(event.body):
                tag = value.tag or (value.node_name if value.kind == TENSOR else b"")
                number = self.tags.number(tag) if value.kind or value.metadata else 0
                if value.metadata:
                    self._stated.append((record, number, value.metadata))
                if tag and not value.kind and self.history.goes_by_steps:
                    self.history.note_bare(record, self.tags.number(tag), event.step)
                elif value.kind in _STORED:
                    yield number, record, event.step, event.wall_time, *self._store(value)
        elif event.what == GRAPH:
            self.graph = event.body
        elif event.what == TAGGED_RUN_METADATA:
            self.run_metadata[last_field(event.body, 1).decode()] = last_field(event.body, 2)

    def _store(self, value: Value) -> tuple[float, int, int]:
        """A value as `number`, `kind` and `place` of its row."""
        if value.kind == SIMPLE:
            return struct.unpack("<f", value.body)[0], SIMPLE, -1
        if value.kind == TENSOR and (found := scalar_tensor(value.body, 0, len(value.body))):
            (start, _), dtype = found
            number = float(np.frombuffer(value.body, dtype, 1, start)[0])
            return number, FLOAT_TENSOR if dtype == "<f4" else DOUBLE_TENSOR, -1
        self.objects.append(value.body)
        return math.nan, value.kind, len(self.objects) - 1

    def _settle_metadata(self) -> None:
        """Keep the first metadata of each tag; records with and without layout come in separately."""
        for _, tag, metadata in sorted(self._stated, key=lambda stated: stated[0]):
            self.metadata.setdefault(tag, metadata)
        self._stated.clear()


def _narrow(tags: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.uint16]:
    """The numbers as a type that numpy sorts in linear time, where they fit."""
    return tags.astype(np.uint16) if not tags.size or tags.max() < 1 << 16 else tags


_Single: TypeAlias = "tuple[int, int, int, float, float, int, int]"  # a row of Rows


def _rows(singles: list[_Single]) -> Rows:
    columns = zip(*singles, strict=True) if singles else [()] * len(_DTYPES)
    return Rows._make(np.array(column, dtype) for column, dtype in zip(columns, _DTYPES, strict=True))

"""Which whole records are events: those of a layout at once, the others one by one."""

from __future__ import annotations

from dataclasses import dataclass

from ..wire.columns import Block, Columns
from ..wire.fields import Malformed, validate
from .records import Batch, Large, Records, Stretch


@dataclass(frozen=True, slots=True)
class Inspected:
    """A batch, sorted.

    Attributes:
        count: how many records it has.
        blocks: scalar events, by layout.
        others: index in the batch and bytes of every other event, ascending.
        broken: index of every record that is no event, ascending, and what is wrong with it.
    """

    count: int
    blocks: list[Block]
    others: list[tuple[int, bytes]]
    broken: list[tuple[int, Malformed]]


class Inspector:
    """Sorts batches, and remembers the layouts it has seen."""

    def __init__(self) -> None:
        self._columns = Columns()

    def inspect(self, batch: Batch) -> Inspected:
        """The batch's records, sorted."""
        blocks, rest = self._columns.split(batch.groups)
        view, others, broken = batch.data.data, list[tuple[int, bytes]](), list[tuple[int, Malformed]]()
        places = zip(rest.tolist(), batch.starts[rest].tolist(), batch.lengths[rest].tolist(), strict=True)
        for index, start, length in places:
            record = bytes(view[start : start + length])
            try:
                validate(record, 0, length)
            except Malformed as error:
                broken.append((index, error))
            else:
                others.append((index, record))
        return Inspected(len(batch.starts), blocks, others, broken)


def flaw_of(records: Records, large: Large) -> Malformed | None:
    """What keeps a large record from being an event, found in constant memory; None if it is one."""
    try:
        validate(Stretch(records, large.start), 0, large.length)
    except Malformed as error:
        return error
    return None

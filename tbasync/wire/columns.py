"""Scalar events by column: the records of one layout in a buffer, decoded together with numpy.

Nearly all records of an event file are scalars, and two scalars' records of equal length differ as a rule in
the bytes of wall time, step, value and tag alone. So the first record of a length is taken apart as any
message is, and its **layout** says which bits another record may have otherwise and still be a valid event of
the same fields. Whatever differs from it in no other bit is valid too, and its numbers are read by column.
Records that fit no layout are left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .decode import METADATA, SIMPLE, SUMMARY, TENSOR
from .fields import Malformed, validate, varint, walk
from .rowcrc import Group

_FEWEST = 4  # rows of one length that are worth looking for a layout
_MOST_LAYOUTS = 64  # of one length: tags, widths of steps and metadata that add up to it
_ROWS_PER_TRY = (
    8  # comparing rows with a layout costs as much as taking two apart; making one, four times that
)
_MOST_VALUES = 64  # of one event

FLOAT, DOUBLE = 1, 2  # DataType of TensorFlow's types.proto


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a layout has one scalar: the tag's and the number's byte ranges, and what surrounds it.

    Attributes:
        tensor: the value is a TensorProto without dimensions, else a `simple_value`.
        dtype: "<f4" or "<f8", how the number is stored.
        metadata: the serialized SummaryMetadata, the same in all records of the layout; empty without any.
    """

    tag: tuple[int, int]
    number: tuple[int, int]
    tensor: bool
    dtype: str
    metadata: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What the records of one shape have in common.

    Attributes:
        words, fixed: uint64[k], the first such record, and ones where another record must equal it.
        wall_time, step: byte ranges; empty when the field is absent and thus 0.
        slots: the event's values, in order; at least one.
    """

    words: NDArray[np.uint64]
    fixed: NDArray[np.uint64]
    wall_time: tuple[int, int]
    step: tuple[int, int]
    slots: tuple[Slot, ...]

    def fits(self, rows: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of the rows, uint64[n, k], are records of this layout."""
        differs = np.zeros(len(rows), np.uint64)
        for column in np.flatnonzero(self.fixed).tolist():
            differs |= (rows[:, column] ^ self.words[column]) & self.fixed[column]
        fits: NDArray[np.bool_] = differs == 0
        return fits


@dataclass(frozen=True, slots=True)
class Block:
    """The records of one layout in a buffer.

    Attributes:
        layout: what they have in common.
        members: int64[n], ascending: which of the buffer's records these are.
        rows: uint8[n, at least the length], their bytes.
    """

    layout: Layout
    members: NDArray[np.intp]
    rows: NDArray[np.uint8]

    def steps(self) -> NDArray[np.int64]:
        """int64[n]."""
        start, stop = self.layout.step
        steps = np.zeros(len(self.rows), np.uint64)
        for shift, column in enumerate(range(start, stop)):
            steps |= (self.rows[:, column] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * shift)
        return steps.view(np.int64)

    def wall_times(self) -> NDArray[np.float64]:
        """float64[n], seconds since 1970."""
        start, stop = self.layout.wall_time
        if start == stop:
            return np.zeros(len(self.rows))
        return self.cells(start, stop).view("<f8").ravel()

    def numbers(self, slot: Slot) -> NDArray[np.float32] | NDArray[np.float64]:
        """float32[n] or float64[n], the scalars in the slot."""
        numbers: NDArray[np.float32] = self.cells(*slot.number).view(slot.dtype).ravel()
        return numbers

    def cells(self, start: int, stop: int) -> NDArray[np.uint8]:
        """uint8[n, stop - start], contiguous: these bytes of each record."""
        return np.ascontiguousarray(self.rows[:, start:stop])


class Columns:
    """Sorts records by layout, and remembers the layouts it has seen."""

    def __init__(self) -> None:
        self._layouts: dict[int, list[Layout]] = {}

    def split(self, groups: list[Group]) -> tuple[list[Block], NDArray[np.intp]]:
        """The records in the groups as blocks, and the indices, ascending, of those that fit none.

        The records' CRCs must have been checked; whether they are events has not been, of those left over.
        """
        blocks, rest = list[Block](), [np.empty(0, np.intp)]
        for rows in groups:
            if rows.words.size and len(rows.members) >= _FEWEST:
                rest.append(self._take(rows.words, rows.members, rows.length, blocks))
            else:
                rest.append(rows.members)
        return blocks, np.sort(np.concatenate(rest))

    def _take(
        self, rows: NDArray[np.uint64], members: NDArray[np.intp], length: int, blocks: list[Block]
    ) -> NDArray[np.intp]:
        """Add blocks of the rows, all of one length, that fit a layout; the members that fit none.

        Layouts are tried from the one last used to the one unused for longest, which makes room for new ones.
        The effort is bounded by the number of rows, for files that have a layout of its own in every record.
        """
        known, misfits = self._layouts.setdefault(length, []), list[NDArray[np.intp]]()
        effort, untried = 4 + len(members) // _ROWS_PER_TRY, list(known)
        while len(members) and effort > 0:
            effort -= 1 if untried else 4
            layout = untried.pop(0) if untried else layout_of(rows[0].tobytes()[:length])
            if layout is None:
                misfits.append(members[:1])
                rows, members = rows[1:], members[1:]
                continue
            fits = layout.fits(rows)
            if not fits.any():
                continue
            if layout in known:
                known.remove(layout)
            known.insert(0, layout)
            if fits.all():
                blocks.append(Block(layout, members, rows.view(np.uint8)))
                members = members[:0]
            else:
                blocks.append(Block(layout, members[fits], rows[fits].view(np.uint8)))
                rows, members = rows[~fits], members[~fits]
        del known[_MOST_LAYOUTS:]
        return np.concatenate([*misfits, members])


def layout_of(record: bytes) -> Layout | None:
    """The layout of an event that holds only scalars, each field at most once; None of any other record."""
    try:
        validate(record, 0, len(record))
    except Malformed:
        return None
    event = _fields(record, 0, len(record), {1, 2, SUMMARY})
    if event is None or SUMMARY not in event:
        return None
    start, stop = event[SUMMARY]
    parts = list(walk(record[start:stop]))
    slots = [
        _slot(record, start + first, start + last)
        for number, _, first, last in parts[:_MOST_VALUES]
        if number == 1
    ]
    whole = tuple(slot for slot in slots if slot is not None)
    if not whole or len(whole) < len(parts):
        return None
    wall_time, step = event.get(1, (0, 0)), event.get(2, (0, 0))
    return Layout(_words(record), _words(_fixed(record, wall_time, step, whole)), wall_time, step, whole)


def _slot(record: bytes, start: int, stop: int) -> Slot | None:
    """Where the Summary.Value in `record[start:stop]` has its scalar; None if it holds something else."""
    fields = _fields(record, start, stop, {1, SIMPLE, TENSOR, METADATA})
    if fields is None or 1 not in fields or (SIMPLE in fields) == (TENSOR in fields):
        return None
    first, last = fields.get(METADATA, (0, 0))
    if SIMPLE in fields:
        return Slot(fields[1], fields[SIMPLE], False, "<f4", record[first:last])
    found = scalar_tensor(record, *fields[TENSOR])
    return found and Slot(fields[1], found[0], True, found[1], record[first:last])


def scalar_tensor(record: bytes, start: int, stop: int) -> tuple[tuple[int, int], str] | None:
    """Where a TensorProto without dimensions has its one float or double; None of any other.

    Args:
        record: holds it at `record[start:stop]`, and has passed `validate`.

    Returns: the number's byte range in `record`, and its dtype.
    """
    fields = _fields(record, start, stop, {1, 2, 4, 5, 6})
    if fields is None or 1 not in fields or fields.get(2, (0, 0))[0] != fields.get(2, (0, 0))[1]:
        return None
    kind = varint(record, *fields[1])
    places = [fields[number] for number in (4, 5, 6) if number in fields]
    own = {FLOAT: (5, "<f4", 4), DOUBLE: (6, "<f8", 8)}.get(kind)
    if own is None or len(places) != 1 or (own[0] not in fields and 4 not in fields):
        return None
    return (places[0], own[1]) if places[0][1] - places[0][0] == own[2] else None


def _fields(record: bytes, start: int, stop: int, wanted: set[int]) -> dict[int, tuple[int, int]] | None:
    """Field number -> byte range, if the message has no fields but those wanted, and none of them twice."""
    found = dict[int, tuple[int, int]]()
    for number, _, first, last in walk(record[start:stop]):
        if number not in wanted or number in found:
            return None
        found[number] = start + first, start + last
    return found


def _fixed(
    record: bytes, wall_time: tuple[int, int], step: tuple[int, int], slots: tuple[Slot, ...]
) -> bytes:
    """Ones where another record must equal this one to be a valid event of the same fields."""
    fixed = np.full(len(record), 0xFF, np.uint8)
    fixed[slice(*wall_time)] = 0
    fixed[slice(*step)] = 0x80  # whether the number goes on
    if step[1] - step[0] == 10:
        fixed[step[1] - 1] = 0xFF  # a 64-bit number's tenth byte
    for slot in slots:
        fixed[slice(*slot.number)] = 0
        if record[slice(*slot.tag)].isascii():
            fixed[slice(*slot.tag)] = 0x80  # any other ASCII text will do
    return fixed.tobytes()


def _words(data: bytes) -> NDArray[np.uint64]:
    """The bytes as little-endian uint64, the last filled up with zeros."""
    return np.frombuffer(data + bytes(-len(data) % 8), "<u8")

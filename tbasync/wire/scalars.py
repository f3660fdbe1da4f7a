"""Scalars by column: thousands of (tag, value, step, wall time) become records without a loop over them.

All records of a batch are built as the rows of one uint8 matrix:

    | header 12 | 09 time 8 | 10 step ≤ 10 | 2A … 0A … 0A … tag 15 | value 4 | crc 4 |
                              ^ padded       ^ padded to the longest tag

Each column of the matrix is filled in one numpy operation, the padding is masked out in another, and what
remains is the records in the order in which they were given. The data's CRC is that of the tag's template
(with zeros for time, step and value) xor the contribution of every byte that varies (see `crc.py`); a
record's varying bytes lie at a distance from its end that only its tag and its step's length decide.

The bytes equal those of protobuf's own serializer followed by `record()`; the only exception is a wall
time of exactly 0, which is written and not left out.

Any other summary that ends with one float32, such as one of `encode/v2_scalar.py`, is encoded in the same way: in
place of a tag, a `Series` may be the bytes of the summary before that number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from crc32c import crc32c

from ..proto import Summary
from .crc import contributions, mask
from .event import SUMMARY, event
from .message import delimited
from .record import FOOTER_SIZE, HEADER_SIZE, headers, record

# Below this many records, fixed costs of about 40 numpy calls exceed what a loop over the records costs.
SMALL_BATCH = 24

# Longer summaries, in bytes and without the number, would widen every row of the matrix: they take the loop.
_LONGEST_SERIES = 210
# A job that makes up tags without end must not grow the templates without end.
_MOST_TAGS = 32_768

_TIME = HEADER_SIZE + 1
_STEP_KEY = _TIME + 8
_STEP = _STEP_KEY + 1
_STEP_WIDTH = 10
_MIDDLE = _STEP + _STEP_WIDTH
_VALUE_SIZE = 4
_LENGTHS = 512  # more than the longest data a row can hold

Series: TypeAlias = "str | bytes"
"""A tag; or the bytes of a serialized Summary up to the float32 that ends it."""

_U8 = npt.NDArray[np.uint8]
_U32 = npt.NDArray[np.uint32]
_INT = npt.NDArray[np.intp]


def scalar_summary(tag: str, value: float) -> bytes:
    """The Summary of one scalar in the old style (`simple_value`); beyond float32 it is infinite."""
    name = delimited(1, tag.encode()) if tag else b""
    return delimited(1, name, b"\x15", float32(value))


def scalar_record(series: Series, value: float, step: int, wall_time: float) -> bytes:
    """One scalar as a whole record: the plain way, for few records and for unusual tags."""
    return record(event(wall_time, step, SUMMARY, _summary(series, value)))


def _summary(series: Series, value: float) -> bytes:
    return scalar_summary(series, value) if isinstance(series, str) else series + float32(value)


def float32(value: float) -> bytes:
    """A number as little-endian float32; beyond its range it is infinite."""
    # Whatever the caller's floating-point settings are: at exit this may run on the main thread.
    with np.errstate(all="ignore"):
        packed: bytes = np.float32(value).astype("<f4").tobytes()
        return packed


def tag_of(series: Series) -> str:
    """The tag of a series."""
    if isinstance(series, str):
        return series
    tag: str = Summary.FromString(series + bytes(_VALUE_SIZE)).value[0].tag
    return tag


class _Templates:
    """What is constant for each tag, in arrays that are indexed by the tag's number.

    Attributes:
        ids: tag, or what else stands for the series -> number.
        middles: uint8 (tags, width), the bytes from the summary's key to the value's key, zero-padded.
        present: bool (tags, width), which of them are no padding.
        sizes: intp (tags,), how many those are.
        crcs: uint32 (tags, 11), the CRC of an event whose time, step and value bytes are all zero, by the
            length of its step's varint; column 0 is for an event without a step.
    """

    def __init__(self) -> None:
        self.ids: dict[Series, int] = {}
        self.middles = np.empty((0, 0), np.uint8)
        self.present = np.empty((0, 0), np.bool_)
        self.sizes = np.empty(0, np.intp)
        self.crcs = np.empty((0, _STEP_WIDTH + 1), np.uint32)

    def ids_of(self, tags: Sequence[Series]) -> _INT | None:
        """The numbers of `tags`, learning those that are new; None if one of them is too long for a row."""
        number = self.ids.__getitem__
        try:
            return np.fromiter(map(number, tags), np.intp, len(tags))
        except KeyError:
            new = {tag: _summary(tag, 0.0) for tag in dict.fromkeys(tags) if tag not in self.ids}
        if max(map(len, new.values())) - _VALUE_SIZE > _LONGEST_SERIES:
            return None
        self._learn(new)
        return np.fromiter(map(number, tags), np.intp, len(tags))

    def _learn(self, summaries: Mapping[Series, bytes]) -> None:
        rows = [delimited(SUMMARY, summary)[:-_VALUE_SIZE] for summary in summaries.values()]
        sizes = np.concatenate((self.sizes, np.array([len(row) for row in rows], np.intp)))
        width = int(sizes.max())
        padded = b"".join(row.ljust(width, b"\0") for row in rows)
        known = np.pad(self.middles, ((0, 0), (0, width - self.middles.shape[1])))
        middles = np.concatenate((known, np.frombuffer(padded, np.uint8).reshape(-1, width)))
        present = np.arange(width) < sizes[:, None]
        crcs = np.concatenate((self.crcs, np.array([_template_crcs(row) for row in rows], np.uint32)))
        numbers = zip(summaries, range(len(self.sizes), len(sizes)), strict=True)
        # The arrays are replaced together, with no call in between, and then known: want of memory, or an
        # exception from outside, leaves them as they were or costs some rows that nobody refers to.
        self.middles, self.present, self.sizes, self.crcs = middles, present, sizes, crcs
        self.ids.update(numbers)


def _template_crcs(middle: bytes) -> list[int]:
    tail = middle + bytes(_VALUE_SIZE)
    time = b"\x09" + bytes(8)
    with_step = [crc32c(b"".join((time, b"\x10", bytes(size), tail))) for size in range(1, _STEP_WIDTH + 1)]
    return [crc32c(time + tail), *with_step]


class ScalarEncoder:
    """Encodes batches of scalars; keeps the templates of the tags it has met. For one thread at a time."""

    def __init__(self) -> None:
        self._templates = _Templates()

    def encode(
        self,
        tags: Sequence[Series],
        values: Iterable[float],
        steps: Iterable[int],
        wall_times: Iterable[float],
    ) -> bytes:
        """Records of `len(tags)` scalars, in the order given.

        Args:
            tags: any strings that UTF-8 can encode; or what else a `Series` may be.
            values: written as float32; a finite value beyond its range becomes infinite.
            steps: -2**63 <= step < 2**63.
            wall_times: seconds since the epoch.

        Raises:
            UnicodeEncodeError: a tag holds a lone surrogate. Nothing of the batch is returned then.
            OverflowError: a step or value is outside its range. Likewise.
        """
        if len(self._templates.ids) > _MOST_TAGS:
            self._templates = _Templates()
        count = len(tags)
        ids = self._templates.ids_of(tags) if count >= SMALL_BATCH else None
        if ids is None:
            return b"".join(map(scalar_record, tags, values, steps, wall_times))
        return _records(
            self._templates,
            ids,
            np.fromiter(values, np.float64, count),
            np.fromiter(steps, np.int64, count),
            np.fromiter(wall_times, "<f8", count),
        )


def _records(
    templates: _Templates,
    ids: _INT,
    values: npt.NDArray[np.float64],
    steps: npt.NDArray[np.int64],
    wall_times: npt.NDArray[np.float64],
) -> bytes:
    with np.errstate(all="ignore"):
        value_bytes = values.astype("<f4").view(np.uint8).reshape(-1, _VALUE_SIZE)
    step_bytes, step_sizes = _varints(steps)
    step_fields = step_sizes + (step_sizes > 0)  # with the key
    after_step = templates.sizes.take(ids) + _VALUE_SIZE
    after_time = after_step + step_fields

    middle_end = _MIDDLE + templates.middles.shape[1]
    value_end = middle_end + _VALUE_SIZE
    rows = np.empty((len(ids), value_end + FOOTER_SIZE), np.uint8)
    rows[:, :HEADER_SIZE] = headers(_LENGTHS).take(after_time + 9, axis=0)
    rows[:, HEADER_SIZE] = 0x09
    rows[:, _TIME:_STEP_KEY] = wall_times.view(np.uint8).reshape(-1, 8)
    rows[:, _STEP_KEY] = 0x10
    rows[:, _STEP : _STEP + step_bytes.shape[1]] = step_bytes
    rows[:, _MIDDLE:middle_end] = templates.middles.take(ids, axis=0)
    rows[:, middle_end:value_end] = value_bytes

    crcs = templates.crcs[ids, step_sizes]
    crcs ^= _crc_of_times(wall_times, after_time)
    for place in range(step_bytes.shape[1]):
        crcs ^= _crc_of_bytes(step_bytes[:, place], after_step + step_sizes - (place + 1))
    for place in range(_VALUE_SIZE):
        crcs ^= contributions(_VALUE_SIZE)[_VALUE_SIZE - 1 - place].take(value_bytes[:, place])
    rows[:, value_end:] = mask(crcs).astype("<u4", copy=False).view(np.uint8).reshape(-1, FOOTER_SIZE)

    meant = np.ones(rows.shape, np.bool_)
    meant[:, _STEP_KEY:_MIDDLE] = np.arange(-1, _STEP_WIDTH) < (step_fields - 1)[:, None]
    meant[:, _MIDDLE:middle_end] = templates.present.take(ids, axis=0)
    return rows[meant].tobytes()


def _varints(steps: npt.NDArray[np.int64]) -> tuple[_U8, _INT]:
    """Varints of `steps`, zero-padded: uint8 (steps, longest), and their lengths; 0 has none."""
    unsigned = steps.view(np.uint64)
    sizes = (unsigned > 0).astype(np.intp)
    longest = max(1, -(-int(unsigned.max()).bit_length() // 7))
    padded = np.empty((len(steps), longest), np.uint8)
    for place in range(longest):
        rest = unsigned >> np.uint64(7 * place)
        more = rest > 0x7F
        padded[:, place] = (rest & 0x7F).astype(np.uint8) | (more.view(np.uint8) << np.uint8(7))
        sizes += more
    return padded, sizes


def _crc_of_bytes(column: _U8, distances: _INT) -> _U32:
    """What one byte of each row contributes, each at its own distance from the end of its data."""
    return contributions(_LENGTHS).ravel().take(distances * 256 + column)


def _crc_of_times(wall_times: npt.NDArray[np.float64], after: _INT) -> _U32:
    """What the eight bytes of each time contribute; `after`: the bytes that follow them in each row.

    A batch spans a fraction of a second, so the upper bytes of its times are all the same: what those
    contribute is found once for each distance and not once for each record.
    """
    bits = wall_times.view("<u8")
    differing = int(np.bitwise_or.reduce(bits ^ bits[0]))
    varying = -(-differing.bit_length() // 8)
    table = contributions(_LENGTHS)
    constant = np.zeros(_LENGTHS - 8, np.uint32)
    for place, byte in enumerate(int(bits[0]).to_bytes(8, "little")):
        if place >= varying:
            constant ^= table[7 - place : 7 - place + len(constant), byte]
    crcs = constant.take(after)
    columns = wall_times.view(np.uint8).reshape(-1, 8)
    for place in range(varying):
        crcs ^= _crc_of_bytes(columns[:, place], after + (7 - place))
    return crcs

"""Scalars by column: thousands of (tag, value, step, wall_time) become records without a loop over them.

What is constant for a tag is made once, a template; `rows.py` fills in what varies. The bytes equal those of
protobuf's own serializer followed by `record()`; the only exception is a wall time of exactly 0, which is
written and not left out.

Any other summary that ends with one float32, such as one of `encode/v2_scalar.py`, is encoded in the same way: in
place of a tag, a `Series` may be the bytes of the summary before that number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from crc32c import crc32c

from ..proto import Summary
from .event import SUMMARY, event
from .message import delimited
from .record import record
from .rows import STEP_WIDTH, VALUE_SIZE, Templates, records, table

# Below this many records, fixed costs of about 40 numpy calls exceed what a loop over the records costs.
SMALL_BATCH = 24

# Longer summaries, in bytes and without the number, would widen every row of the matrix: they take the loop.
_LONGEST_SERIES = 210
# A job that makes up tags without end must not grow the templates without end.
_MOST_TAGS = 32_768

Series: TypeAlias = "str | bytes"
"""A tag; or the bytes of a serialized Summary up to the float32 that ends it."""


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
    tag: str = Summary.FromString(series + bytes(VALUE_SIZE)).value[0].tag
    return tag


class _Tags:
    """The tags that were met, and their templates."""

    def __init__(self) -> None:
        self.ids: dict[Series, int] = {}
        self.templates = Templates(
            np.empty(0, "V1"),
            np.empty(0, "V1"),
            np.empty(0, np.intp),
            np.empty((0, STEP_WIDTH + 1), np.uint32),
        )

    def ids_of(self, tags: Sequence[Series]) -> npt.NDArray[np.intp] | None:
        """The numbers of `tags`, learning those that are new; None if one of them is too long for a row."""
        numbers_of = itemgetter(*tags)  # less than half of what `map` costs
        try:
            return np.array(numbers_of(self.ids), np.intp)
        except KeyError:
            new = {tag: _summary(tag, 0.0) for tag in dict.fromkeys(tags) if tag not in self.ids}
        if max(map(len, new.values())) - VALUE_SIZE > _LONGEST_SERIES:
            return None
        self._learn(new)
        return np.array(numbers_of(self.ids), np.intp)

    def _learn(self, summaries: Mapping[Series, bytes]) -> None:
        rows = [delimited(SUMMARY, summary)[:-VALUE_SIZE] for summary in summaries.values()]
        old = self.templates
        sizes = np.concatenate((old.sizes, np.array([len(row) for row in rows], np.intp)))
        width = int(sizes.max())
        padded = b"".join(row.ljust(width, b"\0") for row in rows)
        known = old.middles.view(np.uint8).reshape(len(old.sizes), old.middles.itemsize)
        known = np.pad(known, ((0, 0), (0, width - known.shape[1])))
        middles = np.concatenate((known, np.frombuffer(padded, np.uint8).reshape(-1, width)))
        present = np.arange(width) < sizes[:, None]
        crcs = np.concatenate((old.crcs, np.array([_template_crcs(row) for row in rows], np.uint32)))
        numbers = zip(summaries, range(len(old.sizes), len(sizes)), strict=True)
        # All arrays are replaced by one store, and the tags known after that: want of memory, or an exception from
        # outside, leaves them as they were or costs some rows that nobody refers to.
        self.templates = Templates(table(middles), table(present), sizes, crcs)
        self.ids.update(numbers)


def _template_crcs(middle: bytes) -> list[int]:
    tail = middle + bytes(VALUE_SIZE)
    time = b"\x09" + bytes(8)
    with_step = [crc32c(b"".join((time, b"\x10", bytes(size), tail))) for size in range(1, STEP_WIDTH + 1)]
    return [crc32c(time + tail), *with_step]


class ScalarEncoder:
    """Encodes batches of scalars; keeps the templates of the tags it has met. For one thread at a time."""

    def __init__(self) -> None:
        self._tags = _Tags()
        _prepare()

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
        if len(self._tags.ids) > _MOST_TAGS:
            self._tags = _Tags()
        count = len(tags)
        ids = self._tags.ids_of(tags) if count >= SMALL_BATCH else None
        if ids is None:
            return b"".join(map(scalar_record, tags, values, steps, wall_times))
        return records(
            self._tags.templates,
            ids,
            _packed(f"<{count}d", values),
            _packed(f"<{count}q", steps),
            _packed(f"<{count}d", wall_times),
        )


@cache
def _prepare() -> None:
    """Encodes something, once: tables are made, and whatever numpy makes at a first call.

    That takes two milliseconds, which are better spent before a loop runs than beside it.
    """
    count = 2 * SMALL_BATCH
    tags = _Tags()
    ids = tags.ids_of(["short", "not so short"] * SMALL_BATCH)
    assert ids is not None
    records(tags.templates, ids, np.ones(count), np.arange(100, 100 + count), np.full(count, 1.5e9))


def _packed(format: str, numbers: Iterable[float]) -> npt.NDArray[Any]:
    """Numbers as an array of float64 ("d") or int64 ("q"), for half of what `numpy.fromiter` costs."""
    try:
        return np.frombuffer(struct.pack(format, *numbers), f"<{'i' if format[-1] == 'q' else 'f'}8")
    except struct.error as error:
        raise OverflowError(str(error)) from None

"""What the encoders' tests share: a reader of messages without protobuf, and steady hypothesis settings."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray


def examples(count: int) -> Callable[[Any], Any]:
    """Hypothesis with the same examples in every run, as many as `count`, and no clock."""
    return settings(
        max_examples=count, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )


def fields(message: bytes) -> list[tuple[int, Any]]:
    """The fields of a protobuf message in order: ints for varints, floats for doubles, bytes for the rest."""
    found: list[tuple[int, Any]] = []
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value: Any
            value, at = _varint(message, at)
        elif key & 7 == 1:
            (value,) = struct.unpack_from("<d", message, at)
            at += 8
        else:
            assert key & 7 == 2, f"wire type {key & 7}"
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        found.append((key >> 3, value))
    assert at == len(message)
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


@dataclass(frozen=True)
class Written:
    """A histogram as read back from the bytes of a summary."""

    tag: str
    min: float
    max: float
    num: float
    sum: float
    sum_squares: float
    limits: NDArray[np.float64]
    counts: NDArray[np.float64]


def read_histogram(summary: bytes) -> Written:
    """The one histogram in a serialized `Summary`."""
    ((number, value),) = fields(summary)
    assert number == 1
    (one, tag), (five, histo) = fields(value)
    assert (one, five) == (1, 5)
    numbers, values = zip(*fields(histo), strict=True)
    assert numbers == (1, 2, 3, 4, 5, 6, 7)
    *moments, limits, counts = values
    return Written(tag.decode(), *moments, np.frombuffer(limits, "<f8"), np.frombuffer(counts, "<f8"))


def numpy_histogram(
    values: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limits and counts that should be written for finite float64 values, from numpy's own counts.

    As torch writes them, with values beyond the edges in the outermost buckets and these widened.
    """
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    filled = np.flatnonzero(counts)
    first, end = filled[0], filled[-1] + 1
    limits = edges[first : end + 1].astype(np.float64)
    limits[0], limits[-1] = min(limits[0], values.min()), max(limits[-1], values.max())
    return limits, np.concatenate(([0.0], counts[first:end]))

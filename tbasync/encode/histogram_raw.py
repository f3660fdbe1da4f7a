"""Histograms that are binned already, to the bytes of a `Summary`.

The messages (tensorboard/compat/proto/summary.proto): `Summary` has value=1; `Value` has tag=1 and histo=5;
`HistogramProto` has min=1, max=2, num=3, sum=4, sum_squares=5 as doubles, bucket_limit=6 and bucket=7 as
packed doubles: `bucket_limit[i]` is the upper edge of `bucket[i]`.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..wire.message import varint
from .floats import require_real, widen
from .result import Encoded

_MOMENTS = struct.Struct("<BdBdBdBdBd")  # five fields of wire type 1, each behind its key


def check_histogram_raw(bucket_limits: NDArray[Any], bucket_counts: NDArray[Any]) -> None:
    """Checks the arguments of `histogram_raw` on the caller.

    Raises:
        TypeError: limits or counts that are not real numbers.
        ValueError: limits and counts of more than one dimension, or not as many of the one as of the other.
    """
    require_real("bucket_limits", bucket_limits.dtype)
    require_real("bucket_counts", bucket_counts.dtype)
    if bucket_limits.ndim != 1 or bucket_limits.shape != bucket_counts.shape:
        raise ValueError(
            "bucket_limits and bucket_counts must be one-dimensional and of the same length; "
            f"got shapes {bucket_limits.shape} and {bucket_counts.shape}"
        )


def histogram_raw(
    tag: str,
    min: float,
    max: float,
    num: float,
    sum: float,
    sum_squares: float,
    bucket_limits: NDArray[Any],
    bucket_counts: NDArray[Any],
) -> Encoded:
    """Encodes a distribution that was binned elsewhere, as it is: nothing is trimmed, moved or left out.

    Args:
        tag: the series' name.
        min: the least value.
        max: the greatest value.
        num: the number of values.
        sum: their sum.
        sum_squares: the sum of their squares.
        bucket_limits: the upper edge of each bucket, of shape (n,).
        bucket_counts: the number of values in each bucket, of shape (n,).
    """
    moments = float(min), float(max), float(num), float(sum), float(sum_squares)
    return Encoded(summary_bytes(tag, moments, widen(bucket_limits), widen(bucket_counts)))


def summary_bytes(
    tag: str,
    moments: tuple[float, float, float, float, float],
    limits: NDArray[Any],
    buckets: NDArray[Any],
) -> bytes:
    """A serialized `Summary` of one histogram.

    Args:
        tag: the series' name.
        moments: minimum, maximum, number, sum and sum of squares.
        limits: the upper edge of each bucket, floats of shape (n,).
        buckets: the number of values in each, floats of shape (n,).
    """
    low, high, num, total, squares = moments
    name = tag.encode()
    packed = varint(8 * limits.size)  # as many counts as limits
    histo = _MOMENTS.size + 2 * (1 + len(packed) + 8 * limits.size)
    value = 1 + len(varint(len(name))) + len(name) + 1 + len(varint(histo)) + histo
    return b"".join((
        b"\x0a", varint(value),
        b"\x0a", varint(len(name)), name,
        b"\x2a", varint(histo),
        _MOMENTS.pack(0x09, low, 0x11, high, 0x19, num, 0x21, total, 0x29, squares),
        b"\x32", packed, np.ascontiguousarray(limits, "<f8").data,
        b"\x3a", packed, np.ascontiguousarray(buckets, "<f8").data,
    ))  # fmt: skip

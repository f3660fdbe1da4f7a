"""Histograms as `tf.summary.histogram` writes them: buckets of one width, as rows (left, right, count).

Counts and edges come of the same float64 arithmetic as TensorBoard's `histogram.summary_v2`, in pieces. NaN and
infinities, which make all of that kind's edges NaN or infinite, are left out and counted.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..proto import DataType
from .bins import MAX_BUCKETS
from .floats import finite, flat, require_real
from .pieces import pieces
from .result import Encoded
from .tensor_value import array_bytes
from .v2_value import content, encoded, metadata

DEFAULT_BUCKETS = 30


def check_v2_histogram(dtype: np.dtype[Any], buckets: object) -> int:
    """The number of buckets that are meant; 0 for a negative number, as in TensorBoard.

    Raises:
        TypeError: values that are not real numbers; `buckets` that is no integer.
        ValueError: more than `MAX_BUCKETS` buckets.
    """
    require_real("data", dtype)
    if buckets is None:
        return DEFAULT_BUCKETS
    try:
        count = max(0, operator.index(buckets))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"buckets must be an integer or None, got {type(buckets).__name__}") from None
    if count > MAX_BUCKETS:
        raise ValueError(f"buckets must be at most {MAX_BUCKETS:,}, got {count}")
    return count


def v2_histogram(tag: str, values: NDArray[Any], buckets: int, description: str | None = None) -> Encoded:
    """The distribution of `values`.

    Args:
        tag: the series' name.
        values: real numbers of any shape and dtype (bfloat16 as `floats.BFLOAT16`).
        buckets: how many; all of them are 0 if there are no finite values.
        description: Markdown, shown with the chart.
    """
    elements = flat(values)
    num, low, high = _extent(elements)
    counts = _counts(elements, low, high, buckets) if low < high and buckets else np.zeros(buckets)
    return _of_counts(tag, num, elements.size - num, (low, high), counts, description)


def counted_v2_histogram(tag: str, counted: NDArray[np.float64], description: str | None = None) -> Encoded:
    """A distribution that was counted elsewhere.

    Args:
        tag, description: as above.
        counted: shape (4 + buckets,): how many are finite, how many are not, minimum, maximum, and the counts.
    """
    num, nonfinite, low, high = counted[:4].tolist()
    return _of_counts(tag, int(num), int(nonfinite), (low, high), counted[4:], description)


def _of_counts(
    tag: str,
    num: int,
    nonfinite: int,
    extent: tuple[float, float],
    counts: NDArray[Any],
    description: str | None,
) -> Encoded:
    """`counts` are looked at only if the extent has a width."""
    table = np.zeros((counts.size, 3))
    if num and counts.size:
        table[:, 0], table[:, 1] = _edges(*extent, counts.size)
        if extent[0] == extent[1]:
            table[-1, 2] = num
        else:
            table[:, 2] = counts
    told = metadata("histograms", description)
    data = encoded(tag, told, DataType.DT_DOUBLE, table.shape, content(array_bytes(table, "<f8")))
    return Encoded(data.summary, nonfinite=nonfinite)


def _finite_pieces(elements: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    for piece in pieces(elements.size):
        wide = finite(elements[piece]).astype(np.float64, copy=False)
        if wide.size:
            yield wide


def _extent(elements: NDArray[Any]) -> tuple[int, float, float]:
    """How many elements are finite, and their extremes."""
    num, low, high = 0, math.inf, -math.inf
    for piece in _finite_pieces(elements):
        num += piece.size
        low, high = min(low, float(piece.min())), max(high, float(piece.max()))
    return num, low, high


def _edges(low: float, high: float, buckets: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left and right edges; the last one is `high` to the bit."""
    # Halved, the width of the widest range is no longer infinite; otherwise halving and doubling change nothing.
    half = 0.5 if math.isinf(high - low) else 1.0
    steps = np.arange(buckets + 1, dtype=np.float64)
    edges = (low * half + (high * half - low * half) / buckets * steps) / half
    edges[0], edges[-1] = low, high
    return edges[:-1], edges[1:]


def _counts(elements: NDArray[Any], low: float, high: float, buckets: int) -> NDArray[np.int64]:
    half = 0.5 if math.isinf(high - low) else 1.0
    width = (high * half - low * half) / buckets
    counts = np.zeros(buckets, np.int64)
    for piece in _finite_pieces(elements):
        places = (piece if half == 1 else piece * half) - low * half
        with np.errstate(all="ignore"):  # of subnormal values the width may be 0
            places /= width
        np.floor(places, out=places)
        np.fmax(places, 0, out=places)  # of NaN, which is 0 / 0, and 0, fmax gives 0
        np.minimum(places, buckets - 1, out=places)
        counts += np.bincount(places.astype(np.intp), minlength=buckets)
    return counts

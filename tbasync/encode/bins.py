"""Histogram buckets other than the default ones: every `bins` that numpy takes, bounded, and `max_bins`."""

from __future__ import annotations

import math
import operator
import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .default_bins import default_edges
from .floats import finite, flat, require_real
from .pieces import pieces

Bins: TypeAlias = str | int | NDArray[np.float64]
"""A rule's name, a number of buckets of equal width, or increasing edges."""

DEFAULT = "tensorflow"
"""The name of the default edges, as torch's and tensorboardX's writers call them."""

RULES = ("auto", "doane", "fd", "rice", "scott", "sqrt", "stone", "sturges")
"""The rules of `numpy.histogram_bin_edges`."""

_ACCEPTED = f"one of {', '.join((DEFAULT, *RULES))}, an integer of at least 1, or edges that increase"

MAX_BUCKETS = 65_536
"""The most buckets that a number or a rule gives: 1 MiB of summary. Edges given one by one have no limit."""


def frozen_bins(bins: object) -> Bins:
    """`bins` as the encoder takes it, independent of the caller's object.

    Args:
        bins: `"tensorflow"`, a name of `RULES`, an integer of at least 1, or real edges: a sequence or array
            of one dimension, at least two of them, none NaN, each at or above the one before.

    Raises:
        TypeError, ValueError: for anything else.
    """
    if isinstance(bins, str):
        if bins != DEFAULT and bins not in RULES:
            raise ValueError(f"bins must be {_ACCEPTED}; got {bins!r}")
        return bins
    edges = np.asarray(bins)
    if edges.ndim == 0 and not hasattr(bins, "__index__"):
        raise TypeError(f"bins must be {_ACCEPTED}; got {type(bins).__name__}: {bins!r:.80}")
    if edges.ndim == 0:
        return _at_least_one("bins", bins)
    return _frozen_edges(edges)


def _frozen_edges(edges: NDArray[Any]) -> Bins:
    require_real("bins", edges.dtype)
    if edges.ndim != 1 or edges.size < 2:
        raise ValueError(f"bins must be one-dimensional, with two edges at least; got shape {edges.shape}")
    if np.array_equal(edges, default_edges()):
        return DEFAULT
    edges = edges.astype(np.float64)
    if not (edges[:-1] <= edges[1:]).all():
        raise ValueError("bins must increase from edge to edge, without NaN")
    return edges


def frozen_max_bins(max_bins: object) -> int | None:
    """`max_bins` as the encoder takes it: None, or an integer of at least 1; else TypeError or ValueError."""
    return None if max_bins is None else _at_least_one("max_bins", max_bins)


def _at_least_one(name: str, number: Any) -> int:
    try:
        count = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} must be an integer; got {type(number).__name__}") from None
    if count < 1:
        raise ValueError(f"{name} must be at least 1; got {count}")
    return count


def uniform_edges(low: float, high: float, buckets: int) -> NDArray[np.float64]:
    """Edges of `buckets` buckets of equal width from `low` to `high`, as numpy lays them.

    Where numpy raises, because float64 has too few numbers between `low` and `high` or their difference
    overflows, there are fewer buckets, or a wider range; but always one bucket, and every value inside.
    """
    if low == high:
        low = max(min(low - 0.5, math.nextafter(low, -math.inf)), -sys.float_info.max)
        high = min(max(high + 0.5, math.nextafter(high, math.inf)), sys.float_info.max)
    scale = 1.0 if math.isfinite(high - low) else 2.0
    with np.errstate(over="ignore"):  # of the last edge, before numpy sets it to `high`
        return np.unique(np.linspace(low / scale, high / scale, buckets + 1) * scale)


def count_between(values: NDArray[Any], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many finite elements lie in each bucket, int64 of shape (len(edges) - 1,).

    As `numpy.histogram` counts them as float64, but what lies beyond the edges is in the outermost buckets.
    """
    elements = flat(values)
    inner = edges[1:-1]
    below = np.zeros(edges.size, np.int64)
    for part in pieces(elements.size):
        piece = np.sort(finite(elements[part]))
        below[1:-1] += piece.astype(np.float64, copy=False).searchsorted(inner)
        below[-1] += piece.size
    return np.diff(below)


def merge_buckets(
    counts: NDArray[np.int64], edges: NDArray[np.float64], max_bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Neighbouring buckets merged as torch's `max_bins` does: `len(counts) // max_bins` of them into one.

    That is a whole number of buckets, so that up to twice as many as `max_bins` may be left.
    """
    step = max(counts.size // max_bins, 1)
    starts = np.arange(0, counts.size, step)
    return np.add.reduceat(counts, starts), np.append(edges[starts], edges[-1])

"""Large arrays of 16-bit types: how often each of the 65,536 bit patterns occurs says all there is to say.

Three times as fast as widening every float16 or bfloat16, from some 100,000 elements on.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..rests import offer
from .default_bins import BUCKETS, default_edges
from .floats import widen
from .scratch import Scratch

MANY = 200_000
"""Elements from which on patterns are counted."""

_HELD = 100_000  # elements counted at a time, with the GIL held: 0.2 to 0.3 ms


class Patterns(NamedTuple):
    """The values that occur in an array, finite ones, with how often they do and their default buckets.

    Arrays of one dimension, of the same length; and the number of elements that are not finite.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    buckets: NDArray[np.intp]
    nonfinite: int

    def bucket_counts(self) -> NDArray[np.int64]:
        """The counts by default bucket, int64 of shape (1548,)."""
        return np.bincount(self.buckets, self.counts, BUCKETS).astype(np.int64)  # exact up to 2**53


def count_patterns(elements: NDArray[Any]) -> Patterns:
    """Counts the elements of an array of one dimension and of any real type of 16 bits."""
    bits, counts = elements.view(np.uint16), np.zeros(1 << 16, np.int64)
    with Scratch() as scratch:
        scratch.fit(_HELD)
        for start in range(0, bits.size, _HELD):
            if start:
                offer()
            piece = bits[start : start + _HELD]
            index = scratch.first(piece.size, np.intp)
            np.copyto(index, piece)
            counts += np.bincount(index, minlength=counts.size)
    values, buckets = _meaning(elements.dtype)
    found = (counts.astype(bool) & np.isfinite(values)).nonzero()[0]
    nonfinite = elements.size - int(counts[found].sum())
    return Patterns(values[found].astype(np.float64), counts[found], buckets[found], nonfinite)


@functools.cache
def _meaning(dtype: np.dtype[Any]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """What each pattern of a type stands for, and the default bucket that it lies in."""
    values = widen(np.arange(1 << 16).astype(np.uint16).view(dtype))
    with np.errstate(invalid="ignore"):  # signalling NaN are among the patterns
        buckets = default_edges().searchsorted(values, "right") - 1
    return values, buckets.clip(0, BUCKETS - 1)

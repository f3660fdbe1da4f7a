"""What is written of a distribution: its moments, and the buckets from the first to the last that has a value."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tally import Moments


class Counted(NamedTuple):
    """A distribution, counted.

    Attributes:
        moments: of its values.
        limits: the right edge of each bucket, float64 of shape (n,).
        buckets: how many values are in each, float64 of shape (n,). The first is empty: it is there for its edge,
            the first bucket's left one. Without values there is none.
    """

    moments: Moments
    limits: NDArray[Any]
    buckets: NDArray[Any]

    @classmethod
    def of(cls, moments: Moments, limits: NDArray[np.float64], buckets: NDArray[np.float64]) -> Counted:
        """Widens the outermost limits to the extremes: what was beyond the edges has been counted there."""
        if moments.minimum < limits[0] or moments.maximum > limits[-1]:
            limits = limits.copy()
            limits[0] = min(moments.minimum, limits[0])
            limits[-1] = max(moments.maximum, limits[-1])
        return cls(moments, limits, buckets)

    @classmethod
    def within(cls, moments: Moments, counts: NDArray[np.int64], edges: NDArray[np.float64]) -> Counted:
        """Leaves the empty buckets at both ends out, but for one on the left.

        Args:
            moments: of the values.
            counts: of shape (n,).
            edges: of shape (n + 1,).
        """
        filled = counts.astype(bool).nonzero()[0]
        if not filled.size:
            return cls(moments, np.empty(0), np.empty(0))
        first, end = int(filled[0]), int(filled[-1]) + 1
        buckets = np.zeros(end - first + 1)
        buckets[1:] = counts[first:end]
        return cls.of(moments, edges[first : end + 1], buckets)

"""What a histogram knows of its values: moments, and counts in the default buckets; added piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .default_bins import DefaultCounts
from .floats import Floats, flat, widen
from .patterns import MANY, Patterns, count_patterns
from .pieces import pieces
from .scratch import Scratch

_ROW = 10_000
"""Elements summed at a time. From the next one on OpenBLAS hands a dot product to its own threads, whose idle
spinning would take the processor from the training loop; and up to here both sums are torch's bit for bit."""

_LARGE = 1e140  # the sum of a piece of squares below this cannot overflow; errstate slows every call within


class Moments:
    """Number, extremes, sum and sum of squares of the finite values added, and how many were not finite.

    Sums are made in float64, in rows of 10,000 elements in order: the result does not depend on how the
    values came in pieces, as long as every piece but the last is a multiple of that long.
    """

    __slots__ = ("maximum", "minimum", "nonfinite", "num", "sum", "sum_squares")

    def __init__(self) -> None:
        self.num = self.nonfinite = 0
        self.minimum, self.maximum = math.inf, -math.inf
        self.sum = self.sum_squares = -0.0  # -0.0 + x is x for every x, -0.0 too

    def add(self, piece: Floats, scratch: Scratch) -> Floats:
        """Adds a piece of one dimension, not empty; returns its finite elements (the piece, if all are)."""
        low, high = float(np.minimum.reduce(piece)), float(np.maximum.reduce(piece))
        if not (math.isfinite(low) and math.isfinite(high)):
            finite = piece[np.isfinite(piece)]
            self.nonfinite += piece.size - finite.size
            return self.add(finite, scratch) if finite.size else finite
        if piece.dtype != np.float64:
            wide = scratch.first(piece.size, np.float64)
            np.copyto(wide, piece)
            self.add_finite(wide, low, high)
        elif low > -_LARGE and high < _LARGE:
            self.add_finite(piece, low, high)
        else:
            with np.errstate(all="ignore"):  # sums may be infinite: torch's are too
                self.add_finite(piece, low, high)
        return piece

    def add_finite(self, wide: NDArray[np.float64], low: float, high: float) -> None:
        """Adds finite values, contiguous, of one dimension, whose extremes are known."""
        self.num += wide.size
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        self._add_sums(wide)

    def _add_sums(self, wide: NDArray[np.float64]) -> None:
        whole = wide.size - wide.size % _ROW if wide.size > _ROW else 0
        if whole:
            rows = wide[:whole].reshape(-1, _ROW)
            squares = np.matmul(rows[:, None], rows[:, :, None])  # a dot product for each row, one call
            self._add_up(np.add.reduce(rows, axis=1).tolist(), squares.ravel().tolist())
        if whole < wide.size:
            tail = wide[whole:]
            self._add_up((float(np.add.reduce(tail)),), (float(tail.dot(tail)),))

    def _add_up(self, sums: Iterable[float], squares: Iterable[float]) -> None:
        for row in sums:
            self.sum += row
        for row in squares:
            self.sum_squares += row

    def add_patterns(self, patterns: Patterns) -> None:
        """Adds values that were counted."""
        self.nonfinite += patterns.nonfinite
        if patterns.values.size:
            self.num += int(patterns.counts.sum())
            self.minimum = min(self.minimum, float(patterns.values.min()))
            self.maximum = max(self.maximum, float(patterns.values.max()))
            sums = patterns.values * patterns.counts
            self._add_up((float(sums.sum()),), (float((sums * patterns.values).sum()),))

    @classmethod
    def of(cls, values: NDArray[Any]) -> Moments:
        """The moments of an array of real numbers, of any shape."""
        moments = cls()
        with Scratch() as scratch:
            for _ in finite_pieces(values, moments, scratch):
                pass
        return moments

    def as_tuple(self) -> tuple[float, float, float, float, float]:
        """Minimum, maximum, number, sum and sum of squares; zeros if there was no finite value."""
        if not self.num:
            return 0.0, 0.0, 0.0, 0.0, 0.0
        return self.minimum, self.maximum, float(self.num), self.sum, self.sum_squares

    def merge(self, other: Moments) -> None:
        """Adds what `other` has seen."""
        self.num += other.num
        self.nonfinite += other.nonfinite
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        self._add_up((other.sum,), (other.sum_squares,))


class Tally:
    """Moments and default-bucket counts of everything added."""

    __slots__ = ("counts", "moments")

    def __init__(self) -> None:
        self.moments = Moments()
        self.counts = DefaultCounts()

    @classmethod
    def of(cls, values: NDArray[Any]) -> Tally:
        """The tally of one array."""
        tally = cls()
        tally.add(values)
        return tally

    @classmethod
    def of_counts(cls, counted: NDArray[np.float64]) -> Tally:
        """The tally of values that were counted elsewhere.

        Args:
            counted: float64 of shape (6 + 1548,): finite, nonfinite, minimum, maximum, sum, sum of squares,
                and the counts of the default buckets.
        """
        tally = cls()
        moments = tally.moments
        moments.num, moments.nonfinite = int(counted[0]), int(counted[1])
        moments.minimum, moments.maximum, moments.sum, moments.sum_squares = counted[2:6].tolist()
        tally.counts.add_counts(counted[6:].astype(np.int64))
        return tally

    def add(self, values: NDArray[Any]) -> None:
        """Adds an array of real numbers, of any shape; 0-d, empty, strided and read-only ones too."""
        if values.size >= MANY and values.dtype.itemsize == 2:
            patterns = count_patterns(flat(values))
            self.moments.add_patterns(patterns)
            self.counts.add_counts(patterns.bucket_counts())
            return
        with Scratch() as scratch:
            for piece in finite_pieces(values, self.moments, scratch):
                self.counts.add(piece, scratch)

    def merge(self, other: Tally) -> None:
        """Adds what `other` has seen."""
        self.moments.merge(other.moments)
        self.counts.add_counts(other.counts.counts())


def finite_pieces(values: NDArray[Any], moments: Moments, scratch: Scratch) -> Iterator[Floats]:
    """The finite elements of `values`, piece by piece in C order, each added to `moments` before.

    `scratch` has room for each when it is yielded.
    """
    elements = flat(values)
    for part in pieces(elements.size):
        scratch.fit(part.stop - part.start)
        piece = moments.add(widen(elements[part]), scratch)
        if piece.size:
            yield piece

"""The 1549 edges that TensorBoard's histograms have by default, and an exact, fast count between them.

The edges grow by 1.1 from 1e-12 to about 1e20, mirrored about zero, as in TensorFlow's and torch's writers
(torch keeps them as `SummaryWriter.default_bins`). Bucket `i` holds `edge[i] <= v < edge[i + 1]`; the
outermost buckets also hold whatever lies beyond them, so that no finite value is lost.

How they are counted: the upper 16 bits of a float select a cell, of at most 1/16 of its value in width, so
that at most one edge lies within (edges are 1/10 apart). A table with one word a cell is added to the
float's own bits such that the sum's upper 16 bits are the number of edges below the value: the lower bits
carry over exactly when they reach the edge's. One look-up and one addition an element, no comparison, and
exact. float64 does the same with its own table: a float64 is never rounded to find its bucket.

Within a sign, floats order as their bits do, by magnitude. So a code is `edges at or below v` for positive
values; and for negative ones `_NEGATIVE +` the edges of smaller magnitude, zero among them, because a
negative edge belongs to the bucket nearer to zero. `-0.0` has no edge below it: it counts as zero.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rests import offer
from .floats import Floats
from .scratch import Scratch

_HALF = 774  # positive edges
BUCKETS = 2 * _HALF
"""Buckets between the default edges: 1548."""

_NEGATIVE = _HALF + 1  # the code of -0.0; positive codes run from 0 to 774
_CODES = _NEGATIVE + _HALF + 2  # negative codes run from 0 to 775 above that
_HELD = 100_000  # elements that bincount, which holds the GIL, gets at a time: 0.2 to 0.3 ms


@functools.cache
def default_edges() -> NDArray[np.float64]:
    """The edges, float64 of shape (1549,), increasing, read-only; zero is the one in the middle."""
    growing = itertools.accumulate(itertools.repeat(1.1), lambda edge, ratio: edge * ratio, initial=1e-12)
    positive = list(itertools.takewhile(lambda edge: edge < 1e20, growing))
    edges = np.array([-edge for edge in reversed(positive)] + [0.0] + positive)
    edges.flags.writeable = False
    return edges


class DefaultCounts:
    """How many values lie in each default bucket."""

    __slots__ = ("_carried", "_codes")

    def __init__(self) -> None:
        self._codes = np.zeros(_CODES, np.int64)
        self._carried: NDArray[np.int64] | None = None

    def add(self, piece: Floats, scratch: Scratch) -> None:
        """Counts finite values, of one dimension and contiguous, in memory that `scratch` has room for."""
        word = np.uint32 if piece.dtype == np.float32 else np.uint64
        cells, sums = scratch.first(piece.size, np.intp), scratch.second(piece.size, word)
        found = codes(piece.view(word), cells, sums)
        for start in range(0, found.size, _HELD):
            if start:
                offer()
            self._codes += np.bincount(found[start : start + _HELD], minlength=_CODES)

    def add_counts(self, counts: NDArray[np.int64]) -> None:
        """Adds counts of shape (1548,) that were made elsewhere."""
        self._carried = counts.copy() if self._carried is None else self._carried + counts

    def counts(self) -> NDArray[np.int64]:
        """The counts so far, int64 of shape (1548,); a new array."""
        counts: NDArray[np.int64] = _by_bucket(self._codes[None])[0]
        return counts if self._carried is None else counts + self._carried


def counts_of(codes: NDArray[np.intp], sizes: Sequence[int]) -> NDArray[np.int64]:
    """The counts of several groups of values whose codes are known, int64 of shape (len(sizes), 1548).

    Args:
        codes: of all values, one group behind the other; overwritten.
        sizes: how many values each group has.
    """
    codes += np.repeat(np.arange(len(sizes)) * _CODES, sizes)
    counts = np.bincount(codes, minlength=_CODES * len(sizes))
    return _by_bucket(counts.reshape(-1, _CODES))


def _by_bucket(by_code: NDArray[np.int64]) -> NDArray[np.int64]:
    counts = np.empty((len(by_code), BUCKETS), np.int64)
    counts[:, _HALF:] = by_code[:, :_HALF]
    counts[:, -1] += by_code[:, _HALF]  # at or beyond the last edge
    counts[:, :_HALF] = by_code[:, -2:_NEGATIVE:-1]
    counts[:, 0] += by_code[:, -1]  # beyond the first edge
    counts[:, _HALF] += by_code[:, _NEGATIVE]  # -0.0
    return counts


def codes(bits: NDArray[Any], cells: NDArray[np.intp], sums: NDArray[Any]) -> NDArray[np.intp]:
    """What stands for the bucket of each value, see the module's text; any number for what is not finite.

    Args:
        bits: float32 as uint32, or float64 as uint64, of one dimension.
        cells: memory for the result, of that size.
        sums: working memory of the same size and dtype as `bits`.
    """
    low_bits = 8 * bits.itemsize - 16
    _shift(bits, low_bits, cells)
    table = _table(np.uint32 if bits.itemsize == 4 else np.uint64)
    table.take(cells, out=sums, mode="wrap")  # "wrap" needs no second look at the indices
    np.add(sums, bits, out=sums)
    _shift(sums, low_bits, cells)
    return cells


def _shift(words: NDArray[Any], low_bits: int, upper: NDArray[np.intp]) -> None:
    np.right_shift(words, words.dtype.type(low_bits), out=upper, dtype=words.dtype, casting="unsafe")


@functools.cache
def _table(word: type[np.uint32] | type[np.uint64]) -> NDArray[Any]:
    """For each upper 16 bits, what to add to a float's bits so that the sum's upper 16 bits are its code."""
    edges = default_edges()[_HALF:]
    near: NDArray[Any] = edges.astype(np.float32 if word is np.uint32 else np.float64)
    # The least float at or above a positive edge, and the least magnitude beyond a negative edge.
    reached: NDArray[Any] = np.where(near < edges, np.nextafter(near, np.inf), near)[1:].view(word)
    passed: NDArray[Any] = np.where(near > edges, np.nextafter(near, -np.inf), near).view(word) + 1
    return np.concatenate((_half_table(reached, 0, 0), _half_table(passed, _NEGATIVE, 0x8000)))


def _half_table(thresholds: NDArray[Any], first_code: int, first_cell: int) -> NDArray[Any]:
    """The table of one sign's 32,768 cells, modulo the word's size; `thresholds` are bits without a sign."""
    word = thresholds.dtype.type
    low_bits = word(8 * thresholds.itemsize - 16)
    width = word(1) << low_bits
    starts = np.arange(0x8000, dtype=word) << low_bits
    below = np.searchsorted(thresholds, starts, side="right")
    next_above = np.append(thresholds, ~word(0))[below]
    carries = width - np.minimum(next_above - starts, width)
    codes: NDArray[Any] = (below + first_code).astype(word) << low_bits
    signed_starts = starts + (word(first_cell) << low_bits)
    codes += carries
    codes -= signed_starts
    return codes

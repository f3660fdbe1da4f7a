"""Histograms: the values of an array or an accumulator, counted in buckets, to the bytes of a `Summary`.

Empty buckets at both ends are left out, but for one on the left, which carries the first bucket's lower edge,
as in torch's writer.

Differences to torch's writer, which raises or loses values in these cases:

- NaN and infinities are left out and counted in `Encoded.nonfinite`.
- Values beyond the edges are in the outermost buckets, whose limits are widened to `min` and `max` then, so
  that every value lies within its bucket. (TensorBoard draws from `min` to `max` in any case.)
- An array without finite values gives a histogram with `num` 0 and no buckets.
- bfloat16 keeps its range: torch's writer rounds it to float16.
- `bins` as a number or a rule gives at most `MAX_BUCKETS` buckets.
- Sums of more than 10,000 values are added up row by row: within 1e-12 of torch's, relative to the sum of
  magnitudes; up to there they are the same to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .accumulator import Histogram
from .bin_rules import rule_histogram
from .bins import (
    DEFAULT,
    MAX_BUCKETS,
    Bins,
    count_between,
    frozen_bins,
    frozen_max_bins,
    merge_buckets,
    uniform_edges,
)
from .default_bins import default_edges
from .floats import finite, flat, require_real
from .histogram_raw import summary_bytes
from .result import Encoded
from .tally import Moments, Tally


def check_histogram(
    values: NDArray[Any] | Histogram, bins: object, max_bins: object
) -> tuple[Bins, int | None]:
    """Checks the arguments of `histogram` on the caller, and returns `bins` and `max_bins` frozen.

    Raises:
        TypeError: values that are not real numbers, or a `bins` or `max_bins` of another type.
        ValueError: an unknown rule, a number below 1, edges that do not increase; or any `bins` but the
            default for an accumulator, whose values are in their buckets already.
    """
    edges = frozen_bins(bins)
    if not isinstance(values, Histogram):
        require_real("values", values.dtype)
    elif not _is_default(edges):
        raise ValueError(f"bins must be {DEFAULT!r} for a tbasync.Histogram, binned already; got {bins!r}")
    return edges, frozen_max_bins(max_bins)


def histogram(
    tag: str, values: NDArray[Any] | Histogram | Tally, bins: Bins = DEFAULT, max_bins: int | None = None
) -> Encoded:
    """Encodes the distribution of `values`.

    Args:
        tag: the series' name.
        values: real numbers of any shape and dtype (bfloat16 as `floats.BFLOAT16`), an accumulator, or what
            `together` has made of such numbers.
        bins: the buckets, from `check_histogram`.
        max_bins: merge neighbouring buckets until there are less than twice as many as this.
    """
    if isinstance(values, Histogram):
        values = values.tally
    if isinstance(values, Tally):
        return _of_tally(tag, values, max_bins)
    if _is_default(bins):
        return _of_tally(tag, Tally.of(values), max_bins)
    moments = Moments.of(values)
    counts, edges, notes = _counts(values, bins, moments)
    return _of_counts(tag, moments, counts, edges, max_bins, notes)


def counted_histogram(tag: str, counted: NDArray[np.float64], max_bins: int | None) -> Encoded:
    """Encodes a distribution that was counted elsewhere, see `Tally.of_counts`; `tag`, `max_bins` as above."""
    return _of_tally(tag, Tally.of_counts(counted), max_bins)


def _of_tally(tag: str, tally: Tally, max_bins: int | None) -> Encoded:
    return _of_counts(tag, tally.moments, tally.counts.counts(), default_edges(), max_bins)


def _of_counts(
    tag: str,
    moments: Moments,
    counts: NDArray[np.int64],
    edges: NDArray[np.float64],
    max_bins: int | None,
    notes: tuple[str, ...] = (),
) -> Encoded:
    if max_bins is not None:
        counts, edges = merge_buckets(counts, edges, max_bins)
    limits, buckets = _support(counts, edges, moments)
    summary = summary_bytes(tag, moments.as_tuple(), limits, buckets)
    return Encoded(summary, nonfinite=moments.nonfinite, notes=notes)


def _is_default(bins: Bins) -> bool:
    return isinstance(bins, str) and bins == DEFAULT


def _counts(
    values: NDArray[Any], bins: Bins, moments: Moments
) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[str, ...]]:
    """Counts, edges and what to tell, for any `bins` but the default."""
    if not moments.num:
        return np.zeros(1, np.int64), np.zeros(2), ()
    if isinstance(bins, np.ndarray):
        return count_between(values, bins), bins, ()
    if isinstance(bins, int):
        edges = uniform_edges(moments.minimum, moments.maximum, min(bins, MAX_BUCKETS))
        counts, too_many = count_between(values, edges), bins > MAX_BUCKETS
    else:
        wide = finite(flat(values)).astype(np.float64, copy=False)
        counts, edges, too_many = rule_histogram(wide, bins, MAX_BUCKETS)
    note = f"bins={bins!r} asks for more than {MAX_BUCKETS:,} buckets, which were written instead"
    return counts, edges, (note,) if too_many else ()


def _support(
    counts: NDArray[np.int64], edges: NDArray[np.float64], moments: Moments
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The right limits and counts to write: from an empty bucket, or none, to the last one with a value."""
    filled = counts.astype(bool).nonzero()[0]
    if not filled.size:
        return np.empty(0), np.empty(0)
    first, end = int(filled[0]), int(filled[-1]) + 1
    limits = edges[first : end + 1].copy()
    if moments.minimum < limits[0]:
        limits[0] = moments.minimum
    if moments.maximum > limits[-1]:
        limits[-1] = moments.maximum
    buckets = np.zeros(limits.size)
    buckets[1:] = counts[first:end]
    return limits, buckets

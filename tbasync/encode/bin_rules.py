"""Buckets chosen by a rule, as numpy chooses them; but in bounded memory and time, and without raising.

Rules, and the papers they come from: https://numpy.org/doc/stable/reference/generated/numpy.histogram_bin_edges.html
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .bins import uniform_edges


def rule_edges(
    values: NDArray[np.float64], rule: str, low: float, high: float, most: int
) -> tuple[NDArray[np.float64], bool]:
    """The edges that numpy's `rule` gives for `values`, and whether it asked for more than `most` buckets.

    The same as `numpy.histogram_bin_edges(values, bins=rule)`, except where that would make more than `most`
    buckets, as for an outlier beside a narrow middle: then it is `most`; or where it would raise, because the
    range is too narrow or too wide for float64: then it is as many buckets as Sturges' rule gives.

    Args:
        values: finite, of one dimension, not empty.
        rule: a name of `bins.RULES`.
        low: the least of the values.
        high: the greatest.
        most: buckets, at least 1.
    """
    if low == high:
        return uniform_edges(low, high, 1), False
    fallback = uniform_edges(low, high, int(math.log2(values.size)) + 1)
    if math.isinf(high - low):
        return fallback, False
    if rule == "stone":
        return uniform_edges(low, high, min(_stone(values, low, high), most)), False
    width = _unbounded_width(values, rule)
    if width > 0 and not (high - low) / width <= most:
        if rule == "auto":
            return uniform_edges(low, high, min(_relaxed_auto(values.size, low, high, width), most)), False
        return uniform_edges(low, high, most), True
    try:
        edges = np.histogram_bin_edges(values, bins=rule)
    except (ValueError, OverflowError):
        return fallback, False
    return (edges if edges.size > 1 else fallback), False  # none but one edge for a width that overflowed


def _unbounded_width(values: NDArray[np.float64], rule: str) -> float:
    """The width by a rule that sets no bound to the number of buckets; 0 if it gives none, or for others."""
    if rule == "scott":
        return float((24.0 * math.pi**0.5 / values.size) ** (1.0 / 3.0) * np.std(values))
    if rule not in ("auto", "fd"):
        return 0.0
    upper, lower = np.percentile(values, [75, 25])
    return float(2.0 * (upper - lower) * values.size ** (-1.0 / 3.0))


def _relaxed_auto(n: int, low: float, high: float, fd_width: float) -> int:
    """The number of buckets by `auto` in newer versions of numpy, which bound it; older ones do not."""
    spread = high - low
    width = min(max(fd_width, spread / math.sqrt(n) / 2), spread / (math.log2(n) + 1.0))
    return math.ceil(spread / width)


def _stone(values: NDArray[np.float64], low: float, high: float) -> int:
    """The number of buckets by Stone's rule: the least estimated error among 1 to max(100, √n) buckets.

    numpy makes a histogram of all values for each of these numbers; with the values sorted once it takes a
    binary search for each edge. numpy's warning that the most is the best found would reach nobody here.
    """
    ordered, n, spread = np.sort(values), values.size, high - low
    fewest_error, best = math.inf, 1
    for buckets in range(1, max(100, int(math.sqrt(n))) + 1):
        inner = np.linspace(low, high, buckets + 1)[1:-1]
        share = np.diff(ordered.searchsorted(inner), prepend=0, append=n) / n
        error = float((2 - (n + 1) * share.dot(share)) / (spread / buckets))
        if error < fewest_error:
            fewest_error, best = error, buckets
    width = spread / best
    return math.ceil(spread / width) if width else 1

"""Buckets chosen by a rule, as numpy chooses them; but in bounded memory and time, and without raising.

The rules, and the papers they come from: `numpy.histogram_bin_edges` in numpy's manual.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.lib import NumpyVersion
from numpy.typing import NDArray

from .bins import uniform_edges

Number: TypeAlias = Any
"""A float or a numpy.float64, whose division by zero does not raise: numpy's types do not tell which."""

_AUTO_IS_BOUNDED = NumpyVersion(np.__version__) >= "2.3.0"


def rule_histogram(
    values: NDArray[np.float64], rule: str, most: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """Counts and edges that a rule gives for `values`, and whether it asked for more than `most` buckets.

    As `numpy.histogram(values, bins=rule)`, except where that would make more than `most` buckets, as for an
    outlier beside a narrow middle: then there are `most`; or where it raises, because the range is too narrow
    or too wide for float64: then there are as many as fit, or Sturges' number.

    Args:
        values: finite, of one dimension, not empty.
        rule: a name of `bins.RULES`.
        most: buckets, at least 1.
    """
    ordered = np.sort(values)
    low, high = float(ordered[0]), float(ordered[-1])
    with np.errstate(all="ignore"):
        width = _width(values, ordered, rule) if low < high else 0.0
        asked = np.ceil(np.subtract(high, low) / width) if width else 1.0
    if not asked >= 1:  # the width is NaN or infinite
        asked = np.ceil(np.log2(values.size) + 1.0)
    edges = uniform_edges(low, high, int(min(asked, most)))
    counts = np.diff(ordered.searchsorted(edges[1:-1]), prepend=0, append=values.size)
    return counts, edges, bool(asked > most)


def _width(values: NDArray[np.float64], ordered: NDArray[np.float64], rule: str) -> Number:
    """A bucket's width by the rule; 0 if one bucket is to hold all. Sums are made in the values' order."""
    n = values.size
    spread = ordered[-1] - ordered[0]
    sturges = spread / (np.log2(n) + 1.0)
    if rule == "sturges":
        return sturges
    if rule == "rice":
        return spread / (2.0 * n ** (1.0 / 3))
    if rule == "sqrt":
        return spread / np.sqrt(n)
    if rule == "scott":
        return (24.0 * np.pi**0.5 / n) ** (1.0 / 3.0) * np.std(values)
    if rule == "doane":
        return _doane(values, spread)
    if rule == "stone":
        return _stone(ordered, spread)
    fd = 2.0 * (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) * n ** (-1.0 / 3.0)
    if rule == "fd":
        return fd
    auto = max(fd, spread / np.sqrt(n) / 2) if _AUTO_IS_BOUNDED else fd
    return min(auto, sturges) if auto else sturges


def _quantile(ordered: NDArray[np.float64], share: float) -> Number:
    """As `numpy.percentile` interpolates, rounding included."""
    below = int(share * (ordered.size - 1))
    fraction = share * (ordered.size - 1) - below
    lower, upper = ordered[below], ordered[min(below + 1, ordered.size - 1)]
    step = upper - lower
    return lower + step * fraction if fraction < 0.5 else upper - step * (1 - fraction)


def _doane(values: NDArray[np.float64], spread: Number) -> Number:
    n, deviation = values.size, np.std(values)
    if n <= 2 or not deviation > 0:
        return 0.0
    skew = np.mean(np.power((values - np.mean(values)) / deviation, 3))
    of_normal = np.sqrt(6.0 * (n - 2) / ((n + 1.0) * (n + 3)))
    return spread / (1.0 + np.log2(n) + np.log2(1.0 + np.absolute(skew) / of_normal))


def _stone(ordered: NDArray[np.float64], spread: Number) -> Number:
    """The width with the least estimated error among those of 1 to max(100, √n) buckets.

    numpy makes a histogram of all values for each of these numbers; with the values sorted once it takes a
    binary search for each edge. numpy's warning that the most is the best found would reach nobody here.
    """
    n, fewest_error, best = ordered.size, math.inf, 1
    for buckets in range(1, max(100, int(np.sqrt(n))) + 1):
        inner = np.linspace(ordered[0], ordered[-1], buckets + 1)[1:-1]
        share = np.diff(ordered.searchsorted(inner), prepend=0, append=n) / n
        error = (2 - (n + 1) * share.dot(share)) / (spread / buckets)
        if error < fewest_error:
            fewest_error, best = error, buckets
    return spread / best

"""Distributions: histograms and precision-recall curves."""

from __future__ import annotations

from typing import Any

from ..encode.accumulator import Histogram
from ..encode.histogram import check_histogram, histogram
from ..encode.histogram_raw import check_histogram_raw, histogram_raw
from ..pipeline.freeze import freeze_array, freeze_here
from .base import Pushing


class DistributionMethods(Pushing):
    """`add_histogram`, `add_histogram_raw`."""

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: Any = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
        *,
        copy: bool = True,
    ) -> None:
        """Logs the distribution of many values.

        Args:
            tag: the series' name.
            values: real numbers, in an array, tensor or sequence of any shape, or a `tbasync.Histogram` that
                has gathered them. NaN and infinities are left out and counted in `stats()`; values beyond
                the edges are counted in the outermost buckets; no values at all make an empty histogram.
            global_step: an integer of 64 bits, or None for 0.
            bins: `"tensorflow"` for `default_bins`, or whatever `numpy.histogram` takes: a number, edges, or
                the name of a rule.
            walltime: seconds since the epoch; None is now.
            max_bins: merges neighbouring buckets until there are less than twice as many.
            copy: False hands `values` over: they are not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        if isinstance(values, Histogram):
            frozen: Any = values.copy() if copy else values
        else:
            frozen = freeze_array(values, "values", copy)
        edges, most = check_histogram(frozen, bins, max_bins)
        self._push(tag, global_step, walltime, histogram, (frozen, edges, most))

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: float,
        sum: float,
        sum_squares: float,
        bucket_limits: Any,
        bucket_counts: Any,
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Logs a distribution that has been counted already.

        Args:
            tag: the series' name.
            min, max, num, sum, sum_squares: of the values.
            bucket_limits: shape (buckets,), the upper edge of each bucket, increasing.
            bucket_counts: shape (buckets,), how many values lie in each.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        numbers = {"min": min, "max": max, "num": num, "sum": sum, "sum_squares": sum_squares}
        moments = tuple(float(freeze_here(value, name)) for name, value in numbers.items())
        limits = freeze_here(bucket_limits, "bucket_limits")
        counts = freeze_here(bucket_counts, "bucket_counts")
        check_histogram_raw(limits, counts)
        self._push(tag, global_step, walltime, histogram_raw, (*moments, limits, counts))

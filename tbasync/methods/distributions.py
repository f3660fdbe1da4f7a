"""Distributions: histograms and precision-recall curves."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..encode.accumulator import Histogram
from ..encode.bins import DEFAULT
from ..encode.histogram import check_histogram, counted_histogram, histogram
from ..encode.histogram_raw import check_histogram_raw, histogram_raw
from ..encode.pr_curve import check_pr_curve, counted_pr_curve, pr_curve
from ..encode.pr_curve_raw import MAX_THRESHOLDS, check_pr_curve_raw, pr_curve_raw
from ..pipeline.device import DeviceArray
from ..pipeline.device_bins import COUNTED, bin_tensor
from ..pipeline.device_curves import count_labels
from ..pipeline.freeze import freeze_array, freeze_here, freeze_optional, freeze_scalar_here
from .base import Pushing


class DistributionMethods(Pushing):
    """`add_histogram`, `add_histogram_raw`, `add_pr_curve`, `add_pr_curve_raw`."""

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
        default = isinstance(edges, str) and edges == DEFAULT
        if default and isinstance(frozen, DeviceArray) and frozen.reduces():
            counted = frozen.reduce(bin_tensor, COUNTED)
            self._push(tag, global_step, walltime, counted_histogram, (counted, most))
            return
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
        moments = tuple(freeze_scalar_here(value, name) for name, value in numbers.items())
        limits = freeze_here(bucket_limits, "bucket_limits")
        counts = freeze_here(bucket_counts, "bucket_counts")
        check_histogram_raw(limits, counts)
        self._push(tag, global_step, walltime, histogram_raw, (*moments, limits, counts))

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: Any = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
        *,
        copy: bool = True,
    ) -> None:
        """Logs how precision and recall of a binary classifier depend on its threshold.

        Args:
            tag: the series' name.
            labels: true (1) or false (0) for each element; an array or tensor of any shape.
            predictions: the probability of true, in 0 to 1; of the labels' shape. If one is outside, which
                only the writer thread sees, a warning says so and the curve is not logged.
            global_step: an integer of 64 bits, or None for 0.
            num_thresholds: how many thresholds, evenly spaced; at most 127 are written.
            weights: what each element counts; a number, or of a shape that fits the labels'. None is 1.
            walltime: seconds since the epoch; None is now.
            copy: False hands the arrays over: they are not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        truths = freeze_array(labels, "labels", copy)
        guesses = freeze_array(predictions, "predictions", copy)
        counted = freeze_optional(weights, "weights", copy)
        check_pr_curve(truths, guesses, num_thresholds, counted)
        others = (truths,) if counted is None else (truths, counted)
        if isinstance(guesses, DeviceArray) and guesses.reduces(*others):
            thresholds = min(num_thresholds, MAX_THRESHOLDS)
            counts = guesses.reduce(partial(count_labels, thresholds), 2 + 2 * thresholds, *others)
            self._push(tag, global_step, walltime, counted_pr_curve, (counts, num_thresholds))
            return
        arguments = (truths, guesses, num_thresholds, counted)
        self._push(tag, global_step, walltime, pr_curve, arguments)

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: Any = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Logs a precision-recall curve that has been computed already.

        Args:
            tag: the series' name.
            true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts: shape
                (thresholds,), how many there are at each threshold.
            precision, recall: shape (thresholds,), in 0 to 1.
            global_step: an integer of 64 bits, or None for 0.
            num_thresholds: how many thresholds; at most 127 are announced.
            weights: without effect, as in torch's writer.
            walltime: seconds since the epoch; None is now.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        given = {
            "true_positive_counts": true_positive_counts,
            "false_positive_counts": false_positive_counts,
            "true_negative_counts": true_negative_counts,
            "false_negative_counts": false_negative_counts,
            "precision": precision,
            "recall": recall,
        }
        rows = {name: freeze_here(row, name) for name, row in given.items()}
        check_pr_curve_raw(rows, num_thresholds)
        self._push(tag, global_step, walltime, pr_curve_raw, (*rows.values(), num_thresholds))

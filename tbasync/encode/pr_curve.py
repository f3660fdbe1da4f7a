"""Precision-recall curves: labels and predictions, counted at equally spaced thresholds, to a `Summary`.

The thresholds are `i / (num_thresholds - 1)`, and a prediction at or above one is positive there.

Differences to torch's writer: predictions outside [0, 1] and NaN, which it leaves out without a word, raise;
bfloat16 is not rounded to float16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rests import offer
from .floats import Floats, flat, require_real, widen
from .pr_curve_raw import MAX_THRESHOLDS, check_thresholds, summary_bytes
from .result import Encoded
from .shaped import Shaped

_BLOCK = 65_536  # elements counted at a time, as in numpy's weighted histograms: sums round as torch's do
_POSITIVE = 128  # the bit of a count's index that tells positive labels from negative ones
_LEAST = 1e-7  # the least denominator of precision and recall


def check_pr_curve(
    labels: Shaped, predictions: Shaped, num_thresholds: object, weights: Shaped | None
) -> None:
    """Checks the arguments of `pr_curve` on the caller, as far as shapes and types tell.

    Raises:
        TypeError: arrays that do not hold real numbers, or a `num_thresholds` that is no integer.
        ValueError: labels of another shape than predictions, weights that do not fit them, or no threshold.
    """
    for name, array in (("labels", labels), ("predictions", predictions), ("weights", weights)):
        if array is not None:
            require_real(name, array.dtype)
    if labels.shape != predictions.shape:
        raise ValueError(
            f"labels and predictions must have the same shape; got {labels.shape} and {predictions.shape}"
        )
    if weights is not None and not _fits(weights.shape, predictions.shape):
        raise ValueError(
            f"weights must be a number or fit the predictions' {predictions.shape}; got {weights.shape}"
        )
    check_thresholds(num_thresholds)


def _fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, into) == into
    except ValueError:
        return False


def pr_curve(
    tag: str,
    labels: NDArray[Any],
    predictions: NDArray[Any],
    num_thresholds: int = MAX_THRESHOLDS,
    weights: NDArray[Any] | None = None,
) -> Encoded:
    """Encodes the precision-recall curve of `predictions` against `labels`.

    Args:
        tag: the series' name.
        labels: true (1) or false (0) for each element; any shape. What lies between counts in part to both.
        predictions: the probability of true, in [0, 1]; of the labels' shape.
        num_thresholds: how many thresholds, at least 1; above 127 it is 127.
        weights: what each element counts, or all of them (0-d); of a shape that broadcasts. None is 1.

    Raises:
        ValueError: predictions outside [0, 1] or NaN; labels or weights that are not finite.
    """
    with np.errstate(all="ignore"):  # what is not finite raises in `_encoded`
        thresholds = min(num_thresholds, MAX_THRESHOLDS)
        return _encoded(tag, *_counts(tag, labels, predictions, thresholds, weights), num_thresholds)


def counted_pr_curve(tag: str, counts: NDArray[np.float64], num_thresholds: int) -> Encoded:
    """Encodes the precision-recall curve of elements that have been counted already.

    Args:
        tag: the series' name.
        counts: float64, shape (2 + 2 * thresholds,) for as many thresholds as are written: the least and the
            greatest prediction, NaN if one is and infinite if there are none, and the weights of the positive
            and of the negative labels between each threshold and the next.
        num_thresholds: how many thresholds were asked for.

    Raises:
        ValueError: as `pr_curve`.
    """
    if counts[0] <= counts[1] or np.isnan(counts[0]):
        _check_range(tag, *counts[:2])
    true, false = counts[2:].reshape(2, -1)
    return _encoded(tag, true, false, num_thresholds)


def _encoded(tag: str, true: NDArray[np.float64], false: NDArray[np.float64], num_thresholds: int) -> Encoded:
    if not (np.isfinite(true).all() and np.isfinite(false).all()):
        raise ValueError(f"labels and weights of the PR curve {tag!r} must be finite")
    notes: tuple[str, ...] = ()
    if num_thresholds > MAX_THRESHOLDS:
        notes = (f"num_thresholds={num_thresholds} was cut to {MAX_THRESHOLDS}, as torch's writer does",)
    return Encoded(summary_bytes(tag, _curve(true, false), true.size), notes=notes)


def _counts(
    tag: str, labels: NDArray[Any], predictions: NDArray[Any], thresholds: int, weights: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of positive and negative labels between each threshold and the next, float64 (thresholds,)."""
    true, false = np.zeros(thresholds), np.zeros(thresholds)
    spread = None if weights is None else flat(np.broadcast_to(widen(weights), predictions.shape))
    labels, predictions = flat(labels), flat(predictions)
    for start in range(0, predictions.size, _BLOCK):
        if start:
            offer()
        block = slice(start, start + _BLOCK)
        at = _threshold_indices(tag, predictions[block], thresholds)
        _add_block(true, false, at, labels[block], None if spread is None else spread[block])
    return true, false


def _threshold_indices(tag: str, predictions: NDArray[Any], thresholds: int) -> NDArray[np.uint8]:
    """The index of the last threshold at or below each prediction, as torch rounds it: in their own type."""
    values: Floats = predictions if predictions.dtype == np.float16 else widen(predictions)
    _check_range(tag, values.min(), values.max())
    indices: NDArray[np.uint8] = (values * values.dtype.type(thresholds - 1)).astype(np.uint8)
    return indices


def _check_range(tag: str, low: Any, high: Any) -> None:
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"predictions of the PR curve {tag!r} must lie in [0, 1]; they reach from {low} to {high}"
        )


def _add_block(
    true: NDArray[np.float64],
    false: NDArray[np.float64],
    at: NDArray[np.uint8],
    labels: NDArray[Any],
    weights: Floats | None,
) -> None:
    """Adds a block to `true` and `false`: plain labels as whole numbers, in one pass; others by weight."""
    labels = widen(labels) if labels.dtype.kind == "V" else labels
    positive = labels != 0
    if weights is None and (labels.dtype == np.bool_ or (positive == labels).all()):
        codes = at | (positive.view(np.uint8) * np.uint8(_POSITIVE))
        counts = np.bincount(codes, minlength=2 * _POSITIVE)
        true += counts[_POSITIVE : _POSITIVE + true.size]
        false += counts[: true.size]
        return
    share = labels.astype(np.float64)
    rest = 1.0 - share
    if weights is not None:
        share, rest = share * weights, rest * weights
    true += np.bincount(at, share, minlength=true.size)
    false += np.bincount(at, rest, minlength=true.size)


def _curve(true: NDArray[np.float64], false: NDArray[np.float64]) -> NDArray[np.float64]:
    """The six rows of a curve from what lies between thresholds, float64 of shape (6, thresholds)."""
    tp, fp = np.cumsum(true[::-1])[::-1], np.cumsum(false[::-1])[::-1]
    tn, fn = fp[0] - fp, tp[0] - tp
    precision, recall = tp / np.maximum(_LEAST, tp + fp), tp / np.maximum(_LEAST, tp + fn)
    return np.stack((tp, fp, tn, fn, precision, recall))

"""Precision-recall curves that are counted already, to the bytes of a `Summary`.

A curve is a float32 tensor of shape (6, n), one column a threshold: true positives, false positives, true
negatives, false negatives, precision and recall, as in tensorboard/plugins/pr_curve/metadata.py.

The messages (tensorboard/compat/proto/{summary,tensor,tensor_shape}.proto): `Value` has tag=1, tensor=8 and
metadata=9; `TensorProto` has dtype=1 (1 is DT_FLOAT), tensor_shape=2 and float_val=5; `TensorShapeProto` has
dim=2 and `Dim` size=1; `SummaryMetadata` has plugin_data=1, with plugin_name=1 and content=2; the content
(tensorboard/plugins/pr_curve/plugin_data.proto) is a `PrCurvePluginData`: version=1, 0, and num_thresholds=2.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..wire.message import VARINT, delimited, key, varint
from .floats import require_real, widen
from .result import Encoded

MAX_THRESHOLDS = 127
"""The most thresholds written, as in torch's writer, which cuts larger numbers without a word."""


def check_thresholds(num_thresholds: Any) -> None:
    """Raises TypeError for a number of thresholds that is no integer, ValueError for one below 1."""
    try:
        number = operator.index(num_thresholds)
    except TypeError:
        kind = type(num_thresholds).__name__
        raise TypeError(f"num_thresholds must be an integer; got {kind}") from None
    if number < 1:
        raise ValueError(f"num_thresholds must be at least 1; got {number}")


def check_pr_curve_raw(rows: dict[str, NDArray[Any]], num_thresholds: object) -> None:
    """Checks the arguments of `pr_curve_raw` on the caller.

    Args:
        rows: the six arrays, by the names of their arguments.
        num_thresholds: as given.

    Raises:
        TypeError: rows that do not hold real numbers, or a `num_thresholds` that is no integer.
        ValueError: rows of more than one dimension or of several lengths, or no threshold.
    """
    for name, row in rows.items():
        require_real(name, row.dtype)
    shapes = {name: row.shape for name, row in rows.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"the rows of a PR curve must be one-dimensional and of one length; got {shapes}")
    check_thresholds(num_thresholds)


def pr_curve_raw(
    tag: str,
    true_positive_counts: NDArray[Any],
    false_positive_counts: NDArray[Any],
    true_negative_counts: NDArray[Any],
    false_negative_counts: NDArray[Any],
    precision: NDArray[Any],
    recall: NDArray[Any],
    num_thresholds: int = MAX_THRESHOLDS,
) -> Encoded:
    """Encodes a curve whose six rows, all of shape (n,), were made elsewhere; they are written as they are.

    `num_thresholds` goes into the metadata, cut to 127 as torch's writer does.
    """
    counts = true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts
    rows = np.stack([widen(row).astype(np.float64) for row in (*counts, precision, recall)])
    return Encoded(summary_bytes(tag, rows, min(num_thresholds, MAX_THRESHOLDS)))


def summary_bytes(tag: str, rows: NDArray[np.float64], thresholds: int) -> bytes:
    """A serialized `Summary` of the curve with these six rows, of shape (6, n), announcing `thresholds`."""
    with np.errstate(over="ignore"):  # a weight beyond float32 becomes infinite, as in torch's writer
        floats = rows.astype("<f4").tobytes()
    shape = (delimited(2, key(1, VARINT), varint(size)) for size in rows.shape)
    tensor = delimited(8, key(1, VARINT), varint(1), delimited(2, *shape), delimited(5, floats))
    plugin = delimited(1, b"pr_curves"), delimited(2, key(2, VARINT), varint(thresholds))
    return delimited(1, delimited(1, tag.encode()), tensor, delimited(9, delimited(1, *plugin)))

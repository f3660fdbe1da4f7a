"""Histograms as TensorBoard shows them, against the values that were logged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .tensorboard_server import Bucket


def assert_counts(buckets: list[Bucket], values: NDArray[np.float32]) -> None:
    """`buckets` reach from the least of `values` to the greatest and each counts those up to its right end.

    Left ends tell nothing beyond that: TensorBoard's fast reader may give an empty first bucket the wrong way
    round.
    """
    assert (buckets[0].left, buckets[-1].right) == (values.min(), values.max())
    ends = [bucket.right for bucket in buckets[:-1]]
    counts, _ = np.histogram(values, [-np.inf, *ends, np.inf])
    assert [bucket.number for bucket in buckets] == counts.tolist()

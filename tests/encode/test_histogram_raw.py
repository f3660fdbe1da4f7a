"""Histograms that were binned elsewhere are written as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tbasync.encode.histogram_raw import check_histogram_raw, histogram_raw

from .support import examples, read_histogram

ANY = st.floats()


@examples(100)
@given(st.tuples(ANY, ANY, ANY, ANY, ANY), hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(0, 50))))
def test_equal_to_torch(moments: tuple[float, ...], rows: NDArray[np.float64]) -> None:
    """Any numbers, NaN and infinities too, give the message that torch writes."""
    summary = pytest.importorskip("torch.utils.tensorboard.summary")
    proto = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    theirs = summary.histogram_raw("tag", *moments, rows[0].tolist(), rows[1].tolist())
    ours = proto.Summary.FromString(histogram_raw("tag", *moments, rows[0], rows[1]).summary)
    assert ours.SerializeToString() == theirs.SerializeToString()


@pytest.mark.parametrize("dtype", ["b", "Q", "e", ">f4", "?"])
def test_any_dtype_and_layout(dtype: str) -> None:
    """Limits and counts of any numeric type, strided too, are written as doubles."""
    limits = np.arange(20).astype(dtype)[::-3]
    written = read_histogram(histogram_raw("tag", 1, 2, 3, 4, 5, limits, limits).summary)
    assert written.limits.tolist() == written.counts.tolist() == limits.astype(float).tolist()


@pytest.mark.parametrize(
    ("limits", "counts", "error", "match"),
    [
        (np.zeros(2), np.zeros(3), ValueError, r"same length; got shapes \(2,\) and \(3,\)"),
        (np.zeros((2, 2)), np.zeros((2, 2)), ValueError, "one-dimensional"),
        (np.array(["a"]), np.zeros(1), TypeError, "bucket_limits must hold real numbers"),
        (np.zeros(1), np.zeros(1, complex), TypeError, "bucket_counts must hold real numbers"),
    ],
)
def test_arguments_that_are_refused(
    limits: NDArray[Any], counts: NDArray[Any], error: type[Exception], match: str
) -> None:
    """Limits and counts that do not belong together raise at the call."""
    with pytest.raises(error, match=match):
        check_histogram_raw(limits, counts)
    check_histogram_raw(np.zeros(0), np.zeros(0))

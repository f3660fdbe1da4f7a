"""Buckets other than the default ones: which `bins` are accepted, and where the edges lie."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tbasync.encode.bin_rules import rule_histogram
from tbasync.encode.bins import (
    RULES,
    count_between,
    frozen_bins,
    frozen_max_bins,
    merge_buckets,
    uniform_edges,
)
from tbasync.encode.default_bins import default_edges

from .support import examples

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("bins", ["tensorflow", *RULES])
def test_names_are_accepted(bins: str) -> None:
    """The default's name and numpy's rules stay as they are."""
    assert frozen_bins(bins) == bins


@pytest.mark.parametrize("bins", [5, np.int64(5), np.array(5), np.uint8(5)])
def test_whole_numbers_are_accepted(bins: Any) -> None:
    """A number may be of any integer type; it becomes an int."""
    frozen = frozen_bins(bins)
    assert (type(frozen), frozen) == (int, 5)


def test_edges_are_copied() -> None:
    """Edges become float64 of their own: changing the caller's array later changes nothing."""
    given_edges = np.array([1, 2, 3])
    frozen = frozen_bins(given_edges)
    given_edges[:] = 0
    assert isinstance(frozen, np.ndarray)
    assert (frozen.dtype, frozen.tolist()) == (np.float64, [1.0, 2.0, 3.0])
    floats = np.array([1.0, 2.0])
    assert not np.shares_memory(frozen_bins(floats), floats)


@pytest.mark.parametrize("bins", [[0, 0, 1], (-np.inf, 0.0, np.inf), range(4), [False, True]])
def test_odd_edges_that_numpy_takes(bins: Any) -> None:
    """Equal neighbours, infinite ends and any sequence of real numbers are edges."""
    assert np.array_equal(frozen_bins(bins), np.asarray(bins, float))


@pytest.mark.parametrize(
    ("bins", "error", "match"),
    [
        ("tensorflw", ValueError, "bins must be one of tensorflow, auto.*'tensorflw'"),
        (0, ValueError, "bins must be at least 1; got 0"),
        (-3, ValueError, "bins must be at least 1; got -3"),
        (
            3.0,
            TypeError,
            "bins must be one of tensorflow, .* an integer of at least 1, or edges.*; got float: 3.0",
        ),
        (None, TypeError, "bins"),
        ([1.0], ValueError, r"two edges at least; got shape \(1,\)"),
        ([], ValueError, r"two edges at least; got shape \(0,\)"),
        ([[1, 2], [3, 4]], ValueError, r"one-dimensional.*\(2, 2\)"),
        ([1, 3, 2], ValueError, "increase"),
        ([1, np.nan, 2], ValueError, "increase from edge to edge, without NaN"),
        (["a", "b"], TypeError, "bins must hold real numbers.*<U1"),
        ([1j, 2], TypeError, "complex128"),
    ],
)
def test_bins_that_are_refused(bins: Any, error: type[Exception], match: str) -> None:
    """Every other `bins` raises, saying what was given and what is accepted."""
    with pytest.raises(error, match=match):
        frozen_bins(bins)


def test_max_bins() -> None:
    """`max_bins` is None or an integer of at least 1."""
    assert (frozen_max_bins(None), frozen_max_bins(np.int32(7))) == (None, 7)
    with pytest.raises(ValueError, match="max_bins must be at least 1; got 0"):
        frozen_max_bins(0)
    with pytest.raises(TypeError, match="max_bins must be an integer; got float"):
        frozen_max_bins(1.5)


@examples(200)
@given(FINITE, FINITE, st.integers(1, 500))
def test_uniform_edges_hold_everything(one: float, other: float, buckets: int) -> None:
    """For any two numbers, there is at least one bucket, edges increase and both numbers lie within."""
    low, high = sorted((one, other))
    edges = uniform_edges(low, high, buckets)
    assert 2 <= edges.size <= buckets + 1
    assert (edges[:-1] < edges[1:]).all()
    assert edges[0] <= low <= high <= edges[-1]


@pytest.mark.parametrize("value", [0.0, 1.0, 1e28, -1e300, sys.float_info.max, -sys.float_info.max, 5e-324])
def test_one_value_has_a_bucket(value: float) -> None:
    """A range of no width, wherever it lies, gets one that has."""
    edges = uniform_edges(value, value, 10)
    assert edges[0] <= value <= edges[-1]
    assert edges[0] < edges[-1]


@examples(40)
@given(
    hnp.arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e9, 1e9), fill=st.nothing()),
    st.sampled_from(RULES),
)
@pytest.mark.filterwarnings("ignore:The number of bins estimated may be suboptimal")
def test_rules_equal_numpy(values: NDArray[np.float64], rule: str) -> None:
    """Each rule gives numpy's own counts and edges, unless numpy raises or makes more than allowed."""
    counts, edges, too_many = rule_histogram(values, rule, 10_000)
    assert counts.sum() == values.size
    assert edges[0] <= values.min() <= values.max() <= edges[-1]
    try:
        expected, expected_edges = np.histogram(values, bins=rule)
    except (ValueError, MemoryError, OverflowError):
        return
    if too_many:
        assert edges.size == 10_001 < expected_edges.size
    elif values.min() < values.max():  # numpy's `scott` divides one value's range by what rounding left
        np.testing.assert_array_equal(edges, expected_edges)
        np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("rule", RULES)
def test_rules_on_more_values(rule: str) -> None:
    """With tens of thousands of values, where the rules differ, they still give numpy's counts and edges."""
    rng = np.random.default_rng(0)
    values = np.concatenate((rng.standard_normal(15_000), rng.standard_normal(5_000) * 9 + 20))
    counts, edges, _ = rule_histogram(values, rule, 65_536)
    expected, expected_edges = np.histogram(values, bins=rule)
    np.testing.assert_array_equal(edges, expected_edges)
    np.testing.assert_array_equal(counts, expected)


@examples(150)
@given(
    hnp.arrays(np.float64, st.integers(0, 300), elements=st.floats(-50, 50)),
    st.lists(st.one_of(st.floats(-30, 30), st.sampled_from([-30.0, 0.0, 30.0])), min_size=2, max_size=40),
)
def test_counts_equal_numpy(values: NDArray[np.float64], edges: list[float]) -> None:
    """Counts between any edges, repeated ones too, are numpy's, with what lies beyond in the outermost."""
    bins = np.sort(edges)
    expected = np.histogram(values[(values >= bins[0]) & (values <= bins[-1])], bins)[0]
    expected[0] += (values < bins[0]).sum()
    expected[-1] += (values > bins[-1]).sum()
    np.testing.assert_array_equal(count_between(values, bins), expected)


@pytest.mark.parametrize("rule", RULES)
def test_an_outlier_costs_bounded_memory(rule: str) -> None:
    """An outlier beside a narrow middle makes no rule give more buckets than allowed."""
    values = np.concatenate((np.random.default_rng(1).standard_normal(2499), [1e15]))
    counts, edges, _ = rule_histogram(values, rule, 5000)
    assert counts.size == edges.size - 1 <= 5000
    assert counts.sum() == 2500


def test_merging_is_bounded() -> None:
    """Merged buckets hold what their parts held, and are fewer than twice `max_bins`."""
    counts = np.arange(1548)
    for max_bins in (1, 2, 7, 500, 1000, 1547, 1548, 5000):
        merged, edges = merge_buckets(counts, default_edges(), max_bins)
        assert merged.sum() == counts.sum()
        assert merged.size == edges.size - 1 < 2 * max_bins
        assert (edges[0], edges[-1]) == (default_edges()[0], default_edges()[-1])

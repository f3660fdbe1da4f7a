"""The default buckets: their edges, and that the table behind them counts exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tbasync.encode.default_bins import BUCKETS, DefaultCounts, default_edges
from tbasync.encode.scratch import Scratch

from .support import examples

FLOATS = (np.float32, np.float64)


def counted(values: NDArray[Any]) -> NDArray[np.int64]:
    counts = DefaultCounts()
    with Scratch() as scratch:
        scratch.fit(values.size)
        counts.add(values, scratch)
    return counts.counts()


def reference(values: NDArray[Any]) -> NDArray[np.int64]:
    edges = default_edges()
    return np.histogram(np.clip(values.astype(np.float64), edges[0], edges[-1]), edges)[0]


def test_edges_are_those_of_torch(tmp_path: Any) -> None:
    """All 1549 edges are torch's to the last bit."""
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        assert default_edges().tolist() == writer.default_bins
    assert default_edges().size == 1549 == BUCKETS + 1


def test_edges_cannot_be_changed() -> None:
    """The edges are shared by all histograms, so writing to them is refused."""
    with pytest.raises(ValueError, match="read-only"):
        default_edges()[0] = 0


@pytest.mark.parametrize(
    ("dtype", "word", "low_bits"), [(np.float32, np.uint32, 16), (np.float64, np.uint64, 48)]
)
def test_no_cell_holds_two_edges(dtype: type, word: type, low_bits: int) -> None:
    """The table needs at most one edge a cell: the upper 16 bits of the edges are all different."""
    cells = default_edges()[775:].astype(dtype).view(word) >> word(low_bits)
    assert np.unique(cells).size == 774


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_edges_and_their_neighbours(dtype: type) -> None:
    """Values at each edge, and one step to either side in their own type, lie in the buckets numpy says."""
    with np.errstate(over="ignore"):
        near = default_edges().astype(dtype)
    near = near[np.isfinite(near)]
    steps = (np.nextafter(near, dtype(-np.inf)), near, np.nextafter(near, dtype(np.inf)))
    for values in steps:
        values = values[np.isfinite(values)].astype(np.float32 if dtype is np.float16 else dtype)
        np.testing.assert_array_equal(counted(values), reference(values))


@pytest.mark.parametrize("dtype", FLOATS)
def test_each_value_of_the_upper_bits(dtype: type) -> None:
    """The first, middle and last value of every cell, of both signs, lie in the buckets numpy says."""
    word, low_bits = (np.uint32, 16) if dtype is np.float32 else (np.uint64, 48)
    cells = np.arange(65536, dtype=word) << word(low_bits)
    for low in (0, 1, 1 << (low_bits - 1), (1 << low_bits) - 1):
        values = (cells | word(low)).view(dtype)
        values = values[np.isfinite(values)]
        np.testing.assert_array_equal(counted(values), reference(values))


@pytest.mark.parametrize("dtype", FLOATS)
def test_zeros_and_subnormals(dtype: type) -> None:
    """Both zeros and positive subnormals lie in [0, 1e-12), negative subnormals in [-1e-12, 0)."""
    tiny = np.finfo(dtype).smallest_subnormal
    assert counted(np.array([0.0, -0.0, tiny], dtype))[774] == 3
    assert counted(np.array([-tiny, -3 * tiny], dtype))[773] == 2


@pytest.mark.parametrize("dtype", FLOATS)
def test_beyond_the_edges(dtype: type) -> None:
    """What lies beyond the edges is counted in the outermost buckets."""
    huge = np.finfo(dtype).max
    counts = counted(np.array([huge, 1e28, -1e28, -huge, -huge], dtype))
    assert (counts[0], counts[-1], counts.sum()) == (3, 2, 5)


@examples(100)
@given(hnp.arrays(st.sampled_from(FLOATS), st.integers(1, 200), elements=None, fill=st.nothing()))
def test_any_values(values: NDArray[Any]) -> None:
    """Arrays of any finite values are counted as numpy counts them."""
    values = values[np.isfinite(values)]
    np.testing.assert_array_equal(counted(values), reference(values))


@pytest.mark.parametrize("dtype", FLOATS)
def test_large_piece_is_counted_in_parts(dtype: type) -> None:
    """A piece that is counted in several parts, because counting holds the GIL, loses nothing."""
    values = np.random.default_rng(1).standard_normal(450_001).astype(dtype)
    np.testing.assert_array_equal(counted(values), reference(values))


def test_counts_made_elsewhere_are_added() -> None:
    """Counts that came from elsewhere add up with each other and with values counted here."""
    counts = DefaultCounts()
    for _ in range(2):
        counts.add_counts(np.ones(BUCKETS, np.int64))
    with Scratch() as scratch:
        counts.add(np.array([3.0]), scratch)
    assert sorted(set(counts.counts().tolist())) == [2, 3]

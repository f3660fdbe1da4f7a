"""Small arrays tallied together: the bytes that each alone gives, and nothing taken that has another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tbasync.encode.histogram import histogram
from tbasync.encode.pieces import PIECE
from tbasync.encode.together import MOST, together

DTYPES = st.sampled_from(["f4", "f2", "f8", ">f4", "?", "i1", "u2", "i4", "u8"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9)
ARRAYS: st.SearchStrategy[NDArray[Any]] = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))


def found(arrays: list[NDArray[Any]]) -> dict[int, bytes]:
    """The summaries of what is tallied together, by place."""
    return {
        place: histogram("tag", tally).summary for tallies in together(arrays) for place, tally in tallies
    }


@settings(max_examples=200)
@given(arrays=st.lists(ARRAYS, max_size=8))
def test_each_is_what_it_is_alone(arrays: list[NDArray[Any]]) -> None:
    """Any dtype and shape, in any company; what is left out is not float32, is empty or not finite."""
    summaries = found(arrays)
    for place, array in enumerate(arrays):
        if place in summaries:
            assert summaries[place] == histogram("tag", array).summary
        else:
            wide = (array.dtype.kind != "f" and array.dtype.itemsize > 2) or array.dtype.itemsize == 8
            assert wide or not array.size or not np.isfinite(array).all()


@pytest.mark.parametrize(
    "sizes", [[1], [MOST, 1, MOST], [10_000, 10_001, 20, 8_193], [501] * 300, [MOST] * 9]
)
def test_many_and_large_ones(sizes: list[int]) -> None:
    """Around the row of 10,000 that is summed at a time, and more than fit one group."""
    rng = np.random.default_rng(len(sizes))
    arrays = [(rng.standard_normal(size) * 10.0 ** rng.integers(-9, 9)).astype("f4") for size in sizes]
    groups = list(together(arrays))
    assert [place for group in groups for place, _ in group] == list(range(len(sizes)))
    assert all(sum(arrays[place].size for place, _ in group) <= PIECE for group in groups)
    assert found(arrays) == {place: histogram("tag", array).summary for place, array in enumerate(arrays)}


def test_what_has_another_way_is_left_out() -> None:
    """NaN and infinities beside finite ones, an empty array, a large one, float64, large integers."""
    good = np.linspace(-1, 1, 50, dtype=np.float32)
    bad = good.copy()
    bad[3] = np.nan
    endless = good.copy()
    endless[4] = -np.inf
    others = [np.zeros(0, np.float32), np.zeros(MOST + 1, np.float32), np.zeros(3), np.zeros(3, np.int32)]
    arrays = [bad, good, endless, *others, good.reshape(5, 10).T]
    assert found(arrays) == {place: histogram("tag", arrays[place]).summary for place in (1, 7)}
    assert not list(together([]))

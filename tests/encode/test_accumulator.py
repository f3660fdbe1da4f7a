"""`Histogram`: however values come, the plot is that of one array."""

from __future__ import annotations

import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tbasync.encode.accumulator import Histogram
from tbasync.encode.histogram import check_histogram, histogram

from .support import Written, examples, read_histogram


def written(values: NDArray[Any] | Histogram) -> Written:
    return read_histogram(histogram("tag", values).summary)


def assert_same_plot(gathered: Histogram, values: NDArray[Any]) -> None:
    """Equal buckets, limits, number and extremes; sums equal but for rounding."""
    ours, one = written(gathered), written(values)
    np.testing.assert_array_equal(ours.limits, one.limits)
    np.testing.assert_array_equal(ours.counts, one.counts)
    assert (ours.num, ours.min, ours.max) == (one.num, one.min, one.max)
    finite = values[np.isfinite(values)].astype(np.float64)
    with np.errstate(over="ignore"):
        assert ours.sum == pytest.approx(one.sum, rel=0, abs=1e-12 * float(np.abs(finite).sum()))
    assert ours.sum_squares == pytest.approx(one.sum_squares, rel=1e-12)
    assert gathered.nonfinite == values.size - finite.size


@examples(60)
@given(
    hnp.arrays(
        np.float32, st.integers(0, 300), elements=st.floats(-(2.0**100), 2.0**100, width=32) | st.just(np.nan)
    ),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_any_split_makes_the_same_plot(values: NDArray[np.float32], cuts: list[int]) -> None:
    """Shards, one accumulator merged into another, and single floats all give the plot of the whole."""
    shards = np.split(values, sorted(min(cut, values.size) for cut in cuts))
    by_shard, by_value, merged = Histogram(), Histogram(), Histogram()
    for shard in shards:
        by_shard.update(shard)
        for value in shard.tolist():
            by_value.update(value)
        merged.merge(Histogram(shard))
    for gathered in (by_shard, by_value, merged, merged.copy(), Histogram.from_bytes(by_value.to_bytes())):
        assert_same_plot(gathered, values)


@pytest.mark.parametrize(
    "value", [3, 3.0, True, np.float32(3), np.int8(3), np.array(3.0), np.array([[3]], np.uint16), [3], (3.0,)]
)
def test_one_value_in_any_form(value: Any) -> None:
    """Numbers of Python and numpy, and arrays of one element, count as one value."""
    gathered = Histogram()
    gathered.update(value)
    assert_same_plot(gathered, np.array([float(np.asarray(value).reshape(()))]))


def test_lists_and_nested_lists() -> None:
    """Sequences of numbers are taken as numpy takes them."""
    assert_same_plot(Histogram([[1, 2], [3, 4]]), np.arange(1, 5))


def test_many_single_values_are_counted_in_between() -> None:
    """More single values than are kept waiting lose nothing."""
    gathered = Histogram()
    values = np.random.default_rng(0).standard_normal(10_001)
    for value in values.tolist():
        gathered.update(value)
    assert gathered.num == 10_001
    assert_same_plot(gathered, values)


def test_torch_tensors() -> None:
    """Tensors with gradients, of bfloat16 and without dimensions are taken; NaN among them is counted."""
    torch = pytest.importorskip("torch")
    gathered = Histogram(torch.tensor([1.0, 2.0], requires_grad=True))
    gathered.update(torch.tensor([1e30, float("nan")], dtype=torch.bfloat16))
    gathered.update(torch.tensor(5))
    exact = torch.tensor([1e30], dtype=torch.bfloat16).double().item()
    assert_same_plot(gathered, np.array([1.0, 2.0, exact, np.nan, 5.0]))


@pytest.mark.parametrize("values", ["text", None, [1j], np.array(["a"]), {"a": 1}, Histogram()])
def test_what_is_no_number_is_refused(values: Any) -> None:
    """Anything but real numbers raises TypeError, and nothing is added."""
    gathered = Histogram([1.0])
    with pytest.raises(TypeError, match="values must hold real numbers"):
        gathered.update(values)
    assert gathered.num == 1


def test_ragged_sequences_are_refused() -> None:
    """Sequences of different lengths make no array."""
    with pytest.raises(ValueError, match="inhomogeneous"):
        Histogram([[1.0], [1.0, 2.0]])


def test_clear() -> None:
    """After `clear` nothing is left, neither counted nor waiting."""
    gathered = Histogram(np.arange(10))
    gathered.update(3.0)
    gathered.clear()
    assert_same_plot(gathered, np.array([]))


def test_copies_do_not_share() -> None:
    """A copy keeps what there was; neither sees what the other gathers later."""
    gathered = Histogram([1.0])
    twin = gathered.copy()
    gathered.update(2.0)
    twin.update([3.0, 4.0])
    assert_same_plot(gathered, np.array([1.0, 2.0]))
    assert_same_plot(twin, np.array([1.0, 3.0, 4.0]))


def test_merging_with_itself_doubles() -> None:
    """An accumulator may be merged into itself."""
    gathered = Histogram([1.0, np.nan])
    gathered.update(2.0)
    gathered.merge(gathered)
    assert_same_plot(gathered, np.array([1.0, 2.0, 1.0, 2.0, np.nan, np.nan]))


def test_pickle() -> None:
    """Pickling keeps everything, what is still waiting too."""
    gathered = Histogram(np.array([1e25, np.inf]))
    gathered.update(-3.0)
    again = pickle.loads(pickle.dumps(gathered))
    assert again.to_bytes() == gathered.to_bytes()
    assert repr(again) == "Histogram(num=2, nonfinite=1)"


def test_empty_accumulator() -> None:
    """Without values, an accumulator travels and is written as an empty histogram."""
    again = Histogram.from_bytes(Histogram().to_bytes())
    assert histogram("tag", again) == histogram("tag", np.array([]))


def test_damaged_bytes_are_refused() -> None:
    """Every truncation, and every kind of contradiction, raises ValueError."""
    whole = Histogram([1.0, 2.0, 3.0]).to_bytes()
    for cut in range(len(whole)):
        with pytest.raises(ValueError, match=r"tbasync\.Histogram"):
            Histogram.from_bytes(whole[:cut])
    head = struct.Struct("<4sIQQdddd")
    fields = list(head.unpack_from(whole))
    for at, value in (
        (0, b"TBH2"),
        (1, 2),
        (1, 2**32 - 1),
        (2, 4),
        (4, 9.0),
        (4, float("nan")),
        (5, float("inf")),
    ):
        broken = [*fields[:at], value, *fields[at + 1 :]]
        with pytest.raises(ValueError, match=r"tbasync\.Histogram"):
            Histogram.from_bytes(head.pack(*broken) + whole[head.size :])
    order = np.frombuffer(whole[head.size :][:6], "<u2")
    for buckets in (order[::-1], order * 0 + order[0], order + 2000):
        with pytest.raises(ValueError, match="contradict"):
            Histogram.from_bytes(
                whole[: head.size] + buckets.astype("<u2").tobytes() + whole[head.size + 6 :]
            )


def test_bins_of_an_accumulator() -> None:
    """An accumulator keeps the default buckets: others raise; `max_bins` merges them as for arrays."""
    values = np.random.default_rng(1).standard_normal(500)
    gathered = Histogram(values)
    with pytest.raises(ValueError, match=r"bins must be 'tensorflow' for a tbasync\.Histogram"):
        check_histogram(gathered, 10, None)
    assert check_histogram(gathered, "tensorflow", 30) == ("tensorflow", 30)
    merged = read_histogram(histogram("tag", gathered, max_bins=30).summary)
    expected = read_histogram(histogram("tag", values, max_bins=30).summary)
    np.testing.assert_array_equal(merged.counts, expected.counts)
    np.testing.assert_array_equal(merged.limits, expected.limits)

"""Histograms as they are written: equal to torch's where torch writes one, sensible where it does not."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tbasync.encode.bins import RULES
from tbasync.encode.default_bins import default_edges
from tbasync.encode.floats import BFLOAT16
from tbasync.encode.histogram import check_histogram, histogram

from . import torture
from .support import examples, numpy_histogram, read_histogram

WITHIN = st.floats(-9e19, 9e19)
BINS = st.one_of(
    st.just("tensorflow"),
    st.sampled_from(RULES),
    st.integers(1, 300),
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).map(sorted),
)


def torch_message(values: NDArray[Any], bins: Any, max_bins: int | None) -> Any:
    """The message that torch's writer makes of this call."""
    summary = pytest.importorskip("torch.utils.tensorboard.summary")
    bins = default_edges().tolist() if isinstance(bins, str) and bins == "tensorflow" else bins
    return summary.histogram("tag", values, bins, max_bins=max_bins)


def our_message(values: NDArray[Any], bins: Any, max_bins: int | None) -> Any:
    """The message that tbasync writes, parsed by TensorBoard's own class."""
    proto = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    return proto.Summary.FromString(
        histogram("tag", values, *check_histogram(values, bins, max_bins)).summary
    )


def assert_equal_to_torch(values: NDArray[Any], bins: Any, max_bins: int | None = None) -> None:
    """The whole message is torch's; only equal values of zero may differ in sign."""
    theirs, ours = torch_message(values, bins, max_bins), our_message(values, bins, max_bins)
    for message in (theirs, ours):
        histo = message.value[0].histo
        histo.min, histo.max = histo.min + 0.0, histo.max + 0.0
    assert ours == theirs


@examples(150)
@given(
    hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=20), elements=WITHIN),
    BINS,
    st.none() | st.integers(1, 400),
)
@pytest.mark.filterwarnings("ignore:The number of bins estimated may be suboptimal")
def test_float64_equals_torch(values: NDArray[Any], bins: Any, max_bins: int | None) -> None:
    """Whatever the values, buckets and max_bins: the message is torch's, or torch raises."""
    if isinstance(bins, list):  # beyond the edges, torch loses values
        values = np.clip(values, bins[0], bins[-1])
    try:
        torch_message(values, bins, max_bins)
    except (
        ValueError,
        MemoryError,
        OverflowError,
        IndexError,
    ):  # "Too many bins for data range" and the like
        our_message(values, bins, max_bins)
        return
    assert_equal_to_torch(values, bins, max_bins)


@pytest.mark.parametrize("dtype", ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", ">f4", ">i8"])
@pytest.mark.parametrize("bins", ["tensorflow", "auto", 17])
def test_every_dtype_equals_torch(dtype: str, bins: Any) -> None:
    """Each numeric dtype of numpy gives torch's message, in two dimensions and with strides."""
    rng = np.random.default_rng(3)
    values = (rng.standard_normal((40, 60)) * 50).astype("i8").astype(dtype)
    assert_equal_to_torch(values, bins)
    assert_equal_to_torch(values[::-2, 5::3].T, bins)


@pytest.mark.parametrize("dtype", ["q", "Q"])
def test_large_integers_equal_torch(dtype: str) -> None:
    """Integers beyond 2^53 are rounded to float64 as torch rounds them, up to the largest uint64."""
    info = np.iinfo(dtype)
    values = np.array([info.min, info.max, info.max - 1, 2**53 + 1, 2**62 + 1, 7], dtype)
    assert_equal_to_torch(values, "tensorflow")


@pytest.mark.parametrize("size", [1, 9_999, 10_000])
def test_sums_are_torchs_to_the_last_bit(size: int) -> None:
    """Up to 10,000 values, sum and sum of squares are the same float64s."""
    assert_equal_to_torch(np.random.default_rng(4).standard_normal(size).astype(np.float32), "tensorflow")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_pieces(dtype: type) -> None:
    """A quarter of a million values: buckets and extremes are torch's, sums within 1e-12 of magnitudes."""
    values = np.random.default_rng(5).standard_normal(250_007).astype(dtype)
    ours, theirs = our_message(values, "tensorflow", None), torch_message(values, "tensorflow", None)
    mine, other = ours.value[0].histo, theirs.value[0].histo
    magnitude = float(np.abs(values).astype(np.float64).sum())
    assert mine.sum == pytest.approx(other.sum, rel=0, abs=1e-12 * magnitude)
    assert mine.sum_squares == pytest.approx(other.sum_squares, rel=1e-12, abs=0)
    mine.sum = mine.sum_squares = other.sum = other.sum_squares = 0
    assert ours == theirs


def test_default_bins_given_as_edges() -> None:
    """The default edges given as a list, as from a writer's `default_bins`, are the default."""
    values = np.random.default_rng(6).standard_normal(1000)
    given_edges = histogram("tag", values, *check_histogram(values, default_edges().tolist(), None))
    assert given_edges == histogram("tag", values)


def test_random_arrays() -> None:
    """A few thousand arrays of every type, layout and content, against numpy's own counts."""
    rng = np.random.default_rng(7)
    with np.errstate(all="ignore"):
        kinds = {torture.check(torture.draw(rng)) for _ in range(2000)}
    assert kinds == {"empty", "not finite", "beyond the edges", "plain"}


@pytest.mark.parametrize("bins", ["tensorflow", *RULES, 1, 10, [-1.0, 0.0, 1.0], [-np.inf, 0.0, np.inf]])
@pytest.mark.parametrize(
    "values",
    [
        [],
        [np.nan],
        [np.inf, -np.inf, np.nan],
        [1.0],
        [0.0, -0.0],
        [-0.0],
        [5e-324, -5e-324],
        [5e-324, 5e-324, 1e-323, -5e-324],
        [1e28, -1e28],
        [1.0, np.nextafter(1.0, 2.0)],
        [0.1] * 1000,
        [1e308, -1e308, 1.7e308],
        [1.7976931348623157e308],
        [-1.7976931348623157e308],
        [1e300, np.nan, 1.0],
        [0.0] * 999 + [1e18],
        [*range(100), 1e15],
    ],
)
def test_torture(values: list[float], bins: Any) -> None:
    """No values and no buckets raise or warn; each finite value is counted; limits increase and hold all."""
    array = np.array(values)
    for dtype in (np.float64, np.float32, np.float16):
        with np.errstate(over="ignore"):
            cast = array.astype(dtype)
        encoded = histogram("tag", cast, *check_histogram(cast, bins, None))
        written = read_histogram(encoded.summary)
        finite = cast[np.isfinite(cast)].astype(np.float64)
        assert encoded.nonfinite == array.size - finite.size
        assert written.counts.sum() == written.num == finite.size
        assert (written.limits[:-1] <= written.limits[1:]).all()
        if finite.size:
            assert (written.min, written.max) == (finite.min(), finite.max())
            assert written.limits[0] <= finite.min()
            assert finite.max() <= written.limits[-1]


def test_not_finite_elements_are_left_out() -> None:
    """NaN and infinities among others are counted apart; the rest is as if they had not been there."""
    values = np.random.default_rng(8).standard_normal(120_000).astype(np.float32)
    spoilt = values.copy()
    spoilt[[5, 60_000]], spoilt[100_001] = np.nan, -np.inf
    encoded = histogram("tag", spoilt)
    written = read_histogram(encoded.summary)
    finite = spoilt[np.isfinite(spoilt)].astype(np.float64)
    limits, counts = numpy_histogram(finite, default_edges())
    assert encoded.nonfinite == 3
    np.testing.assert_array_equal(written.counts, counts)
    np.testing.assert_array_equal(written.limits, limits)


def test_values_beyond_the_edges_widen_the_outermost_limits() -> None:
    """Values that torch loses are in the first and last bucket, whose limits reach to them."""
    values = np.array([-7.0, 0.5, 1.5, 1.6, 30.0])
    written = read_histogram(histogram("tag", values, *check_histogram(values, [0, 1, 2], None)).summary)
    assert written.limits.tolist() == [-7.0, 1.0, 30.0]
    assert written.counts.tolist() == [0.0, 2.0, 3.0]


def test_outlier_cannot_exhaust_memory() -> None:
    """Rules and numbers that ask for billions of buckets get 65,536, and a note says so."""
    values = np.concatenate((np.random.default_rng(9).standard_normal(1000), [1e15]))
    for bins in ("fd", 10**9):
        encoded = histogram("tag", values, *check_histogram(values, bins, None))
        assert read_histogram(encoded.summary).limits.size <= 65_537
        assert encoded.notes == (
            f"bins={bins!r} asks for more than 65,536 buckets, which were written instead",
        )
    assert histogram("tag", values, "sqrt").notes == ()


def test_bfloat16_keeps_its_range() -> None:
    """bfloat16 bits count as the float32 values they stand for, far beyond float16's range."""
    values = np.array([1e30, -3e-20, 1.0, 2.0], np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    exact = (bits.astype(np.uint32) << 16).view(np.float32)
    assert histogram("tag", bits.view(BFLOAT16)) == histogram("tag", exact)


def test_ml_dtypes_arrays() -> None:
    """Arrays of ml_dtypes' bfloat16 and float8 types count as the float32 values they hold."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([-2.5, 0.0, 1.0, 96.0])
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
        cast = values.astype(dtype)
        check_histogram(cast, "tensorflow", None)
        assert histogram("tag", cast) == histogram("tag", values.astype(np.float32))


def test_values_are_not_changed() -> None:
    """Encoding neither needs nor uses write access to the values."""
    values = np.random.default_rng(10).standard_normal(70_000)
    before = values.copy()
    values.flags.writeable = False
    for bins in ("tensorflow", "fd", "stone", 20):
        histogram("tag", values, bins)
    np.testing.assert_array_equal(values, before)


def test_unicode_tag_and_long_tag() -> None:
    """Tags are written as UTF-8, of any length."""
    for tag in ("", "ähnlich/β", "x" * 5000):
        assert read_histogram(histogram(tag, np.arange(3)).summary).tag == tag


def test_empty_histogram_is_read_by_tensorboard() -> None:
    """TensorBoard turns a histogram without values into one without buckets."""
    data_compat = pytest.importorskip("tensorboard.data_compat")
    tensor_util = pytest.importorskip("tensorboard.util.tensor_util")
    message = our_message(np.array([np.nan]), "tensorflow", None)
    assert message.value[0].WhichOneof("value") == "histo"
    migrated = data_compat.migrate_value(copy.deepcopy(message.value[0]))
    assert tensor_util.make_ndarray(migrated.tensor).shape == (0, 3)


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        (np.zeros(3, complex), TypeError, "values .* complex128"),
        (np.array(["a"]), TypeError, "values .* <U1"),
        (np.array([None]), TypeError, "values .* object"),
        (np.array(["2024-01-01"], "M8[D]"), TypeError, "values .* datetime64"),
    ],
)
def test_values_that_are_no_numbers_are_refused(values: NDArray[Any], error: type, match: str) -> None:
    """Arrays that do not hold real numbers raise at the call, naming the argument and the dtype."""
    with pytest.raises(error, match=match):
        check_histogram(values, "tensorflow", None)


@pytest.mark.parametrize("dtype", ["e", "h", "H", ">f2", "bfloat16"])
def test_large_arrays_of_16_bits(dtype: str) -> None:
    """A quarter of a million values of 16 bits, every pattern among them, are counted as numpy counts."""
    bits = np.random.default_rng(11).integers(0, 1 << 16, 250_000).astype(np.uint16)
    values = bits.view(BFLOAT16 if dtype == "bfloat16" else dtype)
    encoded = histogram("tag", values.reshape(500, 500).T)
    written = read_histogram(encoded.summary)
    wide = torture.as_float64(values)
    finite = wide[np.isfinite(wide)]
    limits, counts = numpy_histogram(finite, default_edges())
    np.testing.assert_array_equal(written.limits, limits)
    np.testing.assert_array_equal(written.counts, counts)
    assert (written.num, encoded.nonfinite) == (finite.size, wide.size - finite.size)
    assert (written.min, written.max) == (finite.min(), finite.max())
    assert written.sum == pytest.approx(finite.sum(), rel=0, abs=1e-12 * np.abs(finite).sum())
    assert written.sum_squares == pytest.approx(finite.dot(finite), rel=1e-12)

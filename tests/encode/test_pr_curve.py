"""Precision-recall curves: the thresholds and counts are torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tbasync.encode.floats import BFLOAT16
from tbasync.encode.pr_curve import check_pr_curve, pr_curve
from tbasync.encode.pr_curve_raw import check_pr_curve_raw, pr_curve_raw

from .support import examples

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=30)
LABELS = (np.bool_, np.uint8, np.int64, np.float32, np.float64)
PREDICTIONS = (np.float16, np.float32, np.float64)


def assert_equal_to_torch(
    labels: NDArray[Any], predictions: NDArray[Any], num_thresholds: int = 127, weights: Any = None
) -> None:
    """The bytes are those that torch's message serializes to."""
    summary = pytest.importorskip("torch.utils.tensorboard.summary")
    theirs = summary.pr_curve("tag", labels, predictions, num_thresholds, weights)
    weights = None if weights is None else np.asarray(weights)
    check_pr_curve(labels, predictions, num_thresholds, weights)
    ours = pr_curve("tag", labels, predictions, num_thresholds, weights)
    assert ours.summary == theirs.SerializeToString()


@examples(40)
@given(st.data(), SHAPES, st.integers(1, 200), st.sampled_from(LABELS), st.sampled_from(PREDICTIONS))
def test_equal_to_torch(
    data: st.DataObject, shape: tuple[int, ...], thresholds: int, label: type, prediction: type
) -> None:
    """For any labels, predictions, shapes and numbers of thresholds, with and without weights."""
    labels = data.draw(hnp.arrays(label, shape, elements=st.integers(0, 1)))
    grid = st.integers(0, 126).map(lambda i: i / 126)
    predictions = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 1) | grid)).astype(prediction)
    each = hnp.arrays(np.float64, shape, elements=st.floats(0, 5))
    weights = data.draw(st.none() | st.floats(0, 3) | each)
    assert_equal_to_torch(labels, predictions, thresholds, weights)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label", LABELS)
def test_many_blocks_equal_torch(label: type, weighted: bool) -> None:
    """With several blocks of values, sums still round as torch's do."""
    rng = np.random.default_rng(0)
    predictions = rng.random(200_001).astype(np.float32)
    labels = (rng.random(predictions.size) < predictions).astype(label)
    assert_equal_to_torch(labels, predictions, 127, rng.random(predictions.size) if weighted else None)


def test_labels_between_true_and_false() -> None:
    """Soft labels count in part to both sides, as in torch."""
    rng = np.random.default_rng(1)
    assert_equal_to_torch(rng.random((50, 60)), rng.random((50, 60)))
    assert_equal_to_torch(rng.integers(0, 4, 100), rng.random(100))


def test_float32_weights_and_broadcast_weights() -> None:
    """Weights may be of any float type, and of any shape that broadcasts."""
    rng = np.random.default_rng(2)
    labels, predictions = rng.random((40, 5)) < 0.5, rng.random((40, 5))
    assert_equal_to_torch(labels, predictions, weights=rng.random(5).astype(np.float32))
    assert_equal_to_torch(labels, predictions, weights=rng.integers(0, 9, (40, 1)))


def test_predictions_that_are_whole_numbers() -> None:
    """Hard decisions, as bool or as integers, are probabilities of 0 and 1."""
    labels = np.array([True, True, False, False])
    for dtype in (np.bool_, np.int8, np.uint64):
        assert_equal_to_torch(labels, np.array([1, 0, 1, 0]).astype(dtype))


def test_strided_and_read_only_arrays() -> None:
    """Views, in any order of memory, and arrays that must not be written to."""
    rng = np.random.default_rng(3)
    labels, predictions = rng.random((30, 40)) < 0.5, rng.random((30, 40))
    labels.flags.writeable = predictions.flags.writeable = False
    assert_equal_to_torch(labels[::-2, 1::3].T, predictions[::-2, 1::3].T)


def test_bfloat16_is_exact() -> None:
    """bfloat16 labels, predictions and weights count as the float32 values they stand for."""
    values = np.array([0.0, 0.25, 0.5, 1.0], np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16).view(BFLOAT16)
    check_pr_curve(bits, bits, 127, bits)
    assert pr_curve("tag", bits, bits, 127, bits) == pr_curve("tag", values, values, 127, values)


def test_empty_curve() -> None:
    """Nothing to count gives a curve of zeros, as in torch."""
    assert_equal_to_torch(np.zeros(0, bool), np.zeros(0))


def test_more_thresholds_than_are_written() -> None:
    """Above 127, the number is cut as torch cuts it, and a note says so."""
    rng = np.random.default_rng(4)
    labels, predictions = rng.random(50) < 0.5, rng.random(50)
    cut = pr_curve("tag", labels, predictions, 1000)
    assert cut.summary == pr_curve("tag", labels, predictions, 127).summary
    assert cut.notes == ("num_thresholds=1000 was cut to 127, as torch's writer does",)
    assert pr_curve("tag", labels, predictions, 127).notes == ()


@pytest.mark.parametrize("bad", [-1e-9, 1.0000001, np.nan, np.inf, -np.inf])
def test_predictions_outside_their_range(bad: float) -> None:
    """A prediction outside [0, 1], or NaN, anywhere, raises and names tag and range."""
    predictions = np.full(70_000, 0.5)
    predictions[-1] = bad
    with pytest.raises(ValueError, match=r"predictions of the PR curve 'the tag' must lie in \[0, 1\]"):
        pr_curve("the tag", np.ones(70_000, bool), predictions)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_labels_and_weights_that_are_not_finite(bad: float) -> None:
    """NaN and infinite labels or weights raise and name the tag."""
    half = np.array([0.5, 0.5])
    for labels, weights in ((np.array([1.0, bad]), None), (np.array([1.0, 0.0]), np.array([bad, 1.0]))):
        with pytest.raises(ValueError, match="labels and weights of the PR curve 'tag' must be finite"):
            pr_curve("tag", labels, half, weights=weights)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((np.zeros(3), np.zeros(4), 127, None), ValueError, r"same shape; got \(3,\) and \(4,\)"),
        ((np.zeros((3, 1)), np.zeros(3), 127, None), ValueError, r"same shape; got \(3, 1\) and \(3,\)"),
        ((np.zeros(3), np.zeros(3), 127, np.zeros(2)), ValueError, r"weights .* \(3,\); got \(2,\)"),
        ((np.zeros(3), np.zeros(3), 127, np.zeros((2, 3))), ValueError, r"weights .* got \(2, 3\)"),
        ((np.zeros(3), np.zeros(3), 0, None), ValueError, "num_thresholds must be at least 1; got 0"),
        ((np.zeros(3), np.zeros(3), 12.0, None), TypeError, "num_thresholds must be an integer; got float"),
        ((np.array(["a"]), np.zeros(1), 127, None), TypeError, "labels must hold real numbers"),
        ((np.zeros(1), np.zeros(1, complex), 127, None), TypeError, "predictions must hold real numbers"),
        ((np.zeros(1), np.zeros(1), 127, np.array(["a"])), TypeError, "weights must hold real numbers"),
    ],
)
def test_arguments_that_are_refused(arguments: Any, error: type[Exception], match: str) -> None:
    """Shapes and types that cannot be right raise at the call, naming the argument and what was given."""
    with pytest.raises(error, match=match):
        check_pr_curve(*arguments)


@examples(60)
@given(hnp.arrays(np.float32, st.tuples(st.just(6), st.integers(1, 150))), st.integers(1, 300))
def test_raw_equals_torch(rows: NDArray[np.float32], thresholds: int) -> None:
    """Rows of any floats are written as torch writes them."""
    summary = pytest.importorskip("torch.utils.tensorboard.summary")
    theirs = summary.pr_curve_raw("tag", *rows, thresholds)
    assert pr_curve_raw("tag", *rows, thresholds).summary == theirs.SerializeToString()


def test_raw_rows_that_are_refused() -> None:
    """Rows of several lengths, of more dimensions or of other types raise at the call."""
    names = ("true_positive_counts", "false_positive_counts", "precision", "recall")
    rows = {name: np.zeros(4) for name in names}
    check_pr_curve_raw(rows, 4)
    with pytest.raises(ValueError, match=r"one length; got .*'recall': \(3,\)"):
        check_pr_curve_raw(rows | {"recall": np.zeros(3)}, 4)
    with pytest.raises(ValueError, match="one-dimensional"):
        check_pr_curve_raw({name: np.zeros((2, 2)) for name in rows}, 4)
    with pytest.raises(TypeError, match="precision must hold real numbers"):
        check_pr_curve_raw(rows | {"precision": np.array(["a"] * 4)}, 4)
    with pytest.raises(ValueError, match="num_thresholds"):
        check_pr_curve_raw(rows, 0)


def test_tensorboard_reads_the_curve() -> None:
    """TensorBoard's own reader finds the plugin, the number of thresholds and the six rows."""
    proto = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    metadata = pytest.importorskip("tensorboard.plugins.pr_curve.metadata")
    tensor_util = pytest.importorskip("tensorboard.util.tensor_util")
    labels, predictions = np.array([True, False, True]), np.array([0.9, 0.4, 0.1])
    (value,) = proto.Summary.FromString(pr_curve("tag", labels, predictions, 11).summary).value
    assert value.metadata.plugin_data.plugin_name == metadata.PLUGIN_NAME
    assert metadata.parse_plugin_metadata(value.metadata.plugin_data.content).num_thresholds == 11
    rows = tensor_util.make_ndarray(value.tensor)
    assert rows.shape == (6, 11)
    assert rows[:, 0].tolist() == [2, 1, 0, 0, pytest.approx(2 / 3), 1]
    assert rows[:, 9].tolist() == [1, 0, 1, 1, 1, 0.5]

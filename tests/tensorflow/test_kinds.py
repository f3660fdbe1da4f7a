"""Every kind of summary, against TensorFlow's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.encode.support import examples

from .support import assert_same, tf

NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
DESCRIPTIONS = st.none() | st.text(st.characters(codec="utf-8"), max_size=12)
STEPS = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)
# TensorFlow keeps the single numbers it has met, by value, and so may take -0.0 for 0.0.
NUMBERS = FLOAT32.map(lambda value: value + 0.0)


def without_minus_zero(data: Any) -> Any:
    """The same numbers, with 0.0 for -0.0."""
    return data + data.dtype.type(0) if data.dtype.kind in "fc" else data


@examples(60)
@given(NAMES, NUMBERS | st.integers(-(2**31), 2**31 - 1) | st.booleans(), STEPS, DESCRIPTIONS)
def test_scalar(name: str, data: float, step: int, description: str | None) -> None:
    """Any number, name, step and description give the same message."""
    assert_same(lambda summary: summary.scalar(name, data, step=step, description=description))


@pytest.mark.parametrize("data", [math.nan, math.inf, -math.inf, 1e-45, 2**40])
def test_unusual_scalars(data: float) -> None:
    """NaN, infinities, subnormal numbers and integers beyond 32 bits."""
    assert_same(lambda summary: summary.scalar("x", data, 1))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_numpy_scalars(dtype: str) -> None:
    """Numbers and 0-d arrays of every dtype; large float64 become infinite."""
    number = np.array(1).astype(dtype)
    assert_same(
        lambda summary: [summary.scalar("x", number, 1), summary.scalar("x", number[()], np.int16(2))]
    )
    assert_same(lambda summary: summary.scalar("x", np.float64(1e300), 1))


def test_many_scalars_are_encoded_by_column() -> None:
    """A batch long enough for the fast way, with several tags, descriptions and lengths of steps."""

    def log(summary: Any) -> None:
        for step in range(2_000):
            summary.scalar("ab"[step % 2] * (1 + step % 3), step / 7, step**3)
            if step % 5 == 0:
                summary.scalar("described", -step, -step, "why")

    assert_same(log)


ARRAYS = hnp.arrays(
    st.sampled_from(["f2", "f4", "f8", "i4", "i8", "u1", "?"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
)


@examples(80)
@given(ARRAYS, st.none() | st.integers(-2, 40), DESCRIPTIONS)
@example(np.array([5e-324, 1e-323]), 30, None)
@example(np.full(7, 3.25), 4, "all the same")
def test_histogram(data: Any, buckets: int | None, description: str | None) -> None:
    """Edges and counts are the same to the last bit, for finite values of every dtype and shape."""
    with np.errstate(all="ignore"):
        finite = without_minus_zero(np.nan_to_num(data)) if data.dtype.kind == "f" else data
        wide = finite.astype(np.float64)
        spread = wide.max() - wide.min() if wide.size else 0.0
    assume(math.isfinite(spread))
    assume(not 0 < spread < 1e-300)  # where TensorFlow flushes subnormal numbers to zero
    assert_same(
        lambda summary: summary.histogram("h", finite, step=1, buckets=buckets, description=description)
    )


def test_large_histogram() -> None:
    """An array of many pieces."""
    data = np.random.default_rng(0).normal(size=300_000).astype(np.float32)
    assert_same(lambda summary: summary.histogram("h", data, step=1))


IMAGES = st.sampled_from(["u1", "u2", "i1", "i2", "i4", "i8"]).flatmap(
    lambda dtype: hnp.arrays(dtype, st.tuples(*(st.integers(least, 4) for least in (0, 1, 1, 1))))
)


@examples(60)
@given(IMAGES, st.integers(0, 5), DESCRIPTIONS)
def test_integer_image(data: Any, max_outputs: int, description: str | None) -> None:
    """Every integer dtype and number of channels, pixel for pixel."""
    assert_same(
        lambda summary: summary.image("i", data, step=1, max_outputs=max_outputs, description=description)
    )


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_float_image(dtype: str) -> None:
    """A fine ramp through and beyond [0, 1], with infinities; a list of images; the default of three."""
    ramp = np.linspace(-0.5, 1.5, 4 * 40 * 50 * 3).astype(dtype).reshape(4, 40, 50, 3)
    ramp[0, 0, 0] = np.inf, -np.inf, 1
    assert_same(lambda summary: summary.image("i", ramp, step=1))
    assert_same(lambda summary: summary.image("i", list(ramp[:2, :5, :5]), step=1))
    assert_same(lambda summary: summary.image("i", [[[[0.5], [1.0]]]], step=1))


@examples(40)
@given(
    hnp.arrays("f4", st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(1, 3)), elements=FLOAT32),
    st.integers(1, 200_000),
    st.integers(0, 4),
    DESCRIPTIONS,
)
def test_audio(data: Any, sample_rate: int, max_outputs: int, description: str | None) -> None:
    """The WAV files are the same, byte for byte."""
    assert_same(lambda summary: summary.audio("a", data, sample_rate, 1, max_outputs, "wav", description))


def test_every_rounding_of_a_sample() -> None:
    """All multiples of half a step, the halves' neighbours, and what is clipped."""
    steps = np.arange(-66_000, 66_000, dtype=np.float32) / np.float32(65_536)
    data = np.concatenate((steps, np.nextafter(steps, np.float32(2)), np.nextafter(steps, np.float32(-2))))
    assert_same(lambda summary: summary.audio("a", data[None, :, None], 8000, step=1))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6) | st.binary(max_size=6)


@examples(40)
@given(TEXTS | st.lists(TEXTS, min_size=1, max_size=4), DESCRIPTIONS)
def test_text(data: Any, description: str | None) -> None:
    """Strings and bytes, alone and in lists."""
    assert_same(lambda summary: summary.text("t", data, step=1, description=description))


@pytest.mark.parametrize(
    "data",
    [np.array([["a", "bé"], ["c", ""]]), np.array([b"a", b"bc"]), np.array(["x", b"y"], object)],
    ids=str,
)
def test_text_of_arrays(data: Any) -> None:
    """numpy's three ways to hold strings, and a TensorFlow tensor of them."""
    assert_same(lambda summary: summary.text("t", data, step=1))
    assert_same(lambda summary: summary.text("t", tf.constant(data), step=1))


TENSORS = hnp.arrays(
    st.sampled_from(
        ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16", ">f4"]
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@examples(80)
@given(TENSORS, NAMES)
def test_write(data: Any, tag: str) -> None:
    """Every dtype and shape, without metadata."""
    numbers = without_minus_zero(data)
    assert_same(lambda summary: summary.write(tag, numbers, step=1))


@pytest.mark.parametrize(
    "data",
    [
        1.5,
        1,
        2**31,
        -(2**31),
        True,
        1j,
        [1, 2],
        [1, 2.5],
        [[0.25], [1]],
        [np.float64(1.5)],
        [1.0, np.float64(1.5)],
        np.float64(1.5),
        np.float32(1.5),
        [True, False],
        [],
        "x",
        ["x", b"y"],
        lambda: 3.5,
    ],
    ids=str,
)
def test_write_of_pythons_values(data: Any) -> None:
    """Python's numbers have TensorFlow's dtypes for them; a function is called."""
    assert_same(lambda summary: summary.write("w", data, step=1))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int64", "bool", "complex64"])
def test_tensors_of_tensorflow(dtype: str) -> None:
    """Its own tensors and variables."""
    data = tf.cast(tf.constant([[0, 1], [1, 0]]), dtype)
    assert_same(lambda summary: summary.write("w", data, step=tf.constant(3, tf.int64)))
    assert_same(lambda summary: summary.write("w", tf.Variable(data), step=tf.Variable(3, dtype=tf.int64)))


def test_metadata() -> None:
    """As a message of TensorFlow's or TensorBoard's package, or as bytes."""
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata

    for kind in (SummaryMetadata, tf.compat.v1.SummaryMetadata):
        told = kind(display_name="d", summary_description="s")
        told.plugin_data.plugin_name, told.plugin_data.content = "mine", b"\0\1"
        assert_same(lambda summary, told=told: summary.write("w", 1.0, 1, told))
        assert_same(lambda summary, told=told: summary.write("w", 1.0, 1, told.SerializeToString(), "name"))


def test_graph() -> None:
    """A graph, and its GraphDef."""
    with tf.Graph().as_default() as graph:
        tf.constant(30.0) * tf.constant(2.0)
    assert_same(lambda summary: summary.graph(graph))
    assert_same(lambda summary: summary.graph(graph.as_graph_def()))


def test_raw_messages() -> None:
    """One Summary, and several in a list."""
    message = tf.compat.v1.Summary(value=[tf.compat.v1.Summary.Value(tag="r", simple_value=2)])
    data = message.SerializeToString()
    assert_same(lambda summary: summary.experimental.write_raw_pb(data, step=3))
    assert_same(lambda summary: summary.experimental.write_raw_pb([data, data], 3))

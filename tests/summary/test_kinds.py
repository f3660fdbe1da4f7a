"""Every kind of summary in TensorBoard's second style, without TensorFlow."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import tbasync
from tbasync import summary
from tbasync.proto import DataType, Summary, SummaryMetadata
from tests.encode.support import examples

from .reading import logged, numbers, values


@pytest.fixture(name="writer")
def _writer(tmp_path: Path) -> Iterator[summary.SummaryWriter]:
    """The default writer, at step 1."""
    with summary.create_file_writer(tmp_path).as_default(step=1) as writer:
        yield writer
    writer.close()


def only(directory: Path) -> Any:
    """The one value logged so far."""
    summary.flush()
    (value,) = values(directory)
    return value


def same(metadata: Any) -> Any:
    """The metadata of another protobuf package as a message of ours."""
    return SummaryMetadata.FromString(metadata.SerializeToString())


def rows(value: Any) -> Any:
    """A histogram's buckets."""
    shape = [dimension.size for dimension in value.tensor.tensor_shape.dim]
    return np.frombuffer(value.tensor.tensor_content, "<f8").reshape(shape)


@pytest.mark.usefixtures("writer")
def test_scalars_of_every_kind(tmp_path: Path) -> None:
    """Python's and numpy's numbers, arrays of one element; scalars in bulk take the fast way, in order."""
    data = [1, True, 0.5, np.float16(2), np.array([3]), np.array(4.0), np.int64(5), 1e300, math.nan]
    expected = [1, 1, 0.5, 2, 3, 4, 5, math.inf, math.nan]
    for number in data:
        assert summary.scalar("x", number) is True
    for step in range(3_000):
        summary.scalar(f"tag {step % 7}", step, step, description=None if step % 3 else "told")
    summary.flush()
    found = numbers(tmp_path)
    assert np.array_equal([value for _, _, value in found[:9]], expected, equal_nan=True)
    assert found[9:] == [(f"tag {step % 7}", step, float(step)) for step in range(3_000)]
    told = [value.metadata.summary_description for value in values(tmp_path)[9:]]
    assert told == ["" if step % 3 else "told" for step in range(3_000)]


@pytest.mark.usefixtures("writer")
def test_long_and_odd_names(tmp_path: Path) -> None:
    """A tag too long for the fast way, one of odd characters and one that is a prefix of another, mixed."""
    names = ["n" * 500, "ü/🙂 \n", "n", "n" * 50]
    for step in range(200):
        summary.scalar(names[step % 4], step, step)
    summary.flush()
    assert numbers(tmp_path) == [(names[step % 4], step, float(step)) for step in range(200)]
    with pytest.raises(UnicodeEncodeError):
        summary.scalar("\ud800", 1.0)


def test_torch_tensors(tmp_path: Path, writer: summary.SummaryWriter, torch: Any) -> None:
    """Tensors with gradients, bfloat16, lists of tensors; frozen at the call."""
    weights = torch.ones(3, 4, 4, 1, requires_grad=True)
    summary.scalar("s", weights.sum())
    summary.histogram("h", weights.to(torch.bfloat16))
    summary.image("i", [weights[0], weights[1]])
    summary.write("w", weights.to(torch.bfloat16)[0, 0, 0])
    with torch.no_grad():
        weights.zero_()
    writer.flush()
    scalar, histogram, image, written = values(tmp_path)
    assert np.frombuffer(scalar.tensor.tensor_content, "<f4") == 48
    assert rows(histogram)[-1].tolist() == [1, 1, 48]
    assert len(image.tensor.string_val) == 4
    assert Image.open(io.BytesIO(image.tensor.string_val[2])).getextrema() == (255, 255)
    assert (written.tensor.dtype, written.tensor.tensor_content) == (DataType.DT_BFLOAT16, b"\x80\x3f")


@pytest.mark.usefixtures("writer")
def test_values_are_those_of_the_call(tmp_path: Path) -> None:
    """Arrays and lists changed right after the call are logged as they were."""
    array, texts = np.ones((1, 3, 3, 1)), ["a", "b"]
    for log in (
        lambda: summary.image("i", array),
        lambda: summary.histogram("h", array),
        lambda: summary.audio("a", array[0].astype(np.float32), 8000),
        lambda: summary.write("w", array),
        lambda: summary.text("t", texts),
        lambda: summary.text("t", np.array(texts, object)),
    ):
        log()
    array[:] = 0
    texts[0] = "changed"
    summary.flush()
    found = values(tmp_path)
    assert Image.open(io.BytesIO(found[0].tensor.string_val[2])).getextrema() == (255, 255)
    assert rows(found[1])[-1].tolist() == [1, 1, 9]
    assert found[2].tensor.string_val[0].endswith(b"\xff\x7f")
    assert np.frombuffer(found[3].tensor.tensor_content).min() == 1
    assert [list(value.tensor.string_val) for value in found[4:]] == [[b"a", b"b"]] * 2


def test_histograms_equal_tensorboards(tmp_path: Path) -> None:
    """TensorBoard's numpy version of the same kind counts and cuts alike, for any finite values."""
    histogram_pb = pytest.importorskip("tensorboard.plugins.histogram.summary_v2").histogram_pb
    tensor_util = pytest.importorskip("tensorboard.util.tensor_util")
    from tbasync.encode.v2_histogram import v2_histogram

    arrays = hnp.arrays(
        st.sampled_from(["f2", "f4", "f8", "i4", "u1", "?"]),
        hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=12),
        elements={"allow_nan": False, "allow_infinity": False, "max_value": 100, "min_value": 0},
    )

    @examples(150)
    @given(arrays, st.integers(0, 50), st.none() | st.text("abc"))
    def compare(data: Any, buckets: int, description: str | None) -> None:
        ours = Summary.FromString(v2_histogram("h", data, buckets, description).summary).value[0]
        theirs = histogram_pb("h", data, buckets, description).value[0]
        assert np.array_equal(rows(ours), tensor_util.make_ndarray(theirs.tensor))
        assert (ours.tag, ours.metadata) == (theirs.tag, same(theirs.metadata))

    compare()


def test_scalars_and_texts_equal_tensorboards() -> None:
    """TensorBoard's own `scalar_pb` and `text_pb` give the same values and metadata."""
    scalar_pb = pytest.importorskip("tensorboard.plugins.scalar.summary_v2").scalar_pb
    text_pb = pytest.importorskip("tensorboard.plugins.text.summary_v2").text_pb
    tensor_util = pytest.importorskip("tensorboard.util.tensor_util")
    from tbasync.encode.v2_scalar import v2_scalar
    from tbasync.encode.v2_tensor import v2_strings
    from tbasync.encode.v2_value import metadata

    words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)

    @examples(80)
    @given(words, st.floats(width=32), st.none() | words, words)
    def compare(tag: str, number: float, description: str | None, data: str) -> None:
        ours = Summary.FromString(v2_scalar(tag, number, description).summary).value[0]
        theirs = scalar_pb(tag, number, description).value[0]
        written = np.frombuffer(ours.tensor.tensor_content, "<f4")
        assert np.array_equal(written, [tensor_util.make_ndarray(theirs.tensor)], equal_nan=True)
        assert (ours.tag, ours.metadata) == (theirs.tag, same(theirs.metadata))
        told = metadata("text", description)
        text = Summary.FromString(v2_strings(tag, (), [data.encode()], told).summary)
        assert text == Summary.FromString(text_pb(tag, data.encode(), description).SerializeToString())

    compare()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([1.0, math.nan, 3.0, math.inf], [[1, 2, 1], [2, 3, 1]]),
        ([math.nan], [[0, 0, 0], [0, 0, 0]]),
        ([-1.7e308, 1.7e308], [[-1.7e308, 0, 1], [0, 1.7e308, 1]]),
        ([5e-324, 1e-323], [[5e-324, 5e-324, 1], [5e-324, 1e-323, 1]]),
    ],
    ids=str,
)
@pytest.mark.usefixtures("writer")
@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
def test_histograms_of_extremes(tmp_path: Path, data: list[float], expected: list[list[float]]) -> None:
    """Non-finite values are left out and counted; the widest and the narrowest range do not overflow."""
    summary.histogram("h", np.array(data), buckets=2)
    assert rows(only(tmp_path)).tolist() == expected


def test_nonfinite_values_are_counted(tmp_path: Path) -> None:
    """In `stats()`, and told once."""
    writer = summary.create_file_writer(tmp_path)
    with writer.as_default(1):
        summary.histogram("h", [1.0, math.nan, math.inf])
    with pytest.warns(tbasync.TbasyncWarning, match="NaN"):
        writer.flush()
    assert writer.writer.stats().nonfinite == 2
    writer.close()


@pytest.mark.usefixtures("writer")
def test_images_are_limited(tmp_path: Path) -> None:
    """At most `max_outputs`; none of them still tells width and height; a bool is black or white."""
    summary.image("i", np.zeros((5, 2, 3, 4), np.uint8))
    summary.image("i", [np.zeros((2, 3, 1), bool)] * 2, max_outputs=0)
    summary.image("i", np.ones((1, 2, 3, 1), bool), description="white")
    summary.flush()
    many, none, white = values(tmp_path)
    assert (len(many.tensor.string_val), list(none.tensor.string_val)) == (5, [b"3", b"2"])
    picture = Image.open(io.BytesIO(white.tensor.string_val[2]))
    assert (picture.mode, picture.getextrema()) == ("L", (255, 255))
    assert white.metadata.summary_description == "white"


@pytest.mark.usefixtures("writer")
def test_larger_pictures(tmp_path: Path) -> None:
    """Grey and colour pictures of several bands, filtered and compressed, are read back pixel for pixel."""
    for channels, mode in ((1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")):
        ramp = np.add.outer(np.arange(700), np.arange(400))[..., None] * np.arange(1, channels + 1)
        summary.image(mode, ramp.astype(np.uint8)[None])
        expected = Image.fromarray(ramp.astype(np.uint8).squeeze(), mode).tobytes()
        summary.flush()
        assert logged(tmp_path)[-1][2] == [(mode, (400, 700), expected)]


@pytest.mark.usefixtures("writer")
def test_tensors_come_back(tmp_path: Path) -> None:
    """`tensor` names its plugin, `write` none; `tbasync.read` reads both."""
    data = np.arange(6, dtype=np.int16).reshape(2, 3)
    summary.tensor("t", data, description="d")
    summary.write("w", data)
    summary.flush()
    named, bare = values(tmp_path)
    assert (named.metadata.plugin_data.plugin_name, named.metadata.summary_description) == ("tensor", "d")
    assert not bare.HasField("metadata")
    read = tbasync.read(tmp_path)
    assert np.array_equal(read["t"].values[0], data)


@pytest.mark.usefixtures("writer")
def test_scopes_prefix_names(tmp_path: Path) -> None:
    """In a scope, names are within it, for every kind; tags of `write` are as they are given."""
    with summary.experimental.summary_scope("outer here") as (tag, scope):
        assert (tag, scope) == ("outer here", "outerhere/")
        summary.scalar("a", 1.0)
        summary.text("b", "x")
        summary.tensor("c", 1)
        summary.write("d", 1)
    summary.scalar("e", 1.0)
    summary.flush()
    assert [value.tag for value in values(tmp_path)] == [
        "outerhere/a",
        "outerhere/b",
        "outerhere/c",
        "d",
        "e",
    ]


@pytest.mark.usefixtures("writer")
def test_bad_values_name_the_argument() -> None:
    """What was given and what is accepted is told at the call, and nothing else is disturbed."""
    zeros = np.zeros
    for error, match, log in (
        (TypeError, "data must be a number", lambda: summary.scalar("x", "1")),
        (TypeError, "data must be real", lambda: summary.scalar("x", 1j)),
        (ValueError, "data must have one element", lambda: summary.scalar("x", [1, 2])),
        (TypeError, "name must be a str", lambda: summary.scalar(3, 1.0)),  # type: ignore[arg-type]
        (TypeError, "description must be", lambda: summary.scalar("x", 1, description=3)),  # type: ignore[arg-type]
        (TypeError, "description must be", lambda: summary.text("x", "", description=3)),  # type: ignore[arg-type]
        (TypeError, "step must be an integer", lambda: summary.scalar("x", 1.0, 1.5)),
        (ValueError, "4 dimensions", lambda: summary.image("x", zeros((2, 3, 1)))),
        (ValueError, "channels", lambda: summary.image("x", zeros((1, 2, 3, 5)))),
        (ValueError, "without pixels", lambda: summary.image("x", zeros((1, 0, 3, 1)))),
        (TypeError, "data must be of bool", lambda: summary.image("x", zeros((1, 2, 3, 1), complex))),
        (ValueError, "max_outputs must be", lambda: summary.image("x", zeros((1, 2, 3, 1)), max_outputs=-1)),
        (TypeError, "max_outputs must be", lambda: summary.image("x", [], max_outputs=1.5)),  # type: ignore[arg-type]
        (ValueError, r"\[k, t, c\]", lambda: summary.audio("x", zeros((1, 2)), 8000)),
        (ValueError, r"\[k, t, c\]", lambda: summary.audio("x", zeros((1, 2, 0)), 8000)),
        (ValueError, "sample_rate", lambda: summary.audio("x", zeros((1, 2, 1)), 0)),
        (ValueError, "sample_rate", lambda: summary.audio("x", zeros((1, 2, 1)), 2**31)),
        (TypeError, "sample_rate", lambda: summary.audio("x", zeros((1, 2, 1)), 8e3)),  # type: ignore[arg-type]
        (ValueError, "encoding", lambda: summary.audio("x", zeros((1, 2, 1)), 8000, encoding="mp3")),
        (TypeError, "buckets", lambda: summary.histogram("x", [1.0], buckets=1.5)),  # type: ignore[arg-type]
        (ValueError, "buckets", lambda: summary.histogram("x", [1.0], buckets=10**9)),
        (TypeError, "data must hold real", lambda: summary.histogram("x", [1j])),
        (TypeError, "data must be a string", lambda: summary.text("x", 3)),
        (TypeError, "strings alone", lambda: summary.text("x", ["a", 3])),
        (TypeError, "tag must be a str", lambda: summary.write(3, 1)),  # type: ignore[arg-type]
        (TypeError, "metadata must be", lambda: summary.write("x", 1, metadata="scalars")),
        (ValueError, "no SummaryMetadata", lambda: summary.write("x", 1, metadata=b"\xff")),
        (TypeError, "tensor", lambda: summary.write("x", object())),
        (ValueError, "no Summary message", lambda: summary.experimental.write_raw_pb(b"\xff")),
        (TypeError, "must be bytes", lambda: summary.experimental.write_raw_pb(3)),
        (ValueError, "graph_data must be", lambda: summary.graph(SummaryMetadata())),
    ):
        with pytest.raises(error, match=match):
            log()


def test_messages_and_graphs_of_our_own(tmp_path: Path, writer: summary.SummaryWriter) -> None:
    """Summaries and graphs of tbasync's protobuf package, and metadata as a message."""
    from tbasync.proto import GraphDef, NodeDef

    told = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="mine"))
    summary.write("x", lambda: "text", metadata=told)
    raw = Summary(value=[Summary.Value(tag="raw", simple_value=3)])
    summary.experimental.write_raw_pb(raw.SerializeToString(), step=5)
    summary.graph(GraphDef(node=[NodeDef(name="n", op="o")]))
    writer.flush()
    first, second, third = logged(tmp_path)
    assert "mine" in first[1]
    assert (second[0], second[1]) == (5, str(raw))
    assert (third[0], 'name: "n"' in third[3]) == (0, True)

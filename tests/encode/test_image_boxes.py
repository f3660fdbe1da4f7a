"""Images with boxes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tbasync.encode.image_boxes import check_image_with_boxes, image_with_boxes
from tbasync.proto import Summary

_SHAPES = {"CHW": (3, 25, 30), "HWC": (25, 30, 4), "HW": (25, 30), "WH": (30, 25), "NCHW": (3, 1, 12, 12)}
_TEXTS = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=8)
_IMAGE, _BOXES = ((3, 40, 60), np.dtype("u1")), ((2, 4), np.dtype("f4"))


@st.composite
def _calls(draw: st.DrawFn, dtypes: list[str]) -> tuple[Any, ...]:
    """Image, boxes, labels, rescale and dataformats."""
    dataformats = draw(st.sampled_from(list(_SHAPES)))
    seed = draw(st.integers(0, 9))
    array = np.random.default_rng(seed).random(_SHAPES[dataformats]) * 255
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    array = (array if dtype == np.uint8 else array / 200 - 0.1).astype(dtype)
    count = draw(st.integers(0, 4))
    box_dtype = draw(st.sampled_from(["float32", "float64", "int64", "int32"]))
    numbers = st.integers(-10, 50) if box_dtype.startswith("i") else st.floats(-10, 50, width=32)
    boxes = draw(hnp.arrays(box_dtype, (count, 4), elements=numbers))
    labels = draw(st.none() | st.lists(st.none() | _TEXTS, min_size=count, max_size=count))
    return array, boxes, labels, draw(st.sampled_from([1, 1, 0.5, 2, 1.37])), dataformats


def _decoded(summary: bytes) -> tuple[Any, ...]:
    (value,) = Summary.FromString(summary).value
    picture = Image.open(io.BytesIO(value.image.encoded_image_string))
    sizes = (value.image.height, value.image.width, value.image.colorspace)
    return value.tag, *sizes, picture.mode, np.asarray(picture).tolist()


def _compare(call: tuple[Any, ...], theirs: Any) -> None:
    array, boxes, labels, rescale, dataformats = call
    labels = check_image_with_boxes(
        array.shape, array.dtype, boxes.shape, boxes.dtype, dataformats, labels, rescale
    )
    ours = image_with_boxes("t", array, boxes, dataformats, labels, rescale)
    expected = theirs("t", array.copy(), boxes, rescale=rescale, dataformats=dataformats, labels=labels)
    assert _decoded(ours.summary) == _decoded(expected.SerializeToString())
    assert ours.notes == ()


@settings(max_examples=60)
@given(call=_calls(["uint8", "float32", "float64", "bool"]))
def test_equals_torch(torch_summary: Any, call: tuple[Any, ...]) -> None:
    """Boxes inside, across and outside of the image, turned and empty ones, with labels, are drawn alike."""
    _compare(call, torch_summary.image_boxes)


@given(call=_calls(["uint8"]))
def test_equals_tensorboardx(tensorboardx_summary: Any, call: tuple[Any, ...]) -> None:
    """tensorboardX draws the same."""
    _compare(call, tensorboardx_summary.image_boxes)


@pytest.mark.parametrize("far", [1e9, -1e9, 1e18, 1e300, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_boxes_far_outside(far: float, dtype: str) -> None:
    """A side that is infinitely or absurdly far off is drawn as one that is just outside."""
    array = np.zeros((30, 30), np.uint8)
    near = 100 if far > 0 else -100
    with np.errstate(over="ignore"):
        boxes = np.array([[5, 5, far, far], [far, 3, 9, 20]]).astype(dtype)
    expected = image_with_boxes("t", array, np.array([[5, 5, near, near], [near, 3, 9, 20]]), "HW")
    assert _decoded(image_with_boxes("t", array, boxes, "HW").summary) == _decoded(expected.summary)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "bool", "float16"])
def test_dtypes_of_boxes(dtype: str) -> None:
    """Coordinates in a small dtype do not wrap around where labels are placed, as they do in torch."""
    array, numbers = np.zeros((40, 40), np.uint8), np.array([[0, 0, 1, 1]])
    expected = image_with_boxes("t", array, numbers, "HW", ["a"])
    assert image_with_boxes("t", array, numbers.astype(dtype), "HW", ["a"]) == expected


def test_box_with_nan_is_left_out() -> None:
    """A box with a NaN is left out and told of; the others keep their labels."""
    array = np.zeros((40, 40, 3), np.float32)
    boxes = np.array([[1, 1, 9, 9], [np.nan, 0, 5, 5], [10, 10, 30, 38]])
    encoded = image_with_boxes("t", array, boxes, "HWC", ["a", "b", "c"])
    expected = image_with_boxes("t", array, boxes[[0, 2]], "HWC", ["a", "c"])
    assert encoded.summary == expected.summary
    assert encoded.notes == ("boxes with a NaN coordinate were left out",)


def test_notes_of_image_and_boxes_are_both_told() -> None:
    """A NaN in the image and one in a box give two notes."""
    encoded = image_with_boxes("t", np.full((9, 9), np.nan), np.full((1, 4), np.nan), "HW")
    assert len(encoded.notes) == 2
    assert encoded.nonfinite == 81


@pytest.mark.parametrize(
    ("boxes", "labels", "rescale", "error", "message"),
    [
        (((4,), np.dtype("f4")), None, 1, ValueError, r"box_tensor must be of shape \(N, 4\), got \(4,\)"),
        (((2, 5), np.dtype("f4")), None, 1, ValueError, r"box_tensor must be .*got \(2, 5\)"),
        (((2, 4), np.dtype("c8")), None, 1, TypeError, "box_tensor must be of .*dtype, got complex64"),
        (_BOXES, ["a"], 1, ValueError, "labels must be as many as the boxes, 2; got 1"),
        (_BOXES, "a", 1, ValueError, "labels must be as many as the boxes, 2; got 1"),
        (_BOXES, 3, 1, TypeError, "labels must be a list of str, got int"),
        (_BOXES, ["a", 3], 1, TypeError, "labels must be str or None, got 3 of type int"),
        (_BOXES, ["a", b"b"], 1, TypeError, "labels must be str or None, got b'b' of type bytes"),
        (_BOXES, None, 0.001, ValueError, "rescale must be .*at least one pixel of 40x60"),
    ],
)
def test_check_names_what_is_wrong(
    boxes: Any, labels: Any, rescale: Any, error: type[Exception], message: str
) -> None:
    """What cannot be drawn is refused, by argument, with what was given."""
    with pytest.raises(error, match=message):
        check_image_with_boxes(*_IMAGE, *boxes, "CHW", labels, rescale)


def test_check_of_the_image_comes_first() -> None:
    """The image's own errors are found, too."""
    with pytest.raises(ValueError, match="img_tensor must have 3 dimensions"):
        check_image_with_boxes((3, 3), np.dtype("u1"), *_BOXES, "CHW")


def test_labels_come_back_as_a_list() -> None:
    """A str is one label, and arrays of str are labels."""
    one = ((1, 4), np.dtype("i8"))
    assert check_image_with_boxes(*_IMAGE, *one, "CHW", "cat") == ["cat"]
    assert check_image_with_boxes(*_IMAGE, *_BOXES, "CHW", np.array(["cat", "dog"])) == ["cat", "dog"]
    assert check_image_with_boxes(*_IMAGE, *_BOXES, "CHW", (None, "dog")) == [None, "dog"]

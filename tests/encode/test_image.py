"""Images and batches of images."""

from __future__ import annotations

import io
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tbasync.encode.image import check_image, check_rescale, image
from tbasync.encode.result import Encoded
from tbasync.proto import Summary

_LAYOUTS = ["".join(letters) for kind in ("HW", "CHW", "NCHW") for letters in permutations(kind)]
_DTYPES = ["uint8", "bool", "int8", "int16", "int64", "uint32", "float16", "float32", "float64", ">f4", ">i2"]


def _elements(dtype: np.dtype[Any]) -> st.SearchStrategy[Any] | None:
    if dtype.kind != "f":
        return None
    width = 8 * dtype.itemsize
    usual = st.floats(-0.5, 1.5, width=width)
    return usual | st.sampled_from([0.0, 1.0, -1.0, 1e4, -1e4, np.inf, -np.inf])


@st.composite
def _images(
    draw: st.DrawFn, dtypes: list[str], single: tuple[int, ...], batched: tuple[int, ...]
) -> tuple[np.ndarray[Any, Any], str]:
    """An array and its dataformats, with one of the given numbers of channels."""
    letters = draw(st.sampled_from(_LAYOUTS))
    channels = draw(st.sampled_from(batched if "N" in letters else single))
    sizes = {
        "N": draw(st.integers(1, 18)),
        "C": channels,
        "H": draw(st.integers(1, 9)),
        "W": draw(st.integers(1, 9)),
    }
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = tuple(sizes[letter] for letter in letters)
    array = draw(hnp.arrays(dtype, shape, elements=_elements(dtype)))
    return array, draw(st.sampled_from([letters, letters.lower()]))


def _decoded(summary: bytes) -> tuple[tuple[str, int, int, int, str], np.ndarray[Any, Any]]:
    """What a summary says of its image, the PNG's mode, and the pixels."""
    (value,) = Summary.FromString(summary).value
    picture = Image.open(io.BytesIO(value.image.encoded_image_string))
    assert picture.format == "PNG"
    said = (value.tag, value.image.height, value.image.width, value.image.colorspace, picture.mode)
    return said, np.asarray(picture)


def _assert_same(ours: Encoded, theirs: Any) -> None:
    said, pixels = _decoded(ours.summary)
    their_said, their_pixels = _decoded(theirs.SerializeToString())
    assert said == their_said
    np.testing.assert_array_equal(pixels, their_pixels)


@given(call=_images(_DTYPES, single=(1, 2, 3, 4), batched=(1, 3)))
def test_equals_torch(torch_summary: Any, call: tuple[Any, str]) -> None:
    """Every layout, dtype and number of channels that torch draws gives the same pixels and sizes."""
    array, dataformats = call
    check_image(array.shape, array.dtype, dataformats)
    before = array.copy()
    array.flags.writeable = False
    _assert_same(image("t", array, dataformats), torch_summary.image("t", array, dataformats=dataformats))
    np.testing.assert_array_equal(array, before)


@given(call=_images(["uint8"], single=(1, 3, 4), batched=(1, 3, 4)))
def test_equals_tensorboardx(tensorboardx_summary: Any, call: tuple[Any, str]) -> None:
    """So does tensorboardX, also for batches with an alpha channel."""
    array, dataformats = call
    check_image(array.shape, array.dtype, dataformats)
    theirs = tensorboardx_summary.image("t", array, dataformats=dataformats)
    _assert_same(image("t", array, dataformats), theirs)


@given(array=hnp.arrays(np.float32, (3, 5, 7), elements=st.floats(0, 1, width=32)))
def test_floats_equal_tensorboardx(tensorboardx_summary: Any, array: Any) -> None:
    """Within [0, 1], where tensorboardX does not wrap around, floats are scaled alike."""
    _assert_same(image("t", array, "CHW"), tensorboardx_summary.image("t", array))


@given(call=_images(["uint8", "float32"], single=(1, 2, 3, 4), batched=(1, 3)), factor=st.floats(0.1, 4))
def test_rescale_equals_torch(torch_summary: Any, call: tuple[Any, str], factor: float) -> None:
    """A resized PNG has torch's pixels; the summary's height and width stay the array's."""
    array, dataformats = call
    try:
        check_rescale(factor, array.shape, dataformats)
    except ValueError:
        return
    theirs = torch_summary.image("t", array, rescale=factor, dataformats=dataformats)
    _assert_same(image("t", array, dataformats, factor), theirs)


@pytest.mark.parametrize("shape", [(3, 300, 500), (1, 1, 70_000), (4, 70_000, 1), (2, 257, 259)])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_larger_than_a_band_equals_torch(torch_summary: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Images that are converted and compressed in several steps are seamless."""
    values = np.random.default_rng(0).random(shape) * (255 if dtype == "uint8" else 1)
    array = values.astype(dtype)
    _assert_same(image("t", array, "CHW"), torch_summary.image("t", array, dataformats="CHW"))


@pytest.mark.parametrize("shape", [(21, 3, 50, 70), (9, 1, 200, 300), (200, 3, 8, 8)])
def test_large_batches_equal_torch(torch_summary: Any, shape: tuple[int, ...]) -> None:
    """Batches of which several rows of the grid are drawn at once, or less than one, are laid out alike."""
    array = np.random.default_rng(0).random(shape, np.float32)
    _assert_same(image("t", array, "NCHW"), torch_summary.image("t", array, dataformats="NCHW"))


@pytest.mark.parametrize("step", [(slice(None, None, 2),) * 3, (slice(None, None, -1),) * 3])
def test_strided_views(torch_summary: Any, step: Any) -> None:
    """Views with gaps or turned around are drawn as they look."""
    array = np.random.default_rng(0).random((6, 40, 30), np.float32)[step][:3]
    _assert_same(image("t", array, "CHW"), torch_summary.image("t", array, dataformats="CHW"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_non_finite_values(dtype: str) -> None:
    """NaN and -inf are drawn as 0, inf as 255; they are counted and told."""
    array = np.array([[np.nan, np.inf, -np.inf, 0.5]], dtype)
    encoded = image("t", array, "HW")
    assert _decoded(encoded.summary)[1][0, :, 0].tolist() == [0, 255, 0, 127]
    assert encoded.nonfinite == 3
    assert encoded.notes == ("values that are NaN were drawn as 0, infinite ones as 0 or 255",)


def test_values_beyond_float32() -> None:
    """A float64 that float32 cannot hold is clipped, and no warning is given."""
    array = np.array([[1e300, -1e300, 3e38]])
    assert _decoded(image("t", array, "HW").summary)[1][0, :, 0].tolist() == [255, 0, 255]


def test_empty_tag_is_written_as_protobuf_does() -> None:
    """The bytes are those that protobuf itself would write, with an empty tag left out."""
    for tag in ("", "t/ü"):
        summary = image(tag, np.zeros((2, 3), np.uint8), "HW").summary
        assert Summary.FromString(summary).SerializeToString() == summary


@pytest.mark.parametrize(
    ("shape", "dtype", "dataformats", "error", "message"),
    [
        ((2, 2), "u1", 3, TypeError, "dataformats must be a str .*got int"),
        ((2, 2), "u1", None, TypeError, "dataformats must be a str .*got NoneType"),
        ((2, 2, 3), "u1", "HHC", ValueError, "dataformats .*each once.*got 'HHC'"),
        ((2, 2, 3), "u1", "hHC", ValueError, "dataformats .*each once.*got 'hHC'"),
        ((2, 2, 3), "u1", "HWX", ValueError, "dataformats .*got 'HWX'"),
        ((2, 2, 3), "u1", "NHW", ValueError, "dataformats .*got 'NHW'"),
        ((2,), "u1", "H", ValueError, "dataformats .*got 'H'"),
        ((), "u1", "", ValueError, "dataformats .*got ''"),
        ((2, 2), "u1", "CHW", ValueError, r"img_tensor must have 3 dimensions .*'CHW', got shape \(2, 2\)"),
        ((3, 0, 2), "u1", "CHW", ValueError, r"img_tensor must not be empty, got shape \(3, 0, 2\)"),
        ((0, 3, 2, 2), "u1", "NCHW", ValueError, "img_tensor must not be empty"),
        ((5, 2, 2), "u1", "CHW", ValueError, r"img_tensor must have 1 to 4 channels, got 5 \(shape"),
        ((6, 2, 2, 2), "u1", "NCHW", ValueError, "img_tensor must have 1, 3 or 4 channels, got 2"),
        ((2, 2), "c8", "HW", TypeError, "img_tensor must be of bool, integer or real dtype, got complex64"),
        ((2, 2), "O", "HW", TypeError, "img_tensor must be .*got object"),
        ((2, 2), "U3", "HW", TypeError, "img_tensor must be .*got <U3"),
        ((2, 2), "M8[s]", "HW", TypeError, "img_tensor must be .*got datetime64"),
    ],
)
def test_check_names_what_is_wrong(
    shape: tuple[int, ...], dtype: str, dataformats: Any, error: type[Exception], message: str
) -> None:
    """What cannot be drawn is refused, by argument, with what was given."""
    with pytest.raises(error, match=message):
        check_image(shape, np.dtype(dtype), dataformats)


@pytest.mark.parametrize(
    ("rescale", "error"),
    [("2", TypeError), (None, TypeError), (True, TypeError), (0, ValueError), (-1, ValueError)]
    + [(value, ValueError) for value in (0.1, float("nan"), float("inf"))],
)
def test_check_rescale(rescale: Any, error: type[Exception]) -> None:
    """A factor that leaves no pixel, or is no number, is refused."""
    with pytest.raises(error, match="rescale must be"):
        check_rescale(rescale, (3, 4, 5), "CHW")
    check_rescale(np.float32(0.25), (3, 4, 5), "CHW")

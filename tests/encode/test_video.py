"""Videos."""

from __future__ import annotations

import io
from itertools import permutations
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageSequence

from tbasync.encode.result import Encoded
from tbasync.encode.video import check_video, video
from tbasync.proto import Summary


def _played(encoded: Encoded) -> tuple[np.ndarray[Any, Any], list[int]]:
    """The frames, (T, H, W, 3), as a viewer shows them, and how long, in milliseconds."""
    said = Summary.FromString(encoded.summary).value[0].image
    picture = Image.open(io.BytesIO(said.encoded_image_string))
    assert (picture.format, picture.info["loop"]) == ("GIF", 0)
    assert picture.size == (said.width, said.height)
    frames, durations = [], []
    for frame in ImageSequence.Iterator(picture):
        durations.append(frame.info["duration"])
        frames.append(np.asarray(frame.convert("RGB")))
    return np.array(frames), durations


def _frames_of(summary: Any, *arguments: Any) -> np.ndarray[Any, Any]:
    """The frames (T, H, W, C) that an original hands to moviepy, which then makes a GIF of them."""
    with mock.patch.object(summary, "make_video", return_value=None) as make_video:
        summary.video("t", *arguments)
    frames: np.ndarray[Any, Any] = make_video.call_args.args[0]
    return frames


@st.composite
def _videos(draw: st.DrawFn, dtypes: list[str]) -> np.ndarray[Any, Any]:
    """(N, T, C, H, W), small enough that no frame has more than 256 colours."""
    sizes = [draw(st.integers(1, 9)), draw(st.integers(1, 4)), draw(st.sampled_from([1, 3]))]
    shape = (*sizes, draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    elements = st.floats(-0.5, 1.5, width=8 * dtype.itemsize) if dtype.kind == "f" else None
    return draw(hnp.arrays(dtype, shape, elements=elements))


@given(array=_videos(["uint8", "float32", "float64", "bool", "int32"]))
def test_equals_torch(torch_summary: Any, array: Any) -> None:
    """Every frame is shown as torch makes it, exactly: torch itself loses 1 of some values of uint8."""
    check_video(array.shape, array.dtype, 4)
    frames, durations = _played(video("t", array))
    theirs = np.broadcast_to(_frames_of(torch_summary, array, 4), frames.shape)
    assert np.abs(frames.astype(int) - theirs).max() <= (1 if array.dtype == np.uint8 else 0)
    assert durations == [250] * array.shape[1]


@given(
    array=_videos(["uint8", "bool"]),
    dataformats=st.sampled_from(["".join(letters) for letters in permutations("NTCHW")] + ["nthwc"]),
)
def test_equals_tensorboardx(tensorboardx_summary: Any, array: Any, dataformats: str) -> None:
    """Every order of dimensions is understood as tensorboardX understands it."""
    array = array.transpose(["NTCHW".index(letter) for letter in dataformats.upper()])
    check_video(array.shape, array.dtype, 4, dataformats)
    frames, _ = _played(video("t", array, 4, dataformats))
    theirs = np.broadcast_to(_frames_of(tensorboardx_summary, array, 4, dataformats), frames.shape)
    assert np.abs(frames.astype(int) - theirs).max() <= 1


def test_uint8_is_exact() -> None:
    """Every value of uint8 is shown as it is."""
    array = np.arange(256, dtype=np.uint8).reshape(1, 1, 1, 16, 16)
    np.testing.assert_array_equal(_played(video("t", array))[0][0, :, :, 0], array[0, 0, 0])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_size_and_channels(channels: int) -> None:
    """The summary tells the frame's size and the array's channels; alpha is not drawn."""
    array = np.random.default_rng(0).integers(0, 256, (3, 2, channels, 5, 6), np.uint8)
    encoded = video("t/ü", array)
    (value,) = Summary.FromString(encoded.summary).value
    assert (value.tag, value.image.height, value.image.width) == ("t/ü", 5, 24)
    assert value.image.colorspace == channels
    pixels = np.broadcast_to(array[0, 0, :3].transpose(1, 2, 0), (5, 6, 3))
    np.testing.assert_array_equal(_played(encoded)[0][0, :, :6], pixels)


def test_equal_frames_keep_their_time() -> None:
    """Frames that equal the one before are frames of their own, at the beginning, within and at the end."""
    still, other = np.zeros((3, 6, 6), np.uint8), np.full((3, 6, 6), 200, np.uint8)
    changes = [still, still, other, other, other, still, still]
    frames, durations = _played(video("t", np.array([changes]), fps=10))
    np.testing.assert_array_equal(frames[:, 0, 0, 0], [0, 0, 200, 200, 200, 0, 0])
    assert durations == [100] * 7


@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize("fps", [1, 3, 4, 7.5, 24, 29.97, 30, 50, np.float32(12)])
def test_time_adds_up(fps: float, still: bool) -> None:
    """After any number of frames, the clock is right to half a hundredth of a second."""
    array = np.zeros((1, 25, 1, 2, 2)) if still else np.random.default_rng(0).random((1, 25, 1, 2, 2))
    encoded = video("t", array, fps)
    _, durations = _played(encoded)
    expected = np.arange(1, 26) * 1000 / float(fps)
    assert np.abs(np.cumsum(durations) - expected).max() <= 5 + 1e-6
    assert encoded.notes == ()


def test_slowest() -> None:
    """The slowest rate that is accepted is the longest time that a GIF can hold."""
    array = np.zeros((1, 2, 1, 2, 2))
    check_video(array.shape, array.dtype, 100 / 65535)
    assert _played(video("t", array, 100 / 65535))[1] == [655350] * 2


def test_faster_than_viewers_play() -> None:
    """Rates that viewers would slow down are played at the highest that they do not, and that is told."""
    encoded = video("t", np.zeros((1, 5, 1, 2, 2)), 120)
    assert _played(encoded)[1] == [20] * 5
    assert encoded.notes == ("a GIF plays at most 50 frames a second",)


def test_small_changes() -> None:
    """Where little changes from frame to frame, all of each frame is right, and little is written."""
    array = np.zeros((1, 20, 3, 64, 64), np.uint8)
    array[:] = np.random.default_rng(0).integers(0, 8, (1, 1, 1, 64, 64)) * 30
    for time in range(20):
        array[0, time, :, 3 * time : 3 * time + 4, 2 * time : 2 * time + 6] = 255 - 5 * time
    encoded = video("t", array)
    np.testing.assert_array_equal(_played(encoded)[0], array[0].transpose(0, 2, 3, 1))
    assert len(encoded.summary) < 2 * len(video("t", array[:, :1]).summary) + 20 * 900


@pytest.mark.parametrize("kind", ["noise", "smooth", "few"])
def test_error_of_the_palette(kind: str) -> None:
    """Of more than 256 colours, the chosen ones err little more than those that Pillow itself chooses."""
    rows, columns = np.mgrid[0:80, 0:90]
    planes = [np.sin(columns / 20), np.cos(rows / 30), np.sin((rows + columns) / 40)]
    frame = np.stack([(127 * (plane + 1)).astype(np.uint8) for plane in planes])
    if kind == "noise":
        frame = np.random.default_rng(0).integers(0, 256, (3, 80, 90), np.uint8)
    if kind == "few":
        frame = frame // 16 * 16
    shown = _played(video("t", frame[None, None]))[0][0].astype(int)
    pixels = frame.transpose(1, 2, 0)
    pillow = Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB")
    assert np.abs(shown - pixels).mean() <= 1.4 * np.abs(np.asarray(pillow, int) - pixels).mean()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values(value: float) -> None:
    """They are drawn as in images, counted over all frames, and told."""
    array = np.zeros((2, 3, 1, 2, 2), np.float32)
    array[1, :, 0, 0, 1] = value
    encoded = video("t", array)
    assert _played(encoded)[0][2, 0, 3].tolist() == [255 if value > 0 else 0] * 3
    assert encoded.nonfinite == 3
    assert encoded.notes == ("values that are NaN were drawn as 0, infinite ones as 0 or 255",)


_GOOD = (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("shape", "dtype", "fps", "dataformats", "error", "message"),
    [
        (_GOOD, "u1", 4, None, TypeError, "dataformats must be a str .*got NoneType"),
        (_GOOD, "u1", 4, "NCHW", ValueError, "dataformats must hold N, T, C, H and W, .*got 'NCHW'"),
        (_GOOD, "u1", 4, "NTTHW", ValueError, "dataformats must hold .*got 'NTTHW'"),
        (
            _GOOD[1:],
            "u1",
            4,
            "NTCHW",
            ValueError,
            "vid_tensor must have 5 dimensions.*got shape",
        ),
        ((1, 0, 3, 4, 5), "u1", 4, "NTCHW", ValueError, "vid_tensor must not be empty"),
        ((1, 2, 2, 4, 5), "u1", 4, "NTCHW", ValueError, "vid_tensor must have 1, 3 or 4 channels, got 2"),
        (_GOOD, "u1", 4, "NTHWC", ValueError, "vid_tensor must have 1, 3 or 4 channels, got 5"),
        ((1, 1, 1, 1, 65536), "u1", 4, "NTCHW", ValueError, "vid_tensor's frames must fit in 65535 pixels"),
        ((4, 1, 1, 1, 40000), "u1", 4, "NTCHW", ValueError, "vid_tensor's frames must fit in 65535 pixels"),
        (_GOOD, "c8", 4, "NTCHW", TypeError, "vid_tensor must be of .*dtype, got complex64"),
        (_GOOD, "u1", "4", "NTCHW", TypeError, "fps must be a number, got str"),
        (_GOOD, "u1", True, "NTCHW", TypeError, "fps must be a number, got bool"),
        (_GOOD, "u1", 0, "NTCHW", ValueError, "fps must be finite and at least 0.001526, got 0"),
        (_GOOD, "u1", -4, "NTCHW", ValueError, "fps must be .*got -4"),
        (_GOOD, "u1", float("nan"), "NTCHW", ValueError, "fps must be .*got nan"),
        (_GOOD, "u1", float("inf"), "NTCHW", ValueError, "fps must be .*got inf"),
    ],
)
def test_check_names_what_is_wrong(
    shape: tuple[int, ...], dtype: str, fps: Any, dataformats: Any, error: type[Exception], message: str
) -> None:
    """What is no video is refused, by argument, with what was given."""
    with pytest.raises(error, match=message):
        check_video(shape, np.dtype(dtype), fps, dataformats)

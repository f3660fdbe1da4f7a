"""add_video: a batch of videos -> one animated GIF in a Summary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from numbers import Real
from time import sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import gif
from .image import NONFINITE_NOTE, check_real, image_summary
from .pixels import Pixels, fill
from .result import Encoded


def video(tag: str, array: NDArray[Any], fps: float = 4, dataformats: str = "NTCHW") -> Encoded:
    """One animated GIF of the frames that torch's `add_video` gives to its encoder, each a grid of the batch.

    Values are scaled as in `pixels.to_pixels`; uint8 is left as it is (torch divides it by 255 and multiplies
    again, which makes some values less by one). The grid is filled up to a power of two with black.

    Args:
        tag: the series' name.
        array: (N, T, C, H, W) or a permutation; N videos of T frames, of 1 channel (grey), 3 (RGB) or 4, of
            which the last, alpha, is left out.
        fps: frames a second; at most `gif.FASTEST` are written, as viewers slow down what is faster.
        dataformats: one letter a dimension of `array`.
    """
    ntchw = array.transpose([dataformats.upper().index(letter) for letter in "NTCHW"])
    frames = _Frames(ntchw)
    parts = list(gif.encode(frames, fps))
    notes = [NONFINITE_NOTE] if frames.nonfinite else []
    if fps > gif.FASTEST:
        notes.append(f"a GIF plays at most {gif.FASTEST} frames a second")
    shape = (*frames.size, ntchw.shape[2])
    return Encoded(image_summary(tag, shape, parts), frames.nonfinite, tuple(notes))


def check_video(
    shape: Sequence[int], dtype: np.dtype[Any], fps: object, dataformats: object = "NTCHW"
) -> None:
    """Raises TypeError or ValueError if an array of this shape and dtype, at this rate, is no video."""
    if not isinstance(dataformats, str):
        raise TypeError(f"dataformats must be a str such as 'NTCHW', got {type(dataformats).__name__}")
    letters = dataformats.upper()
    if sorted(letters) != sorted("NTCHW"):
        raise ValueError(f"dataformats must hold N, T, C, H and W, each once; got {dataformats!r}")
    if len(shape) != 5:
        raise ValueError(f"vid_tensor must have 5 dimensions, of {dataformats!r}; got shape {tuple(shape)}")
    if 0 in shape:
        raise ValueError(f"vid_tensor must not be empty, got shape {tuple(shape)}")
    sizes = dict(zip(letters, shape, strict=True))
    if sizes["C"] not in (1, 3, 4):
        raise ValueError(f"vid_tensor must have 1, 3 or 4 channels, got {sizes['C']} (shape {tuple(shape)})")
    rows, columns = _grid(sizes["N"])
    if max(rows * sizes["H"], columns * sizes["W"]) > gif.LONGEST_SIDE:
        raise ValueError(
            f"vid_tensor's frames must fit in {gif.LONGEST_SIDE} pixels, got shape {tuple(shape)}"
        )
    check_real(dtype, "vid_tensor")
    if isinstance(fps, bool) or not isinstance(fps, Real):
        raise TypeError(f"fps must be a number, got {type(fps).__name__}")
    if not gif.SLOWEST <= float(fps) < math.inf:
        raise ValueError(f"fps must be finite and at least {gif.SLOWEST:.6f}, got {fps}")


class _Frames:
    """The frames of a batch (N, T, C, H, W), drawn one by one as they are iterated over.

    Attributes:
        size: height and width of a frame in pixels.
        nonfinite: NaN and infinite elements in the frames drawn so far.
    """

    def __init__(self, ntchw: NDArray[Any]) -> None:
        rows, self._columns = _grid(ntchw.shape[0])
        self._ntchw = ntchw
        self.size = (rows * ntchw.shape[3], self._columns * ntchw.shape[4])
        self.nonfinite = 0

    def __iter__(self) -> Iterator[Pixels]:
        _, count, channels, height, width = self._ntchw.shape
        for time in range(count):
            frame = np.zeros((*self.size, min(channels, 3)), np.uint8)
            for index, chw in enumerate(self._ntchw[:, time, :3]):
                top, left = index // self._columns * height, index % self._columns * width
                self.nonfinite += fill(frame[top : top + height, left : left + width], chw)
            yield frame
            sleep(0)


def _grid(count: int) -> tuple[int, int]:
    """Rows and columns in which torch lays out `count` videos: powers of two, no more rows than columns."""
    cells = 1 << (count - 1).bit_length()
    rows = 1 << (count.bit_length() - 1) // 2
    return rows, cells // rows

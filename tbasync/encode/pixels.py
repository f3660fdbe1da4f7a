"""Arrays of any layout and dtype -> uint8 pixels (H, W, C), the values that torch's writer draws.

Everything is done in bands of rows, so that a band's intermediate values stay in the processor's cache,
and no call keeps the GIL for long: numpy's ufuncs and strided copies give it up. That alone does not let
another thread in, though: the next call takes the GIL back before a waiting thread has woken up, until that
thread insists after the interpreter's switch interval of 5 ms. Hence the `sleep(0)` after each band, which
lets it run: the usual longest wait while a 4096x4096 image is encoded falls from 3 to 5 ms to about 0.5 ms,
for a microsecond a band.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

GRID_COLUMNS = 8
_BAND = 1 << 16  # elements converted at a time: 256 KiB as float32


def to_pixels(array: NDArray[Any], dataformats: str) -> tuple[Pixels, int]:
    """The picture of `array` as C-contiguous uint8 of shape (H, W, C), and how many elements were not finite.

    A batch (an `N` among `dataformats`) is laid out row by row in a grid of at most `GRID_COLUMNS` columns,
    its unused cells black (transparent black with an alpha channel). One channel is repeated to three. The
    result may share memory with `array`.

    Values are scaled as torch's writer scales them: uint8 is taken as it is; every other dtype is converted
    to float32, multiplied by 255, clipped to [0, 255] and truncated. NaN becomes 0, infinities 0 or 255.

    Args:
        array: of bool, integer or real dtype, of a shape that `image.check_image` accepts for `dataformats`.
        dataformats: one letter a dimension of `array`, of N, C, H and W in any order and case.
    """
    letters = dataformats.upper()
    if "N" in letters:
        return _grid(array.transpose([letters.index(letter) for letter in "NCHW"]))
    if "C" not in letters:
        array, letters = array[np.newaxis], "C" + letters
    hwc = array.transpose([letters.index(letter) for letter in "HWC"])
    if hwc.dtype == np.uint8 and hwc.shape[2] > 1 and hwc.flags.c_contiguous:
        return hwc, 0
    pixels = np.empty((*hwc.shape[:2], _drawn_channels(hwc.shape[2])), np.uint8)
    return pixels, fill(pixels, hwc.transpose(2, 0, 1))


def drawn_size(shape: Sequence[int], dataformats: str) -> tuple[int, int]:
    """Height and width of the picture that `to_pixels` makes of an array of `shape`: of the whole grid."""
    sizes = dict(zip(dataformats.upper(), shape, strict=True))
    columns = min(sizes.get("N", 1), GRID_COLUMNS)
    return sizes["H"] * math.ceil(sizes.get("N", 1) / columns), sizes["W"] * columns


def fill(out: Pixels, chw: NDArray[Any]) -> int:
    """Draws `chw` (C, H, W) into `out` (H, W, C or, for one channel, 3), scaled as in `to_pixels`.

    Returns:
        how many elements of `chw` were NaN or infinite.
    """
    channels, height, width = chw.shape
    step = max(1, _BAND // (channels * width))
    nonfinite = 0
    for top in range(0, height, step):
        band, left_out = _scale(chw[:, top : top + step])
        nonfinite += left_out
        for channel in range(out.shape[2]):
            out[top : top + step, :, channel] = band[channel if channels > 1 else 0]
        sleep(0)
    return nonfinite


def _grid(nchw: NDArray[Any]) -> tuple[Pixels, int]:
    _, channels, height, width = nchw.shape
    canvas = np.zeros((*drawn_size(nchw.shape, "NCHW"), _drawn_channels(channels)), np.uint8)
    nonfinite = 0
    for index, chw in enumerate(nchw):
        top, left = index // GRID_COLUMNS * height, index % GRID_COLUMNS * width
        nonfinite += fill(canvas[top : top + height, left : left + width], chw)
    return canvas, nonfinite


def _drawn_channels(channels: int) -> int:
    return 3 if channels == 1 else channels


def _scale(values: NDArray[Any]) -> tuple[Pixels, int]:
    if values.dtype == np.uint8:
        return values, 0
    if values.dtype.kind in "biu":  # any integer of at least 1, times 255, is clipped to 255
        return np.multiply((values > 0).view(np.uint8), 255, dtype=np.uint8), 0
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values.astype(np.float32)
        nonfinite = scaled.size - int(np.count_nonzero(np.isfinite(scaled)))
        scaled *= np.float32(255)
    np.fmax(scaled, 0, out=scaled)  # of NaN and 0, fmax gives 0
    np.fmin(scaled, 255, out=scaled)
    return scaled.astype(np.uint8), nonfinite

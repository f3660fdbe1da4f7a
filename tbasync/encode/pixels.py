"""Arrays of any layout and dtype -> uint8 pixels (H, W, C), the values that torch's writer draws.

Everything is done in bands of rows, so that a band's intermediate values stay in the processor's cache, no call
keeps the GIL for long, and the interpreter can be offered to other threads between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rests import offer

Pixels = NDArray[np.uint8]

GRID_COLUMNS = 8
_BAND = 1 << 17  # elements converted at a time: 512 KiB as float32


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
    for letter in "CN":
        if letter not in letters:
            array, letters = array[np.newaxis], letter + letters
    nchw = array.transpose([letters.index(letter) for letter in "NCHW"])
    count, channels = nchw.shape[:2]
    if count == 1 and channels > 1 and nchw.dtype == np.uint8:
        hwc = nchw[0].transpose(1, 2, 0)
        if hwc.flags.c_contiguous:
            return hwc, 0
    canvas = np.zeros((*drawn_size(nchw.shape, "NCHW"), 3 if channels == 1 else channels), np.uint8)
    return canvas, draw_grid(canvas, nchw, min(count, GRID_COLUMNS))


def drawn_size(shape: Sequence[int], dataformats: str) -> tuple[int, int]:
    """Height and width of the picture that `to_pixels` makes of an array of `shape`: of the whole grid."""
    sizes = dict(zip(dataformats.upper(), shape, strict=True))
    columns = min(sizes.get("N", 1), GRID_COLUMNS)
    return sizes["H"] * math.ceil(sizes.get("N", 1) / columns), sizes["W"] * columns


def draw_grid(canvas: Pixels, nchw: NDArray[Any], columns: int) -> int:
    """Draws images (N, C, H, W), scaled as in `to_pixels`, row by row into a grid of so many columns.

    Args:
        canvas: C-contiguous, of `columns` times W pixels a row, with C channels; where C is 1, any number.

    Returns:
        how many elements of `nchw` were NaN or infinite.
    """
    count, _, height, width = nchw.shape
    cells = canvas.reshape(-1, height, columns, width, canvas.shape[2])
    at_once = max(1, _BAND // nchw[:columns].size)  # rows of the grid
    whole, rest = divmod(count, columns)
    nonfinite = 0
    for row in range(0, whole, at_once):
        if row:
            offer()
        rows = min(at_once, whole - row)
        images = nchw[row * columns : (row + rows) * columns]
        nonfinite += _draw_rows(cells[row : row + rows], images.reshape(rows, columns, *nchw.shape[1:]))
    if rest:
        nonfinite += _draw_rows(cells[whole : whole + 1, :, :rest], nchw[np.newaxis, whole * columns :])
    return nonfinite


def _draw_rows(cells: Pixels, images: NDArray[Any]) -> int:
    """Draws `images` (R, N, C, H, W) into `cells` (R, H, N, W, channels); returns as `draw_grid` does."""
    rows, count, channels, height, width = images.shape
    step = max(1, _BAND // (rows * count * channels * width))
    nonfinite = 0
    for top in range(0, height, step):
        if top:
            offer()
        band, left_out = _scale(images[:, :, :, top : top + step])
        nonfinite += left_out
        for channel in range(cells.shape[4]):
            plane = band[:, :, channel if channels > 1 else 0]
            cells[:, top : top + step, :, :, channel] = plane.transpose(0, 2, 1, 3)
    return nonfinite


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

"""Images as `tf.summary.image` writes them: width, height and a PNG file for each, in one tensor of strings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..proto import DataType
from ..rests import offer
from . import png
from .image import NONFINITE_NOTE, check_real
from .pixels import Pixels
from .result import Encoded
from .tensor_value import strings
from .v2_value import encoded, metadata

_BAND = 1 << 17  # elements converted at a time; why in bands: see `pixels`


def check_v2_images(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises TypeError or ValueError unless an array of this shape and dtype is a batch of images."""
    if len(shape) != 4:
        raise ValueError(f"data must have shape [k, h, w, c], that is 4 dimensions, got {tuple(shape)}")
    if shape[3] not in (1, 2, 3, 4):
        raise ValueError(f"data must have 1, 2, 3 or 4 channels, got {shape[3]} (shape {tuple(shape)})")
    if 0 in shape[1:]:
        raise ValueError(f"data must have no image without pixels, got shape {tuple(shape)}")
    check_real(dtype, "data")


def v2_images(tag: str, images: NDArray[Any], count: int, description: str | None = None) -> Encoded:
    """The first `count` images.

    Floats are multiplied by 255.5, clipped to [0, 255] and truncated; integers are scaled from their type's
    range to that of uint8, negative ones made 0: as `tf.image.convert_image_dtype` does. NaN becomes 0. A
    bool, which that refuses, is black or white.

    Args:
        tag: the series' name.
        images: (k, h, w, c) of bool, integer or real dtype, with 1 to 4 channels.
        count: how many to write.
        description: Markdown, shown with the images.
    """
    _, height, width, _ = images.shape
    values = [str(width).encode(), str(height).encode()]
    nonfinite = 0
    for image in images[:count]:
        pixels, left_out = _to_uint8(image)
        nonfinite += left_out
        values.append(b"".join(png.encode(pixels)))
    told = metadata("images", description)
    data = encoded(tag, told, DataType.DT_STRING, (len(values),), strings(values))
    return Encoded(data.summary, nonfinite, (NONFINITE_NOTE,) if nonfinite else ())


def _to_uint8(image: NDArray[Any]) -> tuple[Pixels, int]:
    """An image as contiguous uint8, and how many of its elements were not finite."""
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image), 0
    pixels = np.empty(image.shape, np.uint8)
    rows = max(1, _BAND // image[0].size)
    nonfinite = 0
    for top in range(0, len(image), rows):
        if top:
            offer()
        band = image[top : top + rows]
        if band.dtype.kind == "f":
            nonfinite += band.size - int(np.count_nonzero(np.isfinite(band)))
            pixels[top : top + rows] = _scaled_floats(band)
        else:
            pixels[top : top + rows] = _scaled_integers(band)
    return pixels, nonfinite


def _scaled_floats(band: NDArray[Any]) -> Pixels:
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = band * band.dtype.type(255.5)
    pixels: Pixels = np.fmin(np.fmax(scaled, 0), 255).astype(np.uint8)  # of NaN and 0, fmax gives 0
    return pixels


def _scaled_integers(band: NDArray[Any]) -> Pixels:
    if band.dtype == np.bool_:
        return band.astype(np.uint8) * np.uint8(255)
    if band.dtype == np.int8:
        doubled: Pixels = np.maximum(band, 0).astype(np.uint8) * np.uint8(2)
        return doubled
    surplus = 8 * band.dtype.itemsize - (8 if band.dtype.kind == "u" else 9)  # bits beyond those of a pixel
    pixels: Pixels = np.maximum(band >> band.dtype.type(surplus), 0).astype(np.uint8)
    return pixels

"""add_image, add_images: an array or a batch of arrays -> one PNG in a Summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..wire import message
from . import png
from .pixels import Pixels, drawn_size, to_pixels
from .result import Encoded

NONFINITE_NOTE = "values that are NaN were drawn as 0, infinite ones as 0 or 255"

_LAYOUTS = frozenset(map(frozenset, ("HW", "CHW", "NCHW")))


def image(tag: str, array: NDArray[Any], dataformats: str, rescale: float = 1) -> Encoded:
    """One PNG with the pixels that torch's `add_image` or `add_images` draws for the same call.

    Args:
        tag: the series' name.
        array: (C, H, W), (H, W), (N, C, H, W) or any permutation of these; see `pixels.to_pixels` for the
            scaling of values and the grid of a batch.
        dataformats: one letter a dimension of `array`.
        rescale: factor of the PNG's size; the summary's height and width stay the array's, as in torch.
    """
    pixels, nonfinite = to_pixels(array, dataformats)
    return encode_pixels(tag, pixels, rescale, nonfinite)


def check_image(
    shape: Sequence[int], dtype: np.dtype[Any], dataformats: object, argument: str = "img_tensor"
) -> None:
    """Raises TypeError or ValueError if an array of this shape and dtype is no image of `dataformats`."""
    if not isinstance(dataformats, str):
        raise TypeError(f"dataformats must be a str such as 'CHW', got {type(dataformats).__name__}")
    letters = dataformats.upper()
    if len(set(letters)) != len(letters) or frozenset(letters) not in _LAYOUTS:
        raise ValueError(
            f"dataformats must hold H and W, and may hold C, or N and C, each once, such as 'CHW', 'HWC', "
            f"'HW' or 'NCHW'; got {dataformats!r}"
        )
    if len(shape) != len(letters):
        raise ValueError(
            f"{argument} must have {len(letters)} dimensions for dataformats {dataformats!r}, "
            f"got shape {tuple(shape)}"
        )
    if 0 in shape:
        raise ValueError(f"{argument} must not be empty, got shape {tuple(shape)}")
    # Two channels, grey and alpha, are undocumented, but torch's writer draws a single image of them.
    accepted, told = ((1, 3, 4), "1, 3 or 4") if "N" in letters else ((1, 2, 3, 4), "1 to 4")
    if "C" in letters and shape[letters.index("C")] not in accepted:
        raise ValueError(
            f"{argument} must have {told} channels, got {shape[letters.index('C')]} "
            f"(shape {tuple(shape)}, dataformats {dataformats!r})"
        )
    check_real(dtype, argument)


def check_real(dtype: np.dtype[Any], argument: str) -> None:
    """Raises TypeError if `dtype` is not bool, integer or real."""
    if dtype.kind not in "biuf":
        raise TypeError(f"{argument} must be of bool, integer or real dtype, got {dtype}")


def check_rescale(rescale: object, shape: Sequence[int], dataformats: str) -> None:
    """Raises TypeError or ValueError if `rescale` is no factor that leaves at least one pixel of an image."""
    if isinstance(rescale, bool) or not isinstance(rescale, Real):
        raise TypeError(f"rescale must be a number, got {type(rescale).__name__}")
    factor = float(rescale)
    height, width = drawn_size(shape, dataformats)
    if not math.isfinite(factor) or min(int(height * factor), int(width * factor)) < 1:
        raise ValueError(
            f"rescale must be finite and leave at least one pixel of {height}x{width}, got {factor}"
        )


def encode_pixels(tag: str, pixels: Pixels, rescale: float = 1, nonfinite: int = 0) -> Encoded:
    """`pixels` (H, W, C) as one PNG, resized by `rescale` with Pillow's Lanczos filter, as torch's are."""
    height, width, _ = pixels.shape
    # torch resizes to the same size, too; that is the identity, and skipped.
    size = int(width * rescale), int(height * rescale)
    drawn = pixels
    if size != (width, height):
        drawn = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    notes = (NONFINITE_NOTE,) if nonfinite else ()
    return Encoded(image_summary(tag, pixels.shape, png.encode(drawn)), nonfinite, notes)


def image_summary(tag: str, shape: tuple[int, ...], encoded: Sequence[bytes]) -> bytes:
    """A Summary of one image: `shape` is (height, width, channels), `encoded` a file's bytes in parts."""
    sizes = b"".join(message.key(i, message.VARINT) + message.varint(n) for i, n in enumerate(shape, start=1))
    return summary_value(tag, 4, [sizes, *message.nested(4, encoded)])


def summary_value(tag: str, field: int, parts: Sequence[bytes]) -> bytes:
    """A Summary of one Value: `tag`, and the message that `parts` make up as its field `field`."""
    # As protobuf does, an empty string is not written.
    name = message.delimited(1, tag.encode()) if tag else b""
    return b"".join(message.nested(1, [name, *message.nested(field, parts)]))

"""add_image_with_boxes: an image with labelled boxes drawn on it by Pillow -> one PNG in a Summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .image import check_image, check_real, check_rescale, encode_pixels
from .pixels import to_pixels
from .result import Encoded

_OUTLINE, _TEXT, _THICKNESS = "red", "black", 2
_FARTHEST = 2.0**30  # Pillow draws with C integers, and what is so far off is invisible all the same

Label = str | None


def image_with_boxes(
    tag: str,
    array: NDArray[Any],
    boxes: NDArray[Any],
    dataformats: str,
    labels: Sequence[Label] | None = None,
    rescale: float = 1,
) -> Encoded:
    """One PNG with the pixels that torch's `add_image_with_boxes` draws for the same call.

    Args:
        tag: the series' name.
        array: an image or a batch of images (drawn as a grid) as for `image.image`.
        boxes: (N, 4) of (x1, y1, x2, y2) in pixels of `array`'s picture. Boxes with a NaN are left out.
        dataformats: one letter a dimension of `array`.
        labels: a text for each box, drawn in its lower left corner; None or "" draws none.
        rescale: factor of the PNG's size; lines and texts are drawn before, and so are resized, too.
    """
    pixels, nonfinite = to_pixels(array, dataformats)
    picture = Image.fromarray(pixels)
    left_out = _draw_boxes(ImageDraw.Draw(picture), _drawable(boxes), labels or [None] * len(boxes))
    encoded = encode_pixels(tag, np.asarray(picture), rescale, nonfinite)
    if left_out:
        encoded = encoded._replace(notes=(*encoded.notes, "boxes with a NaN coordinate were left out"))
    return encoded


def check_image_with_boxes(
    shape: Sequence[int],
    dtype: np.dtype[Any],
    box_shape: Sequence[int],
    box_dtype: np.dtype[Any],
    dataformats: object,
    labels: object = None,
    rescale: object = 1,
) -> list[Label] | None:
    """Raises TypeError or ValueError if the arguments cannot be drawn; returns `labels` as a list."""
    check_image(shape, dtype, dataformats)
    check_rescale(rescale, shape, str(dataformats))
    check_real(box_dtype, "box_tensor")
    if len(box_shape) != 2 or box_shape[1] != 4:
        raise ValueError(f"box_tensor must be of shape (N, 4), got {tuple(box_shape)}")
    if labels is None:
        return None
    if isinstance(labels, str):
        labels = [labels]
    if not isinstance(labels, Sequence | np.ndarray):
        raise TypeError(f"labels must be a list of str, got {type(labels).__name__}")
    for label in labels:
        if not isinstance(label, str | None):
            raise TypeError(f"labels must be str or None, got {label!r} of type {type(label).__name__}")
    if len(labels) != box_shape[0]:
        raise ValueError(f"labels must be as many as the boxes, {box_shape[0]}; got {len(labels)}")
    return list(labels)


def _drawable(boxes: NDArray[Any]) -> Any:
    """`boxes` within what Pillow can draw. Reals keep their dtype, as their rounding decides about pixels."""
    if boxes.dtype.kind in "biu":
        return np.clip(boxes, -_FARTHEST, _FARTHEST).astype(np.int64)
    farthest = min(_FARTHEST, float(np.finfo(boxes.dtype).max))
    return np.clip(boxes, -farthest, farthest)


def _draw_boxes(draw: ImageDraw.ImageDraw, boxes: NDArray[Any], labels: Sequence[Label]) -> int:
    """Draws all boxes without a NaN, in order; returns how many were left out."""
    font = ImageFont.load_default()
    drawable = ~np.isnan(boxes).any(axis=1)
    for box, label in zip(boxes[drawable], np.array(labels, object)[drawable], strict=True):
        left, top, right, bottom = box
        corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
        draw.line(corners, width=_THICKNESS, fill=_OUTLINE)
        if label:
            _draw_label(draw, label, left, bottom, font)
    return len(boxes) - int(np.count_nonzero(drawable))


def _draw_label(draw: ImageDraw.ImageDraw, label: str, left: Any, bottom: Any, font: Any) -> None:
    """Draws `label` on a filled rectangle whose lower left corner is (`left`, `bottom`)."""
    x1, y1, x2, y2 = font.getbbox(label)
    width, height = x2 - x1, y2 - y1
    margin = np.ceil(0.05 * height)  # a float64, which carries the sums below to float64, as in torch
    draw.rectangle([(left, bottom - height - 2 * margin), (left + width, bottom)], fill=_OUTLINE)
    draw.text((left + margin, bottom - height - margin), label, fill=_TEXT, font=font)

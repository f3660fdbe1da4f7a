"""Embeddings: the files of TensorBoard's Projector, which reads none of it from the event file.

A run has one projector_config.pbtxt that lists all its embeddings; each has a directory of its own,
`<step>/<tag>/`, with tensors.tsv and if given metadata.tsv and sprite.png.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..rests import offer
from .labels import Labels, tsv
from .projector import CONFIG, EmbeddingEntry, ProjectorList
from .result import Encoded
from .shaped import Shaped

_PIECE = 1024  # numbers printed at a time: up to about 0.5 ms with the GIL held
_SPRITE_LIMIT = 8192  # pixels; TensorBoard's frontend fails on larger ones
_NAME_LIMIT = 255  # bytes in a file name, on nearly every file system


def check_embedding(
    entry: EmbeddingEntry,
    mat: Shaped,
    labels: Labels | None = None,
    label_img: Shaped | None = None,
) -> None:
    """Raises for arguments of `embedding` that do not fit each other, or a tag that is no file name.

    Raises:
        ValueError: wrong shapes or counts, and tags that would leave the run's directory.
        TypeError: for elements that are no numbers.
    """
    _check_tag(entry)
    if mat.ndim != 2:
        raise ValueError(f"mat has shape {mat.shape}; accepted is (points, dimensions)")
    if mat.dtype.kind not in "biufc":
        raise TypeError(f"mat has elements of type {mat.dtype}; accepted are numbers")
    if labels is not None and labels.points != len(mat):
        raise ValueError(f"metadata has {labels.points} labels for {len(mat)} points; they must agree")
    if label_img is not None:
        _check_images(label_img, len(mat))


def _check_tag(entry: EmbeddingEntry) -> None:
    name = entry.directory.partition("/")[2]
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"tag is {entry.tag!r}, which UTF-8 cannot hold") from error
    if name in ("", ".", "..") or "\0" in name:
        raise ValueError(f"tag is {entry.tag!r}; accepted are tags that can name a directory")
    if size > _NAME_LIMIT:
        raise ValueError(f"tag names a directory; {entry.tag[:40]!r}... is longer than {_NAME_LIMIT} bytes")


def _check_images(label_img: Shaped, points: int) -> None:
    if label_img.ndim != 4 or label_img.shape[1] not in (1, 3) or 0 in label_img.shape:
        raise ValueError(
            f"label_img has shape {label_img.shape}; accepted is (points, 1 or 3, height, width)"
        )
    count, _, height, width = label_img.shape
    if count != points:
        raise ValueError(f"label_img has {count} images for {points} points; they must agree")
    columns = _columns(count)
    if math.ceil(count / columns) * height > columns * width:
        raise ValueError(
            f"label_img has images of {width} x {height} pixels: {count} of them, taller than wide, make no "
            "square sprite; make them square"
        )


def embedding(
    entry: EmbeddingEntry,
    mat: npt.NDArray[Any],
    labels: Labels | None = None,
    label_img: npt.NDArray[Any] | None = None,
    *,
    listed: ProjectorList,
) -> Encoded:
    """The files of one embedding, and its part in the run's list of them.

    The files are, byte for byte, those that torch's writer makes, but for sprites from uint8 images:
    those are taken to be in 0..255, where torch multiplies them by 255.

    Args:
        entry: name, step and parts of the embedding.
        mat: (points, dimensions), numbers of any type.
        labels: those of the points.
        label_img: (points, 1 or 3, height, width), in [0, 1], or in [0, 255] for uint8; values beyond
            are clipped.
        listed: the run's list.

    Returns:
        Files by path relative to the run's directory; no summary.
    """
    files = {f"{entry.directory}/tensors.tsv": b"".join(_rows(mat))}
    notes = []
    if labels is not None:
        metadata = b"".join(tsv(labels))
        files[f"{entry.directory}/metadata.tsv"] = metadata
        if metadata.count(b"\n") != max(1, len(labels.lines)):
            notes.append("labels contain line breaks, which the Projector takes for further points")
    if label_img is not None:
        files[f"{entry.directory}/sprite.png"] = _sprite(label_img)
        side = _columns(len(label_img)) * label_img.shape[3]
        if side > _SPRITE_LIMIT:
            notes.append(f"the sprite is {side} pixels wide; the Projector shows up to {_SPRITE_LIMIT}")
    return Encoded(b"", notes=tuple(notes), files=files, shared={CONFIG: (listed, entry.text())})


def _rows(mat: npt.NDArray[Any]) -> Iterator[bytes]:
    """Lines of tab-separated numbers, printed as Python prints them (the shortest that read back equal)."""
    rows = max(1, _PIECE // max(1, mat.shape[1]))
    for start in range(0, len(mat), rows):
        lines = ("\t".join(_printed(row)) + "\n" for row in mat[start : start + rows])
        yield "".join(lines).encode("ascii")
        offer()


def _printed(row: npt.NDArray[Any]) -> Iterator[str]:
    for start in range(0, len(row), _PIECE):
        # One call prints a list of many numbers several times faster than a call for each.
        yield str(row[start : start + _PIECE].tolist())[1:-1].replace(", ", "\t")


def _columns(images: int) -> int:
    """How many images stand in one row of a square sprite: the square root, rounded up."""
    return math.isqrt(images - 1) + 1


def _sprite(label_img: npt.NDArray[Any]) -> bytes:
    """All images in one square PNG, row by row; the rest below is black."""
    count, channels, height, width = label_img.shape
    columns = _columns(count)
    side = columns * width
    canvas = np.zeros((side, side, 3), np.uint8)
    for row, start in enumerate(range(0, count, columns)):
        images = _pixels(label_img[start : start + columns])
        strip = images.transpose(2, 0, 3, 1).reshape(height, -1, channels)
        canvas[row * height : (row + 1) * height, : strip.shape[1]] = strip
    out = io.BytesIO()
    Image.fromarray(canvas).save(out, format="PNG")
    return out.getvalue()


def _pixels(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return images
    scaled = images.astype(np.float64) * 255
    np.nan_to_num(scaled, copy=False, posinf=np.inf, neginf=-np.inf)
    return scaled.clip(0, 255).astype(np.uint8)

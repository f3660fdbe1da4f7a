"""Embeddings: the files of TensorBoard's Projector, which reads none of it from the event file.

A run has one projector_config.pbtxt that lists all its embeddings; each has a directory of its own,
`<step>/<tag>/`, with tensors.tsv and if given metadata.tsv and sprite.png.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import text_format
from PIL import Image

from ..proto.projector import EmbeddingInfo, ProjectorConfig, SpriteMetadata
from .labels import Labels, tsv
from .result import Encoded
from .shaped import Shaped

_CONFIG = "projector_config.pbtxt"
_PIECE = 1024  # numbers printed at a time: up to about 0.5 ms with the GIL held
_SPRITE_LIMIT = 8192  # pixels; TensorBoard's frontend fails on larger ones
_NAME_LIMIT = 255  # bytes in a file name, on nearly every file system


@dataclass(frozen=True)
class EmbeddingEntry:
    """What projector_config.pbtxt says of one embedding; a run keeps them in the order they came.

    Attributes:
        tag: the embedding's name.
        step: the global step, a part of its directory's name.
        has_metadata: whether there is a metadata.tsv.
        thumbnail: width and height of one image of the sprite, in pixels; None without a sprite.
    """

    tag: str
    step: int
    has_metadata: bool = False
    thumbnail: tuple[int, int] | None = None

    @property
    def directory(self) -> str:
        """The embedding's directory, relative to the run's, with the tag's % / and \\ escaped."""
        name = self.tag.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
        return f"{str(self.step).zfill(5)}/{name}"


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
    known: Sequence[EmbeddingEntry] = (),
) -> Encoded:
    """The files of one embedding, and the run's configuration with this one listed after those before.

    The files are, byte for byte, those that torch's writer makes, but for sprites from uint8 images:
    those are taken to be in 0..255, where torch multiplies them by 255.

    Args:
        entry: name, step and parts of the embedding.
        mat: (points, dimensions), numbers of any type.
        labels: those of the points.
        label_img: (points, 1 or 3, height, width), in [0, 1], or in [0, 255] for uint8; values beyond
            are clipped.
        known: what the run's configuration lists already.

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
    files[_CONFIG] = _config([*known, entry])
    return Encoded(b"", notes=tuple(notes), files=files)


def _rows(mat: npt.NDArray[Any]) -> Iterator[bytes]:
    """Lines of tab-separated numbers, printed as Python prints them (the shortest that read back equal)."""
    rows = max(1, _PIECE // max(1, mat.shape[1]))
    for start in range(0, len(mat), rows):
        lines = ("\t".join(_printed(row)) + "\n" for row in mat[start : start + rows])
        yield "".join(lines).encode("ascii")
        sleep(0)  # lets a waiting thread have the GIL


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


def _config(entries: Sequence[EmbeddingEntry]) -> bytes:
    return text_format.MessageToString(ProjectorConfig(embeddings=map(_info, entries))).encode()


def _info(entry: EmbeddingEntry) -> EmbeddingInfo:
    info = EmbeddingInfo(
        tensor_name=f"{entry.tag}:{str(entry.step).zfill(5)}",
        tensor_path=f"{entry.directory}/tensors.tsv",
    )
    if entry.has_metadata:
        info.metadata_path = f"{entry.directory}/metadata.tsv"
    if entry.thumbnail is not None:
        sprite = SpriteMetadata(image_path=f"{entry.directory}/sprite.png", single_image_dim=entry.thumbnail)
        info.sprite.CopyFrom(sprite)
    return info

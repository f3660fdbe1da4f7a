"""uint8 frames -> an animated GIF: Pillow picks colours and compresses, this file puts the frames together.

Format: GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt .

Pillow's own writer of animations drops a frame that equals the one before. Here every frame is written with a
time of its own, so that the n-th image of the file is the n-th frame: a frame holds the rectangle that has
changed, or a single pixel if none has, and each has its own table of colours.

Pillow holds the GIL while it compresses a frame: about 10 ns a pixel, 0.7 ms for one of 256x256.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..rests import offer
from .pixels import Pixels

LONGEST_SIDE = 65535  # pixels
FASTEST = 50  # frames a second: viewers show a delay of less than 2 hundredths of a second as 10
SLOWEST = 100 / 65535  # frames a second

_LOOP_FOR_EVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
_KEEP = 1 << 2  # disposal method: the next frame is drawn on top of this one
_SAMPLED = 128  # pixels each way at which a frame's colours are counted
_MANY = 1024  # colours


def encode(frames: Iterable[Pixels], fps: float) -> Iterator[bytes]:
    """An animation that repeats for ever, in parts: its header, one part a frame, its end.

    A frame of at most 256 colours is exact. Of more, 256 are chosen: by median cut as long as these are not
    many, such as in plots, else in an octree, which errs by a quarter more at a thirtieth of the time.

    Args:
        frames: at least one, all of the same shape (H, W, 1) or (H, W, 3), sides up to `LONGEST_SIDE`.
        fps: frames a second, from `SLOWEST`. The end of each is rounded to hundredths of a second, so that
            errors do not add up.
    """
    before: Pixels | None = None
    for index, frame in enumerate(frames):
        if before is None:
            height, width, _ = frame.shape
            # 0x70: colours of 8 bits, no global table of them
            yield b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0) + _LOOP_FOR_EVER
        left, top, right, bottom = (0, 0, width, height) if before is None else _changed(before, frame)
        delay = struct.pack("<BHBB", _KEEP, _delay(index, fps), 0, 0)
        yield b"!\xf9\x04" + delay + _image(frame[top:bottom, left:right], left, top)
        before = frame
        offer()
    yield b";"


def _delay(index: int, fps: float) -> int:
    """Hundredths of a second from frame `index` to the next."""
    return max(round((index + 1) * 100 / fps) - round(index * 100 / fps), 100 // FASTEST)


def _changed(before: Pixels, frame: Pixels) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what differs: at least one pixel."""
    differs = (before != frame).any(axis=2)
    columns, rows = np.flatnonzero(differs.any(axis=0)), np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _image(pixels: Pixels, left: int, top: int) -> bytes:
    """An image descriptor at (`left`, `top`), the table of colours and the compressed pixels."""
    file = io.BytesIO()
    _paletted(pixels).save(file, "GIF", interlace=0)
    gif = file.getvalue()
    # Of a single image, Pillow writes: header (6), screen (7, its fifth byte the flags), table, descriptor
    # (10), pixels, end (1). The screen's table of colours becomes the image's.
    flags = gif[10] & 0x07
    table = 3 * 2 ** (flags + 1)
    descriptor = struct.pack("<cHHHHB", b",", left, top, pixels.shape[1], pixels.shape[0], 0x80 | flags)
    return descriptor + gif[13 : 13 + table] + gif[13 + table + 10 : -1]


def _paletted(pixels: Pixels) -> Image.Image:
    if pixels.shape[2] == 1:
        return Image.fromarray(pixels[:, :, 0])
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    octree = _has_many_colours(pixels)
    return picture.quantize(256, Image.Quantize.FASTOCTREE if octree else Image.Quantize.MEDIANCUT)


def _has_many_colours(pixels: NDArray[np.uint8]) -> bool:
    height, width, _ = pixels.shape
    sample = pixels[:: -(-height // _SAMPLED), :: -(-width // _SAMPLED)]
    return Image.fromarray(np.ascontiguousarray(sample)).getcolors(_MANY) is None

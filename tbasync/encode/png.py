"""uint8 pixels -> a PNG file, for speed: numpy filters the rows, zlib compresses them.

Format: PNG Specification, Third Edition, https://www.w3.org/TR/png-3/ (chunks: 5.3, filters: 9, deflate: 10).

Pillow's encoder tries five filters a row in scalar code and compresses at zlib's level 6. What
`benchmarks/encode_image` measures speaks for code of our own (milliseconds of CPU time and KiB; one machine,
Pillow 13 and CPython 3.11 on the same zlib 1.2.13, the encoders alone):

                                here          Pillow        Pillow, fastest settings
    noise, 512x512 RGB          1.9   769     26    770     18     770   (run-length)
    smooth waves, 512x512       3.3    21     10     28      4.8    56   (level 1)
    photograph, 640x427         8.5   500     36    479     14     491   (run-length)

Two choices make that:

* filters: None, Sub or Up, whichever makes a row's bytes smallest as signed numbers, with a lean towards Up,
  as zlib finds more repetitions in rows filtered alike. Average and Paeth would save up to 5 % of the size,
  and cost half as much time again or, for noise, several times as much;
* deflate: what to ask of zlib is tried on a small sample of the filtered rows. Noise is stored, photographs
  are run-length and Huffman coded, and only where searching for repetitions pays is it done.

As in `pixels`, work is done in bands of rows, and between them the interpreter is offered to other threads.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rests import offer
from .pixels import Pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels: grey, grey and alpha, RGB, RGB and alpha
_NONE, _SUB, _UP = 0, 1, 2  # filter types
_PENALTIES = np.array([[5], [5], [4]], np.uint64)  # of None, Sub and Up: see above
_BAND = 1 << 17  # bytes filtered and compressed at a time
_SAMPLE = 1 << 13  # bytes of each of three bands on which ways to compress are tried
_TINY = 1 << 12  # bytes below which trying costs more than it saves

# Levels and strategies, the fastest first: runs of a byte; repetitions too; and more of these.
_RUNS, _REPEATS, _MORE_REPEATS = (1, zlib.Z_RLE), (1, 0), (3, 0)


def encode(pixels: Pixels) -> list[bytes]:
    """`pixels`, (H, W, C) C of 1 or 2 (grey, alpha), 3 (RGB) or 4 (RGBA), as a PNG file, in parts to join."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    parts = [_SIGNATURE, *_chunk(b"IHDR", header)]
    deflater = _deflater(rows, channels)
    step = max(1, _BAND // rows.shape[1])
    for top in range(0, height, step):
        if top:
            offer()
        parts += _chunk(b"IDAT", deflater.compress(_filtered(rows, top, top + step, channels).data))
    return [*parts, *_chunk(b"IDAT", deflater.flush()), *_chunk(b"IEND", b"")]


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    if kind == b"IDAT" and not data:
        return ()
    crc = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I4s", len(data), kind), data, struct.pack(">I", crc)


def _filtered(rows: Pixels, top: int, bottom: int, pixel: int) -> Pixels:
    """Rows `top` to `bottom`, filtered, each after its filter's type; `pixel`: bytes a pixel."""
    band = rows[top:bottom]
    up = band.copy()
    up[1:] -= band[:-1]
    if top:
        up[0] -= rows[top - 1]
    sub = band.copy()
    sub[:, pixel:] -= band[:, :-pixel]
    candidates = {_NONE: band, _SUB: sub, _UP: up}
    chosen = np.argmin(np.array([_sizes(each) for each in candidates.values()]) * _PENALTIES, axis=0)
    out = np.empty((band.shape[0], band.shape[1] + 1), np.uint8)
    out[:, 0] = chosen
    for first, last in _runs(chosen):
        out[first:last, 1:] = candidates[int(chosen[first])][first:last]
    return out


def _sizes(filtered: Pixels) -> Any:
    """The sum of each row's bytes, taken as signed numbers, without their signs."""
    magnitudes = np.abs(filtered.view(np.int8)).view(np.uint8)  # of -128, 128
    return np.add.reduce(magnitudes, axis=1, dtype=np.uint32)


def _runs(values: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """The bounds of the stretches of equal neighbours in `values`."""
    return pairwise((0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)))


def _deflater(rows: Pixels, pixel: int) -> Any:
    """A zlib compressor with the options that suit `rows`, tried on a sample of them."""
    if rows.size <= _TINY:
        return zlib.compressobj(6)
    sample = _sample(rows, pixel)
    runs, repeats = _compressed_size(sample, _RUNS), _compressed_size(sample, _REPEATS)
    if min(runs, repeats) > 0.98 * sample.size:
        return zlib.compressobj(0)
    if repeats > 0.95 * runs:
        return _compressor(_RUNS)
    more_repeats = _compressed_size(sample, _MORE_REPEATS)
    if more_repeats < sample.size / 32:  # so little is left to search that the longest search is cheap
        return zlib.compressobj(6)
    return _compressor(_REPEATS if repeats < 1.15 * more_repeats else _MORE_REPEATS)


def _sample(rows: Pixels, pixel: int) -> Pixels:
    height, width = rows.shape
    count = max(1, min(_SAMPLE // width, height // 12))
    tops = (height // 6, height // 2, height - height // 6 - count)
    return np.concatenate([_filtered(rows, top, top + count, pixel) for top in tops])


def _compressed_size(sample: Pixels, options: tuple[int, int]) -> int:
    deflater = _compressor(options)
    return len(deflater.compress(sample.data)) + len(deflater.flush())


def _compressor(options: tuple[int, int]) -> Any:
    level, strategy = options
    return zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)

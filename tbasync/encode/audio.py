"""add_audio: samples -> one WAV file of 16-bit PCM in a Summary."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rests import offer
from ..wire import message
from .image import check_real, summary_value
from .result import Encoded

_HIGHEST_RATE = 2**30 - 1  # Hz; a WAV header counts bytes a second in 32 bits, at two channels of 16 bits
_SHAPES = "(L,), (1, L), (L, 1) or (L, 2) with at least one sample"
_BLOCK = 1 << 16  # frames converted at a time; why in blocks: see `pixels`


def audio(tag: str, array: NDArray[Any], sample_rate: float = 44100) -> Encoded:
    """One WAV file with the samples that torch's `add_audio` writes for the same call.

    A sample is clipped to [-1, 1], multiplied by 32767 and truncated: in the array's own dtype, or in float32
    where that is no float or float16 (in which torch lets 1.0 overflow to -32768). NaN becomes 0, silence.

    Args:
        tag: the series' name.
        array: bool, integer or real; mono of shape (L,), (1, L) or (L, 1), or, as in tensorboardX, stereo of
            shape (L, 2).
        sample_rate: in Hz; the file has it rounded to an integer.
    """
    squeezed = array.squeeze()
    frames = squeezed if squeezed.ndim == 2 else squeezed.reshape(-1, 1)
    length, channels = frames.shape
    parts = [wav_header(length, channels, sample_rate)]
    nonfinite, notes = 0, set[str]()
    for first in range(0, length, _BLOCK):
        if first:
            offer()
        samples, left_out, told = _quantise(frames[first : first + _BLOCK])
        parts.append(samples.tobytes())
        nonfinite += left_out
        notes |= told
    return Encoded(_audio_summary(tag, sample_rate, channels, length, parts), nonfinite, tuple(sorted(notes)))


def check_audio(shape: Sequence[int], dtype: np.dtype[Any], sample_rate: object) -> None:
    """Raises TypeError or ValueError if an array of this shape and dtype, at this rate, is no sound."""
    check_real(dtype, "snd_tensor")
    longer = [size for size in shape if size > 1]
    stereo = len(longer) == 2 and longer[1] == 2
    if not shape or 0 in shape or (len(longer) > 1 and not stereo):
        hint = "; transpose it" if len(longer) == 2 and longer[0] == 2 else ""
        raise ValueError(f"snd_tensor must be of shape {_SHAPES}, got {tuple(shape)}{hint}")
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, Real):
        raise TypeError(f"sample_rate must be a number, in Hz, got {type(sample_rate).__name__}")
    if not 1 <= float(sample_rate) <= _HIGHEST_RATE:
        raise ValueError(f"sample_rate must be from 1 to {_HIGHEST_RATE} Hz, got {sample_rate}")


def _quantise(block: NDArray[Any]) -> tuple[NDArray[np.int16], int, set[str]]:
    """`block` as 16-bit samples, how many of its elements were not finite, and what to tell of it."""
    values = block.astype(np.result_type(block, np.float32) if block.dtype.kind == "f" else np.float32)
    nonfinite = values.size - int(np.count_nonzero(np.isfinite(values)))
    silent = np.isnan(values)
    notes = {"samples that are NaN were written as silence"} if silent.any() else set()
    if (np.abs(values) > 1).any():
        notes.add("samples beyond [-1, 1] were clipped")
    np.copyto(values, 0, where=silent)
    return (values.clip(-1, 1) * 32767).astype("<i2"), nonfinite, notes


def wav_header(length: int, channels: int, sample_rate: float) -> bytes:
    """What precedes `length` frames in a WAV file: written for so many frames, taken before any is."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.setnframes(length)
        writer.writeframesraw(b"")
        return file.getvalue()


def _audio_summary(tag: str, sample_rate: float, channels: int, length: int, wav: Sequence[bytes]) -> bytes:
    fields = [
        message.key(1, message.FIXED32) + struct.pack("<f", sample_rate),
        message.key(2, message.VARINT) + message.varint(channels),
        message.key(3, message.VARINT) + message.varint(length),
        *message.nested(4, wav),
        message.delimited(5, b"audio/wav"),
    ]
    return summary_value(tag, 6, fields)

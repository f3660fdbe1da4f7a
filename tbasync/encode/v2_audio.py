"""Sounds as `tf.summary.audio` writes them: a WAV file and a label for each, in one tensor of strings."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..proto import DataType
from ..rests import offer
from .audio import wav_header
from .image import check_real
from .result import Encoded
from .tensor_value import strings
from .v2_value import encoded, metadata

_WAV = b"\x10\x0b"  # AudioPluginData.encoding: WAV
_BLOCK = 1 << 16  # frames converted at a time; why in blocks: see `pixels`
_SCALE = 32_768.0
_LARGEST = 2**32  # bytes a second, and of a file: 32 bits in a WAV header
_MOST_CHANNELS = 2**15 - 1  # two bytes each, and a frame's size has 16 bits


def check_v2_audio(shape: tuple[int, ...], dtype: np.dtype[Any], sample_rate: object) -> int:
    """The sample rate as an int, if an array of this shape and dtype is a batch of sounds at this rate.

    Raises:
        TypeError: samples that are not real numbers, or a rate that is no integer.
        ValueError: another shape, no channels or too many, or a rate or length beyond what WAV files hold.
    """
    check_real(dtype, "data")
    if len(shape) != 3 or not 1 <= shape[2] <= _MOST_CHANNELS:
        raise ValueError(f"data must have shape [k, t, c] with a channel at least, got {tuple(shape)}")
    try:
        rate = operator.index(sample_rate)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"sample_rate must be an integer, in Hz, got {sample_rate!r}") from None
    if rate < 1 or max(rate, shape[1]) * shape[2] * 2 >= _LARGEST - 64:
        raise ValueError(
            f"sample_rate must be positive, and 2 * {shape[2]} channels * rate, or * {shape[1]} frames, below "
            f"2**32, got {rate}"
        )
    return rate


def v2_audio(
    tag: str, clips: NDArray[Any], sample_rate: int, count: int, description: str | None = None
) -> Encoded:
    """The first `count` sounds, each with an empty label.

    A sample is made float32, multiplied by 32768, rounded (halves away from zero) and clipped to 16 bits, as
    `tf.audio.encode_wav` does. NaN becomes 0, silence.

    Args:
        tag: the series' name.
        clips: (k, t, c): clips, frames, channels; samples in [-1, 1].
        sample_rate: in Hz.
        count: how many to write.
        description: Markdown, shown with the sounds.
    """
    values: list[bytes] = []
    nonfinite, notes = 0, set[str]()
    for clip in clips[:count]:
        parts = [wav_header(clip.shape[0], clip.shape[1], sample_rate)]
        for first in range(0, len(clip), _BLOCK):
            offer()
            samples, left_out, told = _quantise(clip[first : first + _BLOCK])
            parts.append(samples.tobytes())
            nonfinite += left_out
            notes |= told
        values += (b"".join(parts), b"")
    plugin = metadata("audio", description, _WAV)
    data = encoded(tag, plugin, DataType.DT_STRING, (len(values) // 2, 2), strings(values))
    return Encoded(data.summary, nonfinite, tuple(sorted(notes)))


def _quantise(block: NDArray[Any]) -> tuple[NDArray[np.int16], int, set[str]]:
    """`block` as 16-bit samples, how many of its elements were not finite, and what to tell of it."""
    with np.errstate(over="ignore"):
        wide = block.astype(np.float32).astype(np.float64)  # in which adding a half is exact
    silent = np.isnan(wide)
    notes = {"samples that are NaN were written as silence"} if silent.any() else set()
    np.copyto(wide, 0, where=silent)
    if (np.abs(wide) > 1).any():
        notes.add("samples beyond [-1, 1] were clipped")
    nonfinite = int(np.count_nonzero(silent)) + int(np.count_nonzero(np.isinf(wide)))
    wide *= _SCALE
    rounded = np.copysign(np.floor(np.abs(wide) + 0.5), wide)
    return rounded.clip(-_SCALE, _SCALE - 1).astype("<i2"), nonfinite, notes

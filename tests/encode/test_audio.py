"""Sounds."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tbasync.encode.audio import audio, check_audio
from tbasync.encode.result import Encoded
from tbasync.proto import Summary

_CLIPPED = "samples beyond [-1, 1] were clipped"
_SILENCED = "samples that are NaN were written as silence"


def _elements(dtype: str) -> st.SearchStrategy[Any] | None:
    if np.dtype(dtype).kind == "i":  # of the least number, torch takes the absolute value wrongly
        return st.integers(-(2**15) + 1, 2**15 - 1)
    if np.dtype(dtype).kind != "f":
        return None
    return st.floats(-1.5, 1.5, width=8 * np.dtype(dtype).itemsize) | st.sampled_from([np.inf, -np.inf, 1e5])


@st.composite
def _sounds(draw: st.DrawFn, dtypes: list[str]) -> np.ndarray[Any, Any]:
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(st.sampled_from([(50,), (1, 50), (50, 1), (1, 1, 50), (2,), (1, 2)]))
    return draw(hnp.arrays(dtype, shape, elements=_elements(dtype)))


def _samples(encoded: Encoded) -> np.ndarray[Any, Any]:
    """The samples of the WAV file, (L, channels), after a look at all that the summary says of it."""
    sound = Summary.FromString(encoded.summary).value[0].audio
    with wave.open(io.BytesIO(sound.encoded_audio_string)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth()) == (sound.num_channels, 2)
        assert reader.getnframes() == sound.length_frames
        data = reader.readframes(sound.length_frames)
    assert sound.content_type == "audio/wav"
    return np.frombuffer(data, "<i2").reshape(-1, sound.num_channels)


@given(
    array=_sounds(["float32", "float64", "int16", "int64", "uint16", ">f4"]),
    rate=st.integers(1, 2**30 - 1) | st.floats(1, 1e6),
)
def test_equals_torch(torch_summary: Any, array: Any, rate: float) -> None:
    """Mono sounds of any layout give the bytes that torch's message serializes to, clipped ones, too."""
    check_audio(array.shape, array.dtype, rate)
    ours = audio("t", array, rate)
    assert ours.summary == torch_summary.audio("t", array, rate).SerializeToString()
    beyond = bool((np.abs(array.astype(float)) > 1).any())
    assert ours.notes == ((_CLIPPED,) if beyond else ())
    assert ours.nonfinite == np.count_nonzero(~np.isfinite(array.astype(float)))


@pytest.mark.parametrize("length", [65535, 65536, 65537, 200_000])
def test_long_sounds_equal_torch(torch_summary: Any, length: int) -> None:
    """Sounds that are converted in several blocks are seamless."""
    array = np.sin(np.arange(length) / 7).astype(np.float32)
    assert audio("t", array).summary == torch_summary.audio("t", array).SerializeToString()


@given(array=hnp.arrays(np.float32, st.tuples(st.integers(2, 40), st.just(2)), elements=_elements("float32")))
def test_stereo(array: Any) -> None:
    """An array (L, 2) is stereo, as in tensorboardX, its samples as those of mono sounds."""
    check_audio(array.shape, array.dtype, 8000)
    encoded = audio("t", array, 8000)
    expected = (array.clip(-1, 1) * 32767).astype(np.int16)
    np.testing.assert_array_equal(_samples(encoded), expected)


def test_long_stereo() -> None:
    """Stereo of several blocks keeps its channels apart."""
    array = np.stack([np.linspace(-1, 0, 150_000), np.linspace(0, 1, 150_000)], axis=1)
    np.testing.assert_array_equal(_samples(audio("t", array)), (array * 32767).astype(np.int16))


@pytest.mark.parametrize("dtype", ["float16", "bool", "int8", "uint8", "int32", "float32", "float64"])
def test_dtypes(dtype: str) -> None:
    """Full scale is full scale in every dtype; torch overflows in the first four."""
    assert _samples(audio("t", np.array([0, 1], dtype))).tolist() == [[0], [32767]]


def test_nan_is_silence() -> None:
    """NaN becomes silence, is counted and told; what is beyond [-1, 1] beside it is clipped all the same."""
    encoded = audio("t", np.array([0.5, np.nan, 3.0, np.nan, -np.inf]))
    assert _samples(encoded)[:, 0].tolist() == [16383, 0, 32767, 0, -32767]
    assert encoded.nonfinite == 3
    assert encoded.notes == (_CLIPPED, _SILENCED)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 1, 1)])
def test_single_sample(shape: tuple[int, ...]) -> None:
    """A single sample is a sound."""
    array = np.full(shape, 0.5)
    check_audio(array.shape, array.dtype, 8000)
    assert _samples(audio("t", array, 8000)).tolist() == [[16383]]


def test_input_is_left_as_it_is() -> None:
    """The array is not written to, not even where it is clipped or silenced."""
    array = np.array([2.0, np.nan])
    array.flags.writeable = False
    audio("t", array)
    np.testing.assert_array_equal(array, [2.0, np.nan])


@pytest.mark.parametrize(
    ("shape", "dtype", "rate", "error", "message"),
    [
        ((), "f4", 1, ValueError, r"snd_tensor must be of shape \(L,\).*got \(\)"),
        ((0,), "f4", 1, ValueError, r"snd_tensor .*got \(0,\)"),
        ((0, 2), "f4", 1, ValueError, r"snd_tensor .*got \(0, 2\)"),
        ((9, 3), "f4", 1, ValueError, r"snd_tensor .*got \(9, 3\)$"),
        ((2, 9), "f4", 1, ValueError, r"snd_tensor .*got \(2, 9\); transpose it"),
        ((2, 2, 2), "f4", 1, ValueError, r"snd_tensor .*got \(2, 2, 2\)"),
        ((9,), "c8", 1, TypeError, "snd_tensor must be of .*dtype, got complex64"),
        ((9,), "O", 1, TypeError, "snd_tensor must be of .*dtype, got object"),
        ((9,), "f4", "44100", TypeError, "sample_rate must be a number, in Hz, got str"),
        ((9,), "f4", True, TypeError, "sample_rate must be a number, in Hz, got bool"),
        ((9,), "f4", 0, ValueError, "sample_rate must be from 1 to .*got 0"),
        ((9,), "f4", -3.5, ValueError, "sample_rate must be from 1 to .*got -3.5"),
        ((9,), "f4", 2**30, ValueError, "sample_rate must be from 1 to"),
        ((9,), "f4", float("nan"), ValueError, "sample_rate must be from 1 to"),
    ],
)
def test_check_names_what_is_wrong(
    shape: tuple[int, ...], dtype: str, rate: Any, error: type[Exception], message: str
) -> None:
    """What is no sound is refused, by argument, with what was given."""
    with pytest.raises(error, match=message):
        check_audio(shape, np.dtype(dtype), rate)


def test_highest_rate_fits_the_header() -> None:
    """The highest rate that is accepted can be written in stereo, too."""
    check_audio((3, 2), np.dtype("f4"), 2**30 - 1)
    assert len(_samples(audio("t", np.zeros((3, 2)), 2**30 - 1))) == 3

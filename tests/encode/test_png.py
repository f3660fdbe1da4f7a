"""PNG files, whatever way of compressing is chosen."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tbasync.encode import png

_RANDOM = np.random.default_rng(0)
_ROWS, _COLUMNS = np.mgrid[0:300, 0:400]
_SMOOTH = np.stack([np.sin(_COLUMNS / 70), np.cos(_ROWS / 90), np.sin((_ROWS + _COLUMNS) / 120)], -1)
_PICTURES = {
    "noise": _RANDOM.integers(0, 256, (300, 400, 3)),
    "smooth": 127 * (_SMOOTH + 1),
    "smooth with noise": 110 * (_SMOOTH + 1) + _RANDOM.normal(17, 4, _SMOOTH.shape),
    "Gaussian noise": _RANDOM.normal(128, 30, (300, 400, 3)).clip(0, 255),
    "grey noise": _RANDOM.integers(0, 256, (300, 400, 1)).repeat(3, 2),
    "flat": np.full((300, 400, 3), 7),
    "squares": ((_ROWS // 8 + _COLUMNS // 8) % 2 * 255)[..., None].repeat(3, 2),
    "alpha": np.dstack([127 * (_SMOOTH + 1), _ROWS % 256]),
    "grey and alpha": np.dstack([_ROWS % 256, _COLUMNS % 256]),
}


def _pillow_size(pixels: Any) -> int:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return len(file.getvalue())


@given(
    pixels=hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(2, 4)), fill=st.just(9)
    )
)
def test_comes_back(pixels: Any) -> None:
    """Any pixels come back from a file whose checksums are right."""
    file = io.BytesIO(b"".join(png.encode(pixels)))
    Image.open(file).verify()
    np.testing.assert_array_equal(np.asarray(Image.open(file)), pixels)


@pytest.mark.parametrize("name", _PICTURES)
def test_comes_back_as_small_as_pillow_writes_it(name: str) -> None:
    """Each kind of picture comes back, and its file is within 10 % and 2 KiB of Pillow's."""
    pixels = _PICTURES[name].astype(np.uint8)
    data = b"".join(png.encode(pixels))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    assert len(data) < 1.1 * _pillow_size(pixels) + 2048


def test_noise_is_stored() -> None:
    """What cannot be compressed is stored, which costs next to nothing."""
    pixels = _PICTURES["noise"].astype(np.uint8)
    parts = png.encode(pixels)
    compressed = b"".join(parts[i + 1] for i, part in enumerate(parts) if part[4:] == b"IDAT")
    assert len(compressed) < 1.001 * len(zlib.decompress(compressed))
    assert len(compressed) > 300 * 400 * 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9000, 3), (9000, 1, 3), (2, 200_000, 2), (3, 5, 4)])
def test_extreme_shapes(shape: tuple[int, ...]) -> None:
    """Single rows, single columns, and rows longer than a band come back."""
    pixels = np.random.default_rng(0).integers(0, 4, shape).astype(np.uint8)
    picture = Image.open(io.BytesIO(b"".join(png.encode(pixels))))
    np.testing.assert_array_equal(np.asarray(picture), pixels)

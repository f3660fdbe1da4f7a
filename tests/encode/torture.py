"""Histograms of arrays that nobody would log on purpose, against numpy: some in tests, a million by hand.

`python -m tests.encode.torture 1000000` prints how many arrays passed, how many of them were empty, held
values that are not finite, or reached beyond the edges, and how memory grew.
"""

from __future__ import annotations

import collections
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tbasync.encode.default_bins import default_edges
from tbasync.encode.floats import BFLOAT16
from tbasync.encode.histogram import histogram
from tests.encode.support import numpy_histogram, read_histogram

Array = NDArray[Any]
Rng = np.random.Generator

DTYPES = (
    *(np.dtype(code) for code in "?bBhHiIlLqQefdg"),
    *(np.dtype(code) for code in (">f4", ">f8", ">i2", ">u8")),
    BFLOAT16,
)


def _bits(rng: Rng, dtype: np.dtype[Any], size: int) -> Array:
    if dtype.char in "?g":
        return rng.integers(0, 2, size).astype(dtype)
    return np.frombuffer(rng.bytes(size * dtype.itemsize), dtype)


def _near_edges(rng: Rng, dtype: np.dtype[Any], size: int) -> Array:
    edges = rng.choice(default_edges(), size).astype(np.float32 if dtype == np.float32 else np.float64)
    return _cast(np.nextafter(edges, rng.choice([-np.inf, 0, np.inf], size)), dtype)


def _scaled(rng: Rng, dtype: np.dtype[Any], size: int) -> Array:
    return _cast(rng.standard_normal(size) * 10.0 ** rng.uniform(-50, 45), dtype)


def _repeated(rng: Rng, dtype: np.dtype[Any], size: int) -> Array:
    special = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, 1e-45, 1e28, 1e-12, 1e20, -1e300]
    return _cast(rng.choice(rng.choice(special, rng.integers(1, 4)), size), dtype)


def _cast(values: NDArray[np.float64], dtype: np.dtype[Any]) -> Array:
    if dtype == BFLOAT16:
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(BFLOAT16)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.nan_to_num(np.clip(values, float(info.min) / 2, float(info.max) / 2)).astype(dtype)
    return values.astype(dtype)


_CONTENTS: tuple[Callable[[Rng, np.dtype[Any], int], Array], ...] = (_bits, _near_edges, _scaled, _repeated)


def draw(rng: Rng) -> Array:
    """An array of random type, contents, shape of up to four dimensions, strides and writeability."""
    dtype = DTYPES[rng.integers(len(DTYPES))]
    shape = tuple(rng.integers(0, 7, rng.integers(0, 5)).tolist())
    if rng.random() < 0.2:
        shape = (int(rng.integers(1, 3000)),)
    array = _CONTENTS[rng.integers(len(_CONTENTS))](rng, dtype, int(np.prod(shape))).reshape(shape)
    match rng.integers(4):
        case 0:
            array = array.T
        case 1 if array.ndim:
            array = array[:: int(rng.choice([-2, -1, 2]))]
    if array.size and rng.random() < 0.1:  # not aligned
        array = np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)
    if rng.random() < 0.3:
        array.flags.writeable = False
    return array


def as_float64(array: Array) -> NDArray[np.float64]:
    """What the array holds, by numpy's conversions alone, in C order."""
    if array.dtype == BFLOAT16:
        array = (np.atleast_1d(array["bfloat16"]).astype(np.uint32) << 16).view(np.float32)
    with np.errstate(invalid="ignore"):  # signalling NaN
        return array.astype(np.float64).reshape(-1)


def check(array: Array) -> str:
    """Encodes `array` and compares with numpy's own counts; returns what kind of array it was."""
    encoded = histogram("tag", array)
    written = read_histogram(encoded.summary)
    values = as_float64(array)
    finite = values[np.isfinite(values)]
    assert encoded.nonfinite == values.size - finite.size
    assert written.num == finite.size
    if not finite.size:
        assert (written.min, written.max, written.sum, written.sum_squares) == (0, 0, 0, 0)
        assert not written.limits.size
        assert not written.counts.size
        return "empty"
    limits, counts = numpy_histogram(finite, default_edges())
    np.testing.assert_array_equal(written.counts, counts)
    np.testing.assert_array_equal(written.limits, limits)
    assert (written.min, written.max) == (finite.min(), finite.max())
    np.testing.assert_array_equal([written.sum, written.sum_squares], [finite.sum(), finite.dot(finite)])
    beyond = np.abs(finite).max() > default_edges()[-1]
    return "not finite" if encoded.nonfinite else "beyond the edges" if beyond else "plain"


def main(count: int) -> None:
    """Checks `count` arrays and prints what they were."""
    rng, kinds, began = np.random.default_rng(20), collections.Counter[str](), time.perf_counter()
    for done in range(count):
        with np.errstate(all="ignore"):
            array = draw(rng)
            kinds[check(array)] += 1
        if done == min(count - 1, 10_000):
            settled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - settled
    took = time.perf_counter() - began
    print(f"{count:,} arrays equal to numpy's in {took:.0f} s: {dict(kinds)}; peak memory +{grown} KiB")


if __name__ == "__main__":
    main(int(sys.argv[1]))

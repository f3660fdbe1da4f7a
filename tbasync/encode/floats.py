"""Any array of real numbers as the float32 or float64 that the encoders compute with.

Exact for bool, every integer up to 32 bits, float16, bfloat16, float32 and float64; larger integers and
long doubles become the nearest float64, as in torch's writer.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[Any]
"""A native float32 or float64 array: numpy's own types cannot say that it is one of the two."""

BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
"""How bfloat16 travels in numpy, which has no such type: the upper halves of float32 values, named.

`bits.view(BFLOAT16)` costs nothing, keeps the shape, and cannot be mistaken for integers further on.
"""


def is_real(dtype: np.dtype[Any]) -> bool:
    """Whether `widen` takes this dtype: bool, integers, real floats, `BFLOAT16`, ml_dtypes' small types."""
    return dtype.kind in "biuf" or dtype == BFLOAT16 or dtype.type.__module__ == "ml_dtypes"


def require_real(name: str, dtype: np.dtype[Any]) -> None:
    """Raises TypeError, naming the argument `name`, for a dtype that is not one of real numbers."""
    if not is_real(dtype):
        raise TypeError(f"{name} must hold real numbers (bool, integers or floats); got dtype {dtype}")


def flat(values: NDArray[Any]) -> NDArray[Any]:
    """All elements in C order, as a contiguous array of one dimension; a copy only if it must be."""
    return np.ascontiguousarray(values).reshape(-1)


def widen(values: NDArray[Any]) -> Floats:
    """`values` as native float32 (types of 8 and 16 bits, float32) or float64 (all others); same shape.

    Native float32 and float64 arrays come back as they are, not copied.
    """
    dtype = values.dtype
    if dtype.char in "fd" and dtype.isnative:
        return values
    if dtype == BFLOAT16 or dtype.name == "bfloat16":
        bits = values.view(np.uint16).astype(np.uint32)
        return np.left_shift(bits, 16, out=bits).view(np.float32)
    small = dtype.itemsize <= 2 or dtype.char == "f"
    with np.errstate(all="ignore"):  # a long double may become infinite, a signalling NaN complain
        return values.astype(np.float32 if small else np.float64)


def finite(values: NDArray[Any]) -> Floats:
    """The finite elements as `widen` makes them, of one dimension; not copied if they need not be."""
    wide = widen(values)
    mask = np.isfinite(wide)
    return wide if mask.all() else wide[mask]

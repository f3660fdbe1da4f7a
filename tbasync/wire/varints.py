"""Packed repeated integers: a whole numpy array as base-128 varints, without an object per element.

Format: https://protobuf.dev/programming-guides/encoding/#packed . Of each integer, the 7-bit groups from
the lowest to the highest that is not zero, all but the last with the top bit set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..rests import offer

# Elements at a time: a piece holds the GIL for some 0.1 ms and stays in the cache.
_PIECE = 4096
_SHIFTS = np.arange(0, 70, 7, dtype=np.uint64)[:, None]


def packed_varints(values: npt.NDArray[Any]) -> list[bytes]:
    """The payload of a packed field of `values`, in pieces to be joined.

    Args:
        values: booleans or integers of any width and shape, read in row-major order; negative ones
            become ten bytes each, as protobuf's int32 and int64 do (not the zigzag of sint32).
    """
    flat = values.reshape(-1)
    pieces = []
    for start in range(0, flat.size, _PIECE):
        pieces.append(_piece(flat[start : start + _PIECE]))
        offer()
    return pieces


def _piece(values: npt.NDArray[Any]) -> bytes:
    if values.dtype == np.bool_:
        return values.astype(np.uint8).tobytes()
    # Through int64, so that the sign fills all 64 bits; a uint64 keeps its bits on the way.
    wide = values.astype(np.int64).view(np.uint64)
    width = max(1, -(-int(wide.max()).bit_length() // 7))
    if width == 1:
        return wide.astype(np.uint8).tobytes()
    # Group by group, then transposed: long rows are what numpy is fast at.
    rest = wide >> _SHIFTS[:width]
    kept = rest != 0
    kept[0] = True
    groups = rest.astype(np.uint8) & np.uint8(0x7F)
    groups[:-1] |= kept[1:].view(np.uint8) << np.uint8(7)
    payload: bytes = np.ascontiguousarray(groups.T)[np.ascontiguousarray(kept.T)].tobytes()
    return payload

"""Summary values that hold a TensorProto, put together from bytes that exist already.

Text, tensors, meshes, layouts and PR curves differ only in plugin, element type, shape and elements.
Pieces are kept apart until one join makes the summary, so that a large array is copied once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..rests import offer
from ..wire.message import VARINT, delimited, key, nested, varint

# Field numbers of TensorProto's lists (tensor.proto).
FLOAT_VAL, DOUBLE_VAL, INT_VAL, STRING_VAL, SCOMPLEX_VAL = 5, 6, 7, 8, 9
INT64_VAL, BOOL_VAL, DCOMPLEX_VAL, HALF_VAL, UINT32_VAL, UINT64_VAL = 10, 11, 12, 13, 16, 17

_COPY_BYTES = 1 << 18  # copied at a time: tobytes() holds the GIL, for this much some tens of microseconds


def tensor_value(
    tag: str,
    plugin: str,
    *,
    dtype: int,
    shape: Sequence[int],
    elements: Sequence[bytes],
    content: bytes = b"",
) -> list[bytes]:
    """One `Summary.value` with a tensor, as pieces; the joined pieces of all values are the summary.

    Args:
        tag: the value's tag.
        plugin: the name of TensorBoard's plugin that shows it.
        dtype: a number of `DataType`.
        shape: the tensor's dimensions.
        elements: the TensorProto's fields after the shape, from `packed` or `strings`.
        content: the plugin's own data, a serialized message.
    """
    tensor = nested(8, [_head(dtype, tuple(shape)), *elements])
    return nested(1, [delimited(1, tag.encode()), *tensor, _metadata(plugin, content)])


@lru_cache(maxsize=256)
def _head(dtype: int, shape: tuple[int, ...]) -> bytes:
    """A TensorProto's element type and shape; a size of zero is, as protobuf has it, not written."""
    dimensions = (delimited(2, *((key(1, VARINT), varint(size)) if size else ())) for size in shape)
    return key(1, VARINT) + varint(dtype) + delimited(2, *dimensions)


@lru_cache(maxsize=256)
def _metadata(plugin: str, content: bytes) -> bytes:
    plugin_data = delimited(1, plugin.encode()) + (delimited(2, content) if content else b"")
    return delimited(9, delimited(1, plugin_data))


def packed(field: int, pieces: Sequence[bytes]) -> list[bytes]:
    """A packed repeated field; absent, as protobuf has it, if there are no elements."""
    return nested(field, pieces) if any(pieces) else []


def strings(values: Iterable[bytes]) -> list[bytes]:
    """The `string_val` of each value."""
    return [delimited(STRING_VAL, value) for value in values]


def array_bytes(array: npt.NDArray[Any], dtype: str) -> list[bytes]:
    """The elements in row-major order as little-endian `dtype` (such as "<f4"), in pieces to be joined.

    Finite values beyond the range of a narrower `dtype` become infinite, as protobuf makes them.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        flat = np.ascontiguousarray(array, dtype=dtype).reshape(-1)
    step = _COPY_BYTES // flat.itemsize
    pieces = []
    for start in range(0, flat.size, step):
        pieces.append(flat[start : start + step].tobytes())
        offer()
    return pieces

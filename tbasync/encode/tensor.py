"""Tensors as they are: element type, shape and every element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..proto import DataType
from ..wire.varints import packed_varints
from .result import Encoded
from .tensor_value import (
    BOOL_VAL,
    DCOMPLEX_VAL,
    DOUBLE_VAL,
    FLOAT_VAL,
    HALF_VAL,
    INT64_VAL,
    INT_VAL,
    SCOMPLEX_VAL,
    UINT32_VAL,
    UINT64_VAL,
    array_bytes,
    packed,
    tensor_value,
)

_LIMIT = 1 << 31  # bytes; protobuf refuses messages of this size


class _Layout(NamedTuple):
    """How the elements of one type stand in a TensorProto."""

    data_type: int
    field: int
    pieces: Callable[[npt.NDArray[Any]], list[bytes]]


def _fixed(dtype: str) -> Callable[[npt.NDArray[Any]], list[bytes]]:
    return lambda array: array_bytes(array, dtype)


def _bfloat16_bits(array: npt.NDArray[Any]) -> list[bytes]:
    """bfloat16 as its bits (uint16, or the array type of ml_dtypes) or as equal float32 values."""
    if array.dtype == np.float32:
        return packed_varints(np.ascontiguousarray(array).view(np.uint32) >> np.uint32(16))
    return packed_varints(np.ascontiguousarray(array).view(np.uint16))


def _float16_bits(array: npt.NDArray[Any]) -> list[bytes]:
    return packed_varints(np.ascontiguousarray(array, dtype=np.float16).view(np.uint16))


# Where TensorFlow's and TensorBoard's own readers (make_ndarray) look for each type.
_LAYOUTS = {
    "float16": _Layout(DataType.DT_HALF, HALF_VAL, _float16_bits),
    "bfloat16": _Layout(DataType.DT_BFLOAT16, HALF_VAL, _bfloat16_bits),
    "float32": _Layout(DataType.DT_FLOAT, FLOAT_VAL, _fixed("<f4")),
    "float64": _Layout(DataType.DT_DOUBLE, DOUBLE_VAL, _fixed("<f8")),
    "int8": _Layout(DataType.DT_INT8, INT_VAL, packed_varints),
    "int16": _Layout(DataType.DT_INT16, INT_VAL, packed_varints),
    "int32": _Layout(DataType.DT_INT32, INT_VAL, packed_varints),
    "int64": _Layout(DataType.DT_INT64, INT64_VAL, packed_varints),
    "uint8": _Layout(DataType.DT_UINT8, INT_VAL, packed_varints),
    "uint16": _Layout(DataType.DT_UINT16, INT_VAL, packed_varints),
    "uint32": _Layout(DataType.DT_UINT32, UINT32_VAL, packed_varints),
    "uint64": _Layout(DataType.DT_UINT64, UINT64_VAL, packed_varints),
    "bool": _Layout(DataType.DT_BOOL, BOOL_VAL, packed_varints),
    "complex64": _Layout(DataType.DT_COMPLEX64, SCOMPLEX_VAL, _fixed("<c8")),
    "complex128": _Layout(DataType.DT_COMPLEX128, DCOMPLEX_VAL, _fixed("<c16")),
}


def check_tensor(dtype: str, nbytes: int) -> None:
    """Raises for a tensor that cannot be written.

    Args:
        dtype: the name of the element type without its framework, such as "bfloat16".
        nbytes: the size of all elements in memory.

    Raises:
        TypeError: for an element type that TensorBoard's files cannot hold.
        ValueError: for 2 GiB and more, which protobuf cannot hold.
    """
    if dtype not in _LAYOUTS:
        raise TypeError(f"tensor has elements of type {dtype}; accepted are {', '.join(sorted(_LAYOUTS))}")
    if nbytes >= _LIMIT:
        raise ValueError(f"tensor has {nbytes} bytes; a summary holds less than {_LIMIT}")


def data_type(dtype: str) -> int:
    """The number of `DataType` of an element type that `check_tensor` takes."""
    return _LAYOUTS[dtype].data_type


def tensor(tag: str, array: npt.NDArray[Any], dtype: str | None = None) -> Encoded:
    """The whole `array` under `tag`; equal to what torch's `add_tensor` writes, but for two mended types.

    torch puts the bits of a float32 into `half_val`, where readers expect the 16 bits of a float16 or
    bfloat16, and the elements of uint8 into `uint32_val`, where no reader looks; here both can be read.

    Args:
        tag: the value's tag.
        array: any shape. bfloat16, which numpy lacks, comes as uint16 bits, as float32 with the same
            values, or in the array type of ml_dtypes.
        dtype: the element type's name; needed only if `array.dtype` does not tell it.

    Raises:
        TypeError, ValueError: as `check_tensor`; also if small negative integers, ten bytes each on
            the wire, bring the summary to 2 GiB.
    """
    name = dtype or array.dtype.name
    check_tensor(name, array.nbytes)
    layout = _LAYOUTS[name]
    elements = packed(layout.field, layout.pieces(array))
    check_tensor(name, sum(map(len, elements)))
    return Encoded(
        b"".join(tensor_value(tag, "tensor", dtype=layout.data_type, shape=array.shape, elements=elements))
    )

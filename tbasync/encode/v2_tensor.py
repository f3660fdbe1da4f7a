"""Tensors of numbers and of strings as `tf.summary.write` and `tf.summary.text` write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..proto import DataType
from .result import Encoded
from .tensor import check_tensor, data_type
from .tensor_value import array_bytes, strings
from .v2_value import content, encoded


def v2_tensor(tag: str, array: NDArray[Any], dtype: str, told: bytes) -> Encoded:
    """Every element of `array`.

    Args:
        tag: the series' name.
        array: any shape; bfloat16, which numpy lacks, as float32 with the same values or as ml_dtypes has it.
        dtype: the element type's name, one that `check_tensor` takes.
        told: the serialized SummaryMetadata; empty for none.

    Raises:
        TypeError, ValueError: as `check_tensor`.
    """
    check_tensor(dtype, array.nbytes)
    if dtype != "bfloat16":
        pieces = array_bytes(array, array.dtype.newbyteorder("<").str)
    elif array.dtype == np.float32:
        pieces = array_bytes(np.ascontiguousarray(array).view(np.uint32) >> np.uint32(16), "<u2")
    else:
        pieces = array_bytes(np.ascontiguousarray(array).view(np.uint16), "<u2")
    return encoded(tag, told, data_type(dtype), array.shape, content(pieces))


def v2_strings(tag: str, shape: Sequence[int], values: Sequence[bytes], told: bytes) -> Encoded:
    """Strings: `values` in row-major order, as many as `shape` says; `tag` and `told` as above."""
    return encoded(tag, told, DataType.DT_STRING, shape, strings(values))

"""What `tf.summary` takes for a tensor, frozen: numbers in the dtype that TensorFlow gives them, and strings."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from ..encode.tensor import check_tensor
from ..pipeline.deferred import Array, Deferred
from ..pipeline.frameworks import joined
from ..pipeline.freeze import freeze_array

_INT32 = np.iinfo(np.int32)


class Strings(NamedTuple):
    """A tensor of strings: its shape, and its elements in row-major order."""

    shape: tuple[int, ...]
    values: tuple[bytes, ...]


def freeze_numbers(value: Any, name: str) -> Array | Deferred:
    """An array of its own, as `freeze_array`; of Python's numbers, in TensorFlow's dtype for them.

    That is float32, and int32 if they fit. A list of tensors becomes one tensor.

    Raises:
        TypeError, ValueError: it holds no numbers, or cannot be made an array.
    """
    if not isinstance(value, (list, tuple, bool, int, float, complex)) or isinstance(value, np.generic):
        return freeze_array(value, name)
    array = freeze_array(joined(value, name) if isinstance(value, (list, tuple)) else value, name)
    if isinstance(array, Deferred) or type(_first_leaf(value)) not in (int, float, None.__class__):
        return array
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    if array.dtype == np.int64 and (not array.size or _fits_int32(array)):
        return array.astype(np.int32)
    return array


def freeze_tensor(value: Any, name: str) -> tuple[Array | Deferred, str] | Strings:
    """Any tensor: numbers and the name of their element type, or strings.

    Raises:
        TypeError, ValueError: it holds neither, or more than a summary can.
    """
    strings = freeze_strings(value, name)
    if strings is not None:
        return strings
    array = freeze_numbers(value, name)
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    dtype = dtype if dtype == "bfloat16" else array.dtype.name
    check_tensor(dtype, array.nbytes)
    return array, dtype


def freeze_strings(value: Any, name: str) -> Strings | None:
    """A tensor of strings; None if `value` holds anything else.

    Args:
        value: a str or bytes; a nested list, a numpy array or a TensorFlow tensor of these.
        name: the argument's name, for messages.

    Raises:
        TypeError: some elements are strings, and others are not.
    """
    if not isinstance(value, (str, bytes)) and not _holds_strings(value):
        return None
    array = np.array(value.numpy() if hasattr(value, "numpy") else value, dtype=object)
    for element in array.flat:
        if not isinstance(element, (str, bytes)):
            raise TypeError(f"{name} must hold strings alone, got {type(element).__name__}: {element!r}")
    return Strings(array.shape, tuple(map(_utf8, array.flat)))


def freeze_count(value: Any, name: str) -> int:
    """An integer of 0 or more; raises TypeError or ValueError for anything else."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}: {value!r}") from None
    if count < 0:
        raise ValueError(f"{name} must be 0 or more, got {count}")
    return count


def first_items(value: Any, count: int) -> Any:
    """The first `count` items of a batch, but one at least of those that it has, for its shape."""
    if isinstance(value, (list, tuple)) or len(getattr(value, "shape", ())) > 1:
        return value[: max(1, count)]
    return value


def _holds_strings(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return isinstance(_first_leaf(value), (str, bytes))
    dtype = getattr(value, "dtype", None)
    return getattr(dtype, "kind", "") in ("U", "S", "O") or getattr(dtype, "name", "") == "string"


def _first_leaf(value: Any) -> Any:
    while isinstance(value, (list, tuple)):
        if not value:
            return None
        value = value[0]
    return value


def _fits_int32(array: Array) -> bool:
    return bool(array.min() >= _INT32.min and array.max() <= _INT32.max)


def _utf8(text: str | bytes) -> bytes:
    # Lone surrogates, which UTF-8 cannot hold, are written as backslash escapes, as `add_text` does.
    return text.encode("utf-8", "backslashreplace") if isinstance(text, str) else bytes(text)

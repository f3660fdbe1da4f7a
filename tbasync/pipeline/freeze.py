"""Freezing: what is logged is the value at the moment of the call, whatever happens to it afterwards.

A frozen value is a Python float, str or bytes, a numpy array of its own, or a `Deferred`. Frameworks are
recognised by what is in `sys.modules` already: a tensor cannot exist before its framework is imported.
"""

from __future__ import annotations

import operator
import sys
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class Deferred(ABC):
    """A value that is frozen but not at hand yet, such as a copy that a device is still making."""

    @abstractmethod
    def resolve(self) -> Array:
        """Returns the value, waiting for it; called on the writer thread alone."""


def check_tag(tag: object) -> None:
    """Raises TypeError unless `tag` is a str."""
    if not isinstance(tag, str):
        raise TypeError(f"tag must be a str, got {type(tag).__name__}: {_brief(tag)}")


def freeze_step(step: object) -> int:
    """A step as an int: None is 0, as in the event file; numpy integers and 0-d integer tensors are integers.

    Raises:
        TypeError: it is no integer.
        ValueError: it does not fit int64.
    """
    if step is None:
        return 0
    try:
        number = operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        number = _integer_array_step(step)
    if not INT64_MIN <= number <= INT64_MAX:
        raise ValueError(f"global_step must fit a signed 64-bit integer, got {number}")
    return number


def _integer_array_step(step: object) -> int:
    dtype = getattr(step, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iu" and getattr(step, "size", 0) == 1:
        return int(step)  # type: ignore[call-overload,no-any-return]
    raise TypeError(
        f"global_step must be an integer (int, numpy integer, or integer tensor of one element) or None, "
        f"got {type(step).__name__}: {_brief(step)}"
    ) from None


def freeze_wall_time(walltime: object) -> float:
    """A wall time, in seconds since the epoch, as a float; raises TypeError unless it is a number."""
    try:
        return float(walltime)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(
            f"walltime must be a number of seconds since the epoch or None, got {_brief(walltime)}"
        ) from None


def freeze_scalar(value: Any, name: str = "scalar_value") -> float:
    """One real number as a float.

    Args:
        value: a Python or numpy number, a string that holds one, or an array or tensor of one element.
        name: the argument's name, for messages.

    Raises:
        TypeError: it is no real number.
        ValueError: it has no or several elements, or it is an integer beyond float64.
    """
    kind = type(value)
    if kind is float or kind is int or kind is bool:
        return _to_float(value, name)
    if is_torch_tensor(value):
        value = value.detach()
        if value.is_complex():
            raise TypeError(f"{name} must be real, got a complex tensor")
        if value.numel() != 1:
            raise ValueError(f"{name} must have one element, got shape {tuple(value.shape)}")
        return float(value)
    if isinstance(value, (int, float, str, np.number, np.bool_)):
        return _to_float(value, name)
    array = to_numpy(value, name)
    if array.size != 1:
        raise ValueError(f"{name} must have one element, got shape {array.shape}")
    return _to_float(array.reshape(())[()], name)


def _to_float(value: Any, name: str) -> float:
    if isinstance(value, (complex, np.complexfloating)):
        raise TypeError(f"{name} must be real, got {type(value).__name__}: {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is an integer too large for a float") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}: {_brief(value)}") from None


def freeze_array(value: Any, name: str) -> Array:
    """An array of its own with the elements of `value`, in its shape and dtype.

    Args:
        value: a number, a (nested) sequence of numbers, an array, a tensor, or anything with `__array__`.
        name: the argument's name, for messages.

    Raises:
        TypeError: it holds no numbers.
    """
    return to_numpy(value, name, copy=True)


def to_numpy(value: Any, name: str, *, copy: bool = False) -> Array:
    """`value` as an array of numbers, which may share its memory unless `copy`; TypeError if it is none."""
    if is_torch_tensor(value):
        return _torch_to_numpy(value, copy=copy)
    try:
        array = np.array(value) if copy else np.asarray(value)
    except Exception as error:
        raise TypeError(f"{name} cannot be made an array: {type(value).__name__}: {error}") from error
    if array.dtype.kind not in "biufc" and array.dtype.name != "bfloat16":
        raise TypeError(
            f"{name} must hold numbers (an array, a tensor, a sequence of numbers, or anything with "
            f"__array__), got {type(value).__name__} of dtype {array.dtype}: {_brief(value)}"
        )
    return array


def is_torch_tensor(value: object) -> bool:
    """Whether `value` is a torch.Tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _torch_to_numpy(tensor: Any, *, copy: bool) -> Array:
    torch = sys.modules["torch"]
    # numpy has no bfloat16; float32 holds every one of its values exactly.
    dtype = torch.float32 if tensor.dtype == torch.bfloat16 else tensor.dtype
    frozen = tensor.detach().to(device="cpu", dtype=dtype, copy=copy)
    array: Array = frozen.resolve_conj().resolve_neg().numpy()
    return array


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

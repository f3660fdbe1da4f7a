"""Freezing: what is logged is the value at the moment of the call, whatever happens to it afterwards.

A frozen value is a Python float, str or bytes, a numpy array of its own, or a `Deferred`. Frameworks are
recognised by what is in `sys.modules` already: a tensor cannot exist before its framework is imported.
"""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from .deferred import Array, Deferred
from .frameworks import freeze_foreign, freeze_torch_scalars, is_torch_tensor, on_device, plain_tensors

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

# `_exhaust(map(_only_float, values))` raises TypeError unless all values are floats, in one loop in C.
_only_float = float.conjugate
_exhaust = deque[object](maxlen=0).extend


def check_tag(tag: object, name: str = "tag") -> None:
    """Raises TypeError, naming the argument `name`, unless `tag` is a str."""
    if not isinstance(tag, str):
        raise TypeError(f"{name} must be a str, got {type(tag).__name__}: {_brief(tag)}")


def freeze_step(step: object, name: str = "global_step") -> int:
    """A step as an int: None is 0, as in the event file.

    Args:
        step: an int, a numpy integer or an integer tensor of one element, or a float that equals an integer.
        name: the argument's name, for messages.

    Raises:
        TypeError: it is no integer.
        ValueError: it does not fit int64.
    """
    if step is None:
        return 0
    try:
        number = operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        number = _integer_array_step(step, name)
    if not INT64_MIN <= number <= INT64_MAX:
        raise ValueError(f"{name} must fit a signed 64-bit integer, got {number}")
    return number


def _integer_array_step(step: object, name: str) -> int:
    if isinstance(step, (float, np.floating)) and step.is_integer():
        return int(step)
    dtype = getattr(step, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iu" and getattr(step, "size", 0) == 1:
        return int(step.item())  # type: ignore[attr-defined]
    raise TypeError(
        f"{name} must be an integer (int, numpy integer, or integer tensor of one element) or None, "
        f"got {type(step).__name__}: {_brief(step)}"
    ) from None


def freeze_wall_time(walltime: object) -> float:
    """A wall time, in seconds since the epoch, as a float.

    Raises:
        TypeError: it is no number.
        ValueError: it is not finite: no reader knows where to draw such a point.
    """
    try:
        if isinstance(walltime, (str, bytes, bytearray)):
            raise TypeError
        seconds = float(walltime)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"walltime must be a number of seconds since the epoch or None, got {_brief(walltime)}"
        ) from None
    if not math.isfinite(seconds):
        raise ValueError(
            f"walltime must be a finite number of seconds since the epoch, got {_brief(walltime)}"
        )
    return seconds


def freeze_scalar(value: Any, name: str = "scalar_value") -> float | Deferred:
    """One real number as a float, or deferred if it lies on a device.

    Args:
        value: a Python or numpy number, a string that holds one, or an array or tensor of one element.
        name: the argument's name, for messages.

    Raises:
        TypeError: it is no real number.
        ValueError: it has no or several elements, or it is an integer beyond float64.
    """
    if isinstance(value, (int, float, str, np.number, np.bool_)):
        return _to_float(value, name)
    if is_torch_tensor(value) and type(value) in plain_tensors() and _is_plain_number(value):
        # By far the most common value that is no float: no array is made of it.
        return float(value.item())
    frozen = _freeze(value, name, copy=False)
    if frozen.dtype.kind == "c":
        raise TypeError(f"{name} must be real, got {type(value).__name__} of dtype {frozen.dtype}")
    if np.prod(frozen.shape, dtype=np.int64) != 1:
        raise ValueError(f"{name} must have one element, got shape {tuple(frozen.shape)}")
    if isinstance(frozen, Deferred):
        return frozen
    return _to_float(frozen.reshape(())[()], name)


def _is_plain_number(tensor: Any) -> bool:
    return not on_device(tensor) and tensor.numel() == 1 and not tensor.is_complex()


def freeze_metrics(
    metrics: Mapping[str, Any], name: str = "metrics"
) -> tuple[dict[str, float | Deferred], tuple[Deferred, ...]]:
    """A copy of `metrics`, tag -> number, with frozen values, and those of them that are deferred.

    Args:
        metrics: the mapping.
        name: the argument's name, for messages.

    Raises:
        TypeError, ValueError: as `check_tag` and `freeze_scalar`, naming the metric that is at fault.
    """
    frozen: dict[str, Any] = {}
    try:
        # The critical path of `log_metrics`. For a dict of str, both steps of the copying are a memcpy and a look
        # at the kind of dict it is; then a loop in C that refuses everything but floats.
        frozen.update(**metrics)
        _exhaust(map(_only_float, frozen.values()))
    except TypeError:
        return _freeze_unusual_metrics(metrics, name)
    return frozen, ()


def _freeze_unusual_metrics(
    metrics: Mapping[str, Any], name: str
) -> tuple[dict[str, float | Deferred], tuple[Deferred, ...]]:
    try:
        frozen = dict(metrics)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a mapping of str to numbers, got {type(metrics).__name__}: {_brief(metrics)}"
        ) from None
    on_devices = {}
    for tag, value in frozen.items():
        check_tag(tag, f"each key of {name}")
        if is_torch_tensor(value) and on_device(value) and value.numel() == 1 and not value.is_complex():
            on_devices[tag] = value
        elif type(value) is not float:
            frozen[tag] = freeze_scalar(value, f"the value of {tag!r}")
    if on_devices:
        frozen |= freeze_torch_scalars(on_devices)
    return frozen, tuple(value for value in frozen.values() if isinstance(value, Deferred))


def _to_float(value: Any, name: str) -> float:
    if isinstance(value, (complex, np.complexfloating)):
        raise TypeError(f"{name} must be real, got {type(value).__name__}: {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is an integer too large for a float") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}: {_brief(value)}") from None


def freeze_array(value: Any, name: str, copy: bool = True) -> Array | Deferred:
    """An array of its own with the elements of `value`, in its shape and dtype, or a deferred one.

    Args:
        value: a number, a (nested) sequence of numbers, an array, a tensor, or anything with `__array__`.
        name: the argument's name, for messages.
        copy: False when the caller has handed `value` over, whose memory may then be shared.

    Raises:
        TypeError: it holds no numbers.
    """
    frozen = _freeze(value, name, copy=copy)
    if frozen.dtype.kind not in "biufc" and frozen.dtype.name != "bfloat16":
        raise TypeError(
            f"{name} must hold numbers (an array, a tensor, a sequence of numbers, or anything with "
            f"__array__), got {type(value).__name__} of dtype {frozen.dtype}: {_brief(value)}"
        )
    return frozen


def freeze_optional(value: Any, name: str, copy: bool = True) -> Array | Deferred | None:
    """`freeze_array`, or None for None."""
    return None if value is None else freeze_array(value, name, copy)


def freeze_here(value: Any, name: str) -> Array:
    """`freeze_array` for what is needed on the calling thread, even if a device has to be waited for."""
    frozen = freeze_array(value, name)
    return frozen.resolve() if isinstance(frozen, Deferred) else frozen


def freeze_scalar_here(value: Any, name: str) -> float:
    """`freeze_scalar` for what is needed on the calling thread, even if a device has to be waited for."""
    frozen = freeze_scalar(value, name)
    return float(frozen.resolve().item()) if isinstance(frozen, Deferred) else frozen


def _freeze(value: Any, name: str, *, copy: bool) -> Array | Deferred:
    foreign = freeze_foreign(value, name, copy)
    if foreign is not None:
        return foreign
    try:
        if isinstance(value, np.ndarray) or not hasattr(value, "__array__"):
            return np.array(value) if copy else np.asarray(value)
        # Not by `np.array`, which warns of every class that was written before numpy 2.
        array: Array = np.asarray(value)
        return array.copy() if copy else array
    except Exception as error:
        raise TypeError(f"{name} cannot be made an array: {type(value).__name__}: {error}") from error


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

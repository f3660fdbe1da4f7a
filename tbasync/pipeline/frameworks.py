"""Tensors of other frameworks, frozen without waiting for a device and without any framework being imported.

A framework is recognised by what is in `sys.modules`: its tensors cannot exist before it is imported.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .deferred import Array, Deferred, Element, Fetched
from .device import DeviceArray, host_dtype
from .streams import streams_of


def is_torch_tensor(value: object) -> bool:
    """Whether `value` is a torch.Tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


@cache
def plain_tensors() -> tuple[type, ...]:
    """torch's own tensor classes, of which every operation is local; call it only when torch is imported."""
    torch = sys.modules["torch"]
    return (torch.Tensor, torch.nn.Parameter)


def freeze_foreign(value: Any, name: str, copy: bool) -> Array | Deferred | None:
    """A frozen tensor of torch, JAX, TensorFlow, CuPy or whatever speaks DLPack; None for anything else.

    Args:
        value: what was given.
        name: the argument's name, for messages.
        copy: False when the caller has handed `value` over.

    Raises:
        TypeError: it is such a tensor, but has no values, or none on this host.
    """
    if is_torch_tensor(value):
        return freeze_torch(value, name, copy)
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(value, getattr(jax, "Array", ())):
        return _freeze_jax(jax, value, name)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(value, getattr(tensorflow, "Tensor", ())):
        return _freeze_tensorflow(value, name)
    if tensorflow is not None and isinstance(value, getattr(tensorflow, "Variable", ())):
        return _freeze_variable(value, name)
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(value, getattr(cupy, "ndarray", ())):
        return _freeze_cupy(cupy, value)
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return _freeze_dlpack(value, name, copy)
    return None


def freeze_torch(tensor: Any, name: str, copy: bool) -> Array | Deferred:
    """A torch tensor: an array if it lies on the host, otherwise deferred."""
    if type(tensor) in plain_tensors() and not on_device(tensor):
        # By far the most common: a third of the time of what follows, which also says why something is refused.
        array: Array | None = None
        with contextlib.suppress(TypeError, RuntimeError):
            array = tensor.detach().numpy()
        if array is not None and array.size and array.flags.owndata:
            # Where torch has no memory for the values, numpy has made some, with anything in it.
            raise TypeError(f"{name} has no values: its storage was freed, or torch.func is transforming it")
        if array is not None:
            return array.copy("K") if copy else array
    tensor = _local(tensor.detach(), name)
    if tensor.device.type == "meta":
        raise TypeError(f"{name} is a tensor on the meta device: it has no values")
    if tensor.is_quantized:
        raise TypeError(f"{name} must not be quantized, got dtype {tensor.dtype}; call .dequantize() first")
    if tensor.layout is not sys.modules["torch"].strided:
        raise TypeError(f"{name} must be a dense tensor, got layout {tensor.layout}; call .to_dense() first")
    if tensor.dtype in _packed():
        raise TypeError(f"{name} must hold one number an element, got dtype {tensor.dtype}: unpack it first")
    if on_device(tensor):
        return DeviceArray(streams_of(tensor.device.type), tensor)
    return torch_to_numpy(tensor, copy=copy)


@cache
def _packed() -> tuple[Any, ...]:
    """torch's dtypes of several numbers an element, which it converts to nothing else."""
    torch = sys.modules["torch"]
    names = ("float4_e2m1fn_x2",)
    return tuple(getattr(torch, name) for name in names if hasattr(torch, name))


def joined(values: Sequence[Any], name: str) -> Any:
    """torch tensors of one shape as one tensor with a further dimension; anything else as it is.

    Raises:
        ValueError: they have several shapes.
    """
    if not values or not all(map(is_torch_tensor, values)):
        return values
    shapes = sorted({tuple(value.shape) for value in values})
    if len(shapes) > 1:
        raise ValueError(f"{name} must hold tensors of one shape, got {', '.join(map(str, shapes))}")
    with sys.modules["torch"].no_grad():
        return sys.modules["torch"].stack(tuple(values))


def on_device(tensor: Any) -> bool:
    """Whether reading the tensor's values would wait for a device."""
    return bool(tensor.device.type != "cpu")


def torch_to_numpy(tensor: Any, *, copy: bool) -> Array:
    """A tensor on the host as an array, its own or not; bfloat16 and float8 become float32."""
    array: Array = (
        tensor.detach().to(dtype=host_dtype(tensor.dtype), copy=copy).resolve_conj().resolve_neg().numpy()
    )
    return array


def freeze_torch_scalars(tensors: dict[str, Any]) -> dict[str, Deferred]:
    """Device tensors of one element each: those of one device and dtype take one copy together."""
    torch = sys.modules["torch"]
    groups: dict[Any, list[str]] = {}
    for key, tensor in tensors.items():
        groups.setdefault((tensor.device, tensor.dtype), []).append(key)
    frozen: dict[str, Deferred] = {}
    for keys in groups.values():
        with torch.no_grad():
            joined = torch.stack([tensors[key].detach().reshape(()) for key in keys])
        array = DeviceArray(streams_of(joined.device.type), joined, copy=False)
        frozen |= {key: Element(array, place) for place, key in enumerate(keys)}
    return frozen


def _local(tensor: Any, name: str) -> Any:
    """The part of a distributed tensor that lies here; never a collective, which could hang the job."""
    placements = getattr(tensor, "placements", None)
    if placements is None or not hasattr(tensor, "to_local"):
        return tensor
    if any(placement.is_partial() for placement in placements):
        raise TypeError(
            f"{name} is a distributed tensor of partial values, whose sum needs a collective; call "
            ".full_tensor() on every rank and log its result"
        )
    return tensor.to_local()


def _freeze_jax(jax: Any, value: Any, name: str) -> Array | Deferred:
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"{name} is being traced and has no value; log through jax.debug.callback")
    if value.is_fully_replicated:
        value = value.addressable_data(0)
    elif not value.is_fully_addressable:
        raise TypeError(
            f"{name} is spread over several processes; log "
            "jax.experimental.multihost_utils.process_allgather(value), or value.addressable_shards[i].data"
        )
    elif len(value.sharding.device_set) > 1:
        # Gathering the shards runs a computation on all the devices: in the order of the caller's own ones,
        # or devices of several hosts would wait for each other.
        return np.array(value)
    value.copy_to_host_async()
    return Fetched(lambda: np.asarray(value), value.shape, np.dtype(value.dtype))


def _freeze_tensorflow(value: Any, name: str) -> Deferred:
    if not hasattr(value, "numpy"):
        raise TypeError(f"{name} is a symbolic tensor and has no value; log outside of tf.function")
    return Fetched(value.numpy, tuple(value.shape), np.dtype(value.dtype.as_numpy_dtype))


def _freeze_variable(variable: Any, name: str) -> Deferred:
    return _freeze_tensorflow(variable.read_value(), name)  # what is assigned later goes to another buffer


def _freeze_cupy(cupy: Any, value: Any) -> Deferred:
    copied = value.copy()
    mark = cupy.cuda.Event(block=True, disable_timing=True)
    mark.record()

    def fetch() -> Any:
        mark.synchronize()
        return copied.get()

    return Fetched(fetch, copied.shape, copied.dtype, copied.nbytes)


def _freeze_dlpack(value: Any, name: str, copy: bool) -> Array | Deferred:
    on_host = value.__dlpack_device__()[0] in (1, 3)  # kDLCPU, kDLCUDAHost (dmlc/dlpack, dlpack.h)
    if on_host:
        array = np.from_dlpack(value)
        return array.copy() if copy else array
    torch = sys.modules.get("torch")
    if torch is None:
        raise TypeError(
            f"{name} lies on a device and can be read through torch only; import torch, or log a copy on "
            "the host"
        )
    return freeze_torch(torch.from_dlpack(value), name, copy)

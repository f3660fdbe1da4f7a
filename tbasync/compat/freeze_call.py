"""Freezing the arguments of any call: what may still change is copied, as deep as containers go."""

from __future__ import annotations

import array
import copy
import dataclasses
import sys
from collections import UserDict, UserList, deque
from collections.abc import Callable
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

_IMMUTABLE = frozenset((type(None), bool, int, float, complex, str, bytes, type))


class FrozenCall:
    """The arguments of a call as they were when it was made.

    Containers are rebuilt from frozen elements: lists, tuples, dicts, sets, deques, their subclasses, read-only
    views of mappings, instances of dataclasses, arrays of objects. Other arrays, tensors, buffers, PIL images and
    protobuf messages are copied. Anything else, a model or a figure say, is kept by reference: copying it could
    cost more than the call. So is what cannot be copied, for a failure to copy must not end the loop.

    Attributes:
        arguments: positional.
        options: by keyword.
        nbytes: about how many bytes the copies hold.
    """

    def __init__(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Copies; raises nothing but MemoryError."""
        self.nbytes = 0
        # Identity -> the value, which must not make room for another of the same identity, and its copy.
        self._done: dict[int, tuple[Any, Any]] = {}
        self._events: list[Any] = []
        self.arguments: tuple[Any, ...] = tuple(map(self._frozen, arguments))
        self.options: dict[str, Any] = {name: self._frozen(value) for name, value in options.items()}
        self._done.clear()

    def wait(self) -> None:
        """Waits until tensors that were copied on a device are complete; for the thread that uses them."""
        for event in self._events:
            event.synchronize()

    def _frozen(self, value: Any) -> Any:
        if type(value) in _IMMUTABLE:
            return value
        # What occurs twice is copied once, and what contains itself goes on doing so.
        done = self._done.get(id(value))
        if done is not None:
            return done[1]
        try:
            frozen = self._copied(value)
        except MemoryError:
            raise
        except Exception:  # a class may do anything when it is copied, and values may be nested without end
            frozen = value
        return self._note(value, frozen)

    def _note(self, value: Any, frozen: Any) -> Any:
        self._done[id(value)] = value, frozen
        return frozen

    def _copied(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return self._tuple(value)
        if isinstance(value, (dict, list, deque)):
            return self._container(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return self._tensor(torch, value)
        if isinstance(value, MappingProxyType):
            return MappingProxyType(self._container(dict(value)))
        if _is_record(value):
            return self._record(value)
        return self._other(value)

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        elements = tuple(map(self._frozen, value))
        if type(value) is tuple:
            return elements
        if all(map(_same, elements, value)) and not getattr(value, "__dict__", None):
            return value  # torch.Size, time.struct_time: no way to make one suits all classes
        try:
            frozen = tuple.__new__(type(value), elements)
        except TypeError:  # a class of C, such as torch.return_types.max
            return type(value)(elements)
        self._copy_attributes(value, frozen)
        return frozen

    def _container(self, value: dict[Any, Any] | list[Any] | deque[Any]) -> Any:
        frozen = self._note(value, copy.copy(value))
        for place, element in list(frozen.items() if isinstance(frozen, dict) else enumerate(frozen)):
            frozen[place] = self._frozen(element)
        self._copy_attributes(value, frozen)
        return frozen

    def _array(self, value: Any) -> Any:
        frozen = value.copy()
        self.nbytes += value.nbytes
        if value.dtype.hasobject:
            self._note(value, frozen)
            self._freeze_objects(frozen.view(np.ndarray))  # masks and the like stay as they are
        return frozen

    def _freeze_objects(self, frozen: Any) -> None:
        """In place, in an array that has just been copied: fields and elements that are objects."""
        for name in frozen.dtype.names or ():
            if frozen.dtype[name].hasobject:
                self._freeze_objects(frozen[name])  # a view
        if frozen.dtype.kind == "O":
            for place, element in np.ndenumerate(frozen):
                frozen[place] = self._frozen(element)

    def _tensor(self, torch: Any, tensor: Any) -> Any:
        frozen = tensor.detach().clone()
        self.nbytes += frozen.numel() * frozen.element_size()
        device: Any = getattr(torch, frozen.device.type, None)  # torch.cuda, torch.xpu, …
        if frozen.device.type != "cpu" and hasattr(device, "current_stream"):
            self._events.append(device.current_stream(frozen.device).record_event())
        return frozen

    def _record(self, value: Any) -> Any:
        frozen = self._note(value, copy.copy(value))
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                # Past a `__setattr__` of its own: the one of a frozen dataclass raises.
                if hasattr(value, field.name):
                    object.__setattr__(frozen, field.name, self._frozen(getattr(value, field.name)))
        self._copy_attributes(value, frozen)
        return frozen

    def _copy_attributes(self, value: Any, frozen: Any) -> None:
        attributes: dict[str, Any] | None = getattr(frozen, "__dict__", None)
        if attributes is not None and attributes is not frozen:
            own = {name: self._frozen(attribute) for name, attribute in vars(value).items()}
            attributes.update(own)

    def _other(self, value: Any) -> Any:
        for matches, duplicate in _DUPLICATES:
            if matches(value):
                self.nbytes += _size_of_buffer(value)
                return duplicate(value)
        return value


def _same(one: object, other: object) -> bool:
    return one is other


def _is_record(value: Any) -> bool:
    """Whether it is no more than its attributes; what can be called, such as a model, is more."""
    records = isinstance(value, (SimpleNamespace, UserDict, UserList)) or dataclasses.is_dataclass(value)
    return records and not callable(value)


def _is_protobuf(value: Any) -> bool:
    # The class is asked, for there are objects that answer to any name.
    return hasattr(type(value), "SerializeToString") and hasattr(type(value), "CopyFrom")


def _copy_view(view: Any) -> Any:
    if not view.nbytes:
        return view
    try:
        frozen = memoryview(bytearray(view.tobytes())).cast(view.format, view.shape)
    except ValueError:  # a format of several fields
        frozen = np.array(view).data
    return frozen.toreadonly() if view.readonly else frozen


def _size_of_buffer(value: Any) -> int:
    return memoryview(value).nbytes if isinstance(value, (bytearray, memoryview, array.array)) else 0


_DUPLICATES: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
    (lambda value: isinstance(value, (set, bytearray, array.array)), copy.copy),
    (lambda value: isinstance(value, memoryview), _copy_view),
    (lambda value: type(value).__module__.partition(".")[0] == "PIL", copy.copy),
    (_is_protobuf, copy.deepcopy),
)

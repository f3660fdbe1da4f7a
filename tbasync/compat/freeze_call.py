"""Freezing the arguments of any call: what may still change is copied, as deep as containers go."""

from __future__ import annotations

import copy
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

_IMMUTABLE = frozenset((type(None), bool, int, float, complex, str, bytes, type))
_NOT_YET = object()


class FrozenCall:
    """The arguments of a call as they were when it was made.

    Lists, tuples, dicts, sets and deques are rebuilt from frozen elements; arrays, tensors, bytearrays, PIL
    images and protobuf messages are copied. Anything else, a model or a figure say, is kept by reference:
    copying it could cost more than the call.

    Attributes:
        arguments: positional.
        options: by keyword.
        nbytes: about how many bytes the copies hold.
    """

    def __init__(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.nbytes = 0
        self._done: dict[int, Any] = {}
        self._events: list[Any] = []
        self.arguments: tuple[Any, ...] = self._frozen(arguments)
        self.options: dict[str, Any] = self._frozen(options)
        # The identities in it mean nothing once the caller goes on.
        self._done.clear()

    def wait(self) -> None:
        """Waits until tensors that were copied on a device are complete; for the thread that uses them."""
        for event in self._events:
            event.synchronize()

    def _frozen(self, value: Any) -> Any:
        if type(value) in _IMMUTABLE:
            return value
        # What occurs twice is copied once, and what contains itself goes on doing so.
        frozen = self._done.get(id(value), _NOT_YET)
        if frozen is _NOT_YET:
            frozen = self._done[id(value)] = self._copied(value)
        return frozen

    def _copied(self, value: Any) -> Any:
        if isinstance(value, tuple):
            elements = map(self._frozen, value)
            return value._make(elements) if hasattr(value, "_make") else tuple(elements)
        if isinstance(value, (dict, list, deque)):
            return self._container(value)
        if isinstance(value, np.ndarray):
            self.nbytes += value.nbytes
            return value.copy()
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return self._tensor(torch, value)
        return self._other(value)

    def _container(self, value: dict[Any, Any] | list[Any] | deque[Any]) -> Any:
        frozen = self._done[id(value)] = copy.copy(value)
        for place, element in list(frozen.items() if isinstance(frozen, dict) else enumerate(frozen)):
            frozen[place] = self._frozen(element)
        return frozen

    def _tensor(self, torch: Any, tensor: Any) -> Any:
        frozen = tensor.detach().clone()
        self.nbytes += frozen.numel() * frozen.element_size()
        device: Any = getattr(torch, frozen.device.type, None)  # torch.cuda, torch.xpu, …
        if frozen.device.type != "cpu" and hasattr(device, "current_stream"):
            self._events.append(device.current_stream(frozen.device).record_event())
        return frozen

    def _other(self, value: Any) -> Any:
        for matches, duplicate in _DUPLICATES:
            if matches(value):
                return duplicate(value)
        return value


def _is_protobuf(value: Any) -> bool:
    return hasattr(value, "SerializeToString") and hasattr(value, "CopyFrom")


_DUPLICATES: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
    (lambda value: isinstance(value, (set, bytearray)), copy.copy),
    (lambda value: type(value).__module__.partition(".")[0] == "PIL", copy.copy),
    (_is_protobuf, copy.deepcopy),
)

"""The originals' public classes, and what their methods take, by introspection."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PACKAGES = {
    "torch": pytest.importorskip("torch.utils.tensorboard"),
    "tensorboardX": pytest.importorskip("tensorboardX"),
}
CLASSES = {
    (package, name): getattr(module, name)
    for name in ("SummaryWriter", "FileWriter", "GlobalSummaryWriter")
    for package, module in PACKAGES.items()
    if hasattr(module, name)
}


def members(cls: type) -> dict[str, list[str]]:
    """The public methods and properties of a class, and its constructor by the class's name: their arguments."""
    found = {name: member for name, member in inspect.getmembers(cls) if not name.startswith("_")}
    found[cls.__name__] = cls.__init__  # type: ignore[misc]
    return {name: list(_names(member)) for name, member in found.items()}


def _names(member: Any) -> Iterator[str]:
    if not callable(member):
        return
    for name, parameter in inspect.signature(member).parameters.items():
        if name != "self":
            yield f"**{name}" if parameter.kind is parameter.VAR_KEYWORD else name


def positional(method: Callable[..., Any]) -> list[str]:
    """The names of a method's positional arguments, in order, without `self`."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(method).parameters
    return [name for name, parameter in parameters.items() if name != "self" and parameter.kind in kinds]

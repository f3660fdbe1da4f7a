"""The writers that tbasync takes the place of, and the classes whose instances do.

A stand-in is a tbasync writer that is also an instance of the class it stands in for, by inheritance: methods
come from the user's own subclass if there is one, then from tbasync, then, for what tbasync does not have,
from the original, which reaches the event file through `_get_file_writer()` all the same. So nothing is
listed by method, neither here nor there.
"""

from __future__ import annotations

import math
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, NamedTuple, cast

import numpy as np

from ..errors import TbasyncWarning
from ..writer import SummaryWriter
from .tensorboardx import TensorboardXWriter


@dataclass(frozen=True)
class Kind:
    """A package's writer.

    Attributes:
        module: the module that defines its `SummaryWriter`.
        writer: tbasync's class that takes the same arguments.
    """

    module: str
    writer: type[SummaryWriter]

    @property
    def original(self) -> type | None:
        """The package's own class; None unless the package has been imported."""
        return getattr(sys.modules.get(self.module), "SummaryWriter", None)


TORCH = Kind("torch.utils.tensorboard.writer", SummaryWriter)
TENSORBOARDX = Kind("tensorboardX.writer", TensorboardXWriter)
KINDS = (TORCH, TENSORBOARDX)


def kind_of(cls: type) -> Kind | None:
    """The kind that a class or a subclass of it belongs to; None for any other class."""
    # An instance cannot exist before its package is imported, so nothing needs to be imported here.
    return next((kind for kind in KINDS if kind.original in cls.__mro__), None)


_stand_ins: dict[type, type[SummaryWriter]] = {}


def stand_in(cls: type) -> type[SummaryWriter]:
    """The class whose instances stand in for those of `cls`, which is of a known kind.

    Raises:
        TypeError: Python cannot combine the classes.
    """
    # Two threads may both make one; all but the first to be stored are forgotten.
    return _stand_ins.get(cls) or _stand_ins.setdefault(cls, _make_stand_in(cls))


def _make_stand_in(cls: type) -> type[SummaryWriter]:
    kind = kind_of(cls)
    if kind is None or kind.original is None:
        raise TypeError(f"{cls.__qualname__} is no writer that tbasync knows")
    body = {"__module__": __package__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    if cls is not kind.original:
        return _combine(cls.__name__, (cls, stand_in(kind.original)), body)
    return _combine(
        cls.__name__, (kind.writer, cls), {**body, "__reduce_ex__": _reduce, "_moment": moment_cut_down}
    )


def _combine(name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type[SummaryWriter]:
    # `new_class` and not `type`: the user's subclass may have a metaclass, such as ABCMeta.
    made = types.new_class(name, bases, exec_body=lambda namespace: namespace.update(body))
    return cast("type[SummaryWriter]", made)


def moment_cut_down(
    self: SummaryWriter, step: Any, walltime: float | None, name: str = "global_step"
) -> tuple[int, float]:
    """`SummaryWriter._moment`, but a step of 2.7 ends no script that ran before: the originals make 2 of it."""
    if isinstance(step, (float, np.floating)) and math.isfinite(step) and not step.is_integer():
        # The same words for every step, so that they are said once.
        message = f"{name} is a fraction: it is cut down to an integer, as the writer does that tbasync stands in for"
        warnings.warn(message, TbasyncWarning, stacklevel=_frames_of_tbasync())
        step = int(step)
    return SummaryWriter._moment(self, step, walltime, name)


def _frames_of_tbasync() -> int:
    """How many calls the user's line is away from who calls this: several methods lie in between."""
    frame: FrameType | None = sys._getframe(1)
    frames = 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("tbasync."):
        frame, frames = frame.f_back, frames + 1
    return frames


class _StandInFor(NamedTuple):
    """In a pickle, means a stand-in class, which cannot be looked up by its name as others can."""

    cls: type


def _reduce(self: SummaryWriter, protocol: Any) -> tuple[Any, ...]:
    make, arguments, *state = cast("tuple[Any, ...]", object.__reduce_ex__(self, protocol))
    return _remake, tuple(map(_portable, (make, *arguments))), *state


def _portable(part: Any) -> Any:
    stood_in_for = (cls for cls, made in tuple(_stand_ins.items()) if made is part)
    return next(map(_StandInFor, stood_in_for), part)


def _remake(*parts: Any) -> Any:
    make, *arguments = (stand_in(part.cls) if isinstance(part, _StandInFor) else part for part in parts)
    return cast("Callable[..., Any]", make)(*arguments)

"""Keeps torch.compile from tracing into a writer's methods.

Logging has side effects that no graph can hold, so a compiled step must break its graph around it: at the
call, and not somewhere within tbasync, whose every function would otherwise be compiled, guarded and
recompiled. `torch.compiler.disable` does that, but importing it costs a second, and torch may be imported
after tbasync or not at all; so what it does is done here by its two marks.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import cache
from types import FunctionType
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)


def not_compiled(cls: _Class) -> _Class:
    """Marks the public methods of a class and its bases, for a compiled function that would inline them."""
    for method in _public_methods(cls):
        vars(method).update(
            _torchdynamo_disable=True, _torchdynamo_disable_msg="logging is not a part of the graph"
        )
    return cls


@cache
def skip_frames(cls: type) -> None:
    """Marks the methods' code, for the frame of a method that is called between two compiled graphs.

    Does nothing without torch, or with one that knows no such mark: the methods are then traced, which costs
    time and nothing else.
    """
    if "torch" not in sys.modules:
        skip_frames.cache_clear()
        return
    with contextlib.suppress(ImportError, AttributeError, TypeError):
        from torch._C._dynamo import eval_frame

        skip = eval_frame._FrameAction.SKIP
        for method in _public_methods(cls):
            eval_frame.set_code_exec_strategy(method.__code__, eval_frame._FrameExecStrategy(skip, skip))


def _public_methods(cls: type) -> Iterator[FunctionType]:
    for base in cls.__mro__:
        for name, member in vars(base).items():
            if isinstance(member, FunctionType) and not name.startswith("_"):
                yield member

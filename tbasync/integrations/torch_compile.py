"""Keeps torch.compile from tracing into a writer's methods.

Logging has side effects that no graph can hold, so a compiled step must break its graph around it: at the
call, and not somewhere within tbasync, whose every function would otherwise be compiled, guarded and
recompiled. `torch.compiler.disable` does that, but importing it costs a second, and torch may be imported
after tbasync or not at all; so what it does is done here by its two marks.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from types import FunctionType, ModuleType
from typing import TypeVar

_Owner = TypeVar("_Owner", bound="type | ModuleType")


def not_compiled(owner: _Owner) -> _Owner:
    """Marks the public methods of a class and its bases, for a compiled function that would inline them.

    Likewise the public functions of a module.
    """
    for function in _public_functions(owner):
        vars(function).update(
            _torchdynamo_disable=True, _torchdynamo_disable_msg="logging is not a part of the graph"
        )
    return owner


@cache
def skip_frames(owner: type | ModuleType) -> None:
    """Marks the same functions' code, for the frame of one that is called between two compiled graphs.

    Does nothing without torch, or with one that knows no such mark: the methods are then traced, which costs
    time and nothing else.
    """
    if "torch" not in sys.modules:
        skip_frames.cache_clear()
        return
    with contextlib.suppress(ImportError, AttributeError, TypeError):
        from torch._C._dynamo import eval_frame

        skip = eval_frame._FrameAction.SKIP
        for function in _public_functions(owner):
            code = inspect.unwrap(function).__code__  # not that of contextlib
            eval_frame.set_code_exec_strategy(code, eval_frame._FrameExecStrategy(skip, skip))


def _public_functions(owner: type | ModuleType) -> Iterator[FunctionType]:
    for place in owner.__mro__ if isinstance(owner, type) else (owner,):
        for name, member in vars(place).items():
            if isinstance(member, FunctionType) and not name.startswith("_"):
                yield member

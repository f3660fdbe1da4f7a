"""Ways out of a process that run no exit handlers, made to flush first."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from ..pipeline import process

# All other functions of the exec family come down to these two.
_WAYS_OUT = ("_exit", "execv", "execve")


def flush_before_leaving() -> None:
    """Has `os._exit` and `os.exec*` bring to the files what was logged before them."""
    for name in _WAYS_OUT:
        setattr(os, name, _flushing(getattr(os, name)))


def _flushing(leave: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(leave)
    def flush_and_leave(*arguments: Any, **options: Any) -> Any:
        process.flush_all()
        return leave(*arguments, **options)

    return flush_and_leave

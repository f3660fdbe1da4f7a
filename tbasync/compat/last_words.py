"""Ways out of a process that run no exit handlers, made to say something first."""

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
    before_leaving(process.flush_all)


def before_leaving(last_act: Callable[[], None]) -> None:
    """Has `os._exit` and `os.exec*` call `last_act` first; what was asked for later is called earlier."""
    for name in _WAYS_OUT:
        setattr(os, name, _preceded(last_act, getattr(os, name)))


def _preceded(last_act: Callable[[], None], leave: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(leave)
    def act_and_leave(*arguments: Any, **options: Any) -> Any:
        last_act()
        return leave(*arguments, **options)

    return act_and_leave

"""Processes that multiprocessing starts by "spawn" or "forkserver", with tbasync installed in them too.

Such a process knows nothing of its parent but what it is sent before it imports the main module. One more
entry in that message is enough: unpickled, it installs.
"""

from __future__ import annotations

import os
import runpy
from types import ModuleType
from typing import Any

from ..pipeline import sigterm
from .imports import ImportHook


def install_in_children() -> None:
    """From now on, for the rest of this process."""
    ImportHook({"multiprocessing.spawn": _extend_message}).attach()


class _Installs:
    """Pickled, a call that installs; by path, for `sys.path` has yet to come in the same message."""

    def __reduce__(self) -> tuple[Any, ...]:
        path = os.path.join(os.path.dirname(__file__), "_in_child.py")
        return runpy.run_path, (path, {"drains_at_sigterm": sigterm.is_for_all()})


def _extend_message(spawn: ModuleType) -> None:
    prepare = spawn.get_preparation_data
    if getattr(prepare, "installs", False):
        return

    def get_preparation_data(name: str) -> dict[str, Any]:
        return {**prepare(name), "tbasync": _Installs()}

    get_preparation_data.installs = True  # type: ignore[attr-defined]
    spawn.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]

"""Callbacks for modules: at once for those imported already, after their import for the others.

The usual way to change a module that is perhaps never imported, and whose import is too dear to be forced:
a finder ahead of the others has them find the module, and lends it a loader that calls back when it is done.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class ImportHook(MetaPathFinder):
    """Calls back for modules by name, each perhaps more than once, while it is attached."""

    def __init__(self, callbacks: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._callbacks = dict(callbacks)
        self._attached = False
        # Never held while a module is imported: the importing thread holds the module's own lock, and calls
        # back, which takes this one.
        self._lock = threading.RLock()

    def attach(self) -> None:
        """Calls back for what is imported already, and from now on for what is being imported.

        When it returns, all of them have been called that could be; from several threads as well.
        """
        with self._lock:
            self._attached = True
            if self not in sys.meta_path:
                sys.meta_path.insert(0, self)
        for name in self._callbacks:
            if name in sys.modules:
                # Waits for a thread that is just importing it, and may have been past the finder.
                with contextlib.suppress(ImportError):
                    self.imported(importlib.import_module(name))

    def detach(self) -> None:
        """Calls back no more, not even for imports that are under way."""
        with self._lock:
            self._attached = False
            with contextlib.suppress(ValueError):
                sys.meta_path.remove(self)

    def imported(self, module: ModuleType) -> None:
        """Calls back for a module, unless detached."""
        with self._lock:
            if self._attached:
                self._callbacks[module.__name__](module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the finders after this one find, with a loader that calls back."""
        if fullname not in self._callbacks:
            return None
        finders = tuple(sys.meta_path)
        behind = finders[finders.index(self) + 1 :] if self in finders else finders  # just being detached
        for finder in behind:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _CallingBack(spec.loader, self)
                return spec
        return None


class _CallingBack(Loader):
    """A loader's stand-in for the time of one import; the module itself gets to see the loader's own."""

    def __init__(self, loader: Any, hook: ImportHook) -> None:
        self._loader = loader
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._hook.imported(module)

"""Known writers' classes, changed so that to construct one is to construct tbasync's.

Only `__init__` is replaced, and what it does is to make its instance a stand-in's. So whoever holds the class
gets tbasync's writer from it, no matter when or how they came by it, subclasses included; whoever asks
`isinstance` is right; and restoring one attribute undoes it all.
"""

from __future__ import annotations

import functools
import threading
from types import ModuleType, TracebackType
from typing import Any

from ..writer import SummaryWriter
from .imports import ImportHook
from .kinds import KINDS, Kind, stand_in


class _Installation:
    """What `install()` has changed in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.plain = 0  # calls of `install()` outside of a `with`, since the last `uninstall()`
        self.contexts = 0  # `with` statements that have been entered and not left
        self._replaced: dict[type, tuple[Any, Any]] = {}  # class -> its own __init__, ours
        self._hook = ImportHook({kind.module: self._replace for kind in KINDS})

    @property
    def wanted(self) -> bool:
        """Whether anybody wants it installed."""
        return self.plain > 0 or self.contexts > 0

    def enforce(self) -> None:
        """Makes what is installed what is wanted; not to be called with the lock held."""
        if self.wanted:
            self._hook.attach()
        with self.lock:  # looked at again: another thread may have changed its mind meanwhile
            if not self.wanted:
                self._undo()

    def _undo(self) -> None:
        self._hook.detach()
        for cls, (own, ours) in list(self._replaced.items()):
            # Where somebody has replaced ours in turn it stays below theirs, and does nothing.
            if vars(cls).get("__init__") is ours:
                cls.__init__ = own  # type: ignore[misc]
                del self._replaced[cls]

    def _replace(self, module: ModuleType) -> None:
        kind = next(kind for kind in KINDS if kind.module == module.__name__)
        cls = kind.original
        if cls is not None and cls not in self._replaced:
            own = cls.__init__  # type: ignore[misc]
            ours = self._constructor(kind, own)
            self._replaced[cls] = own, ours
            cls.__init__ = ours  # type: ignore[misc]

    def _constructor(self, kind: Kind, own: Any) -> Any:
        @functools.wraps(own)
        def construct(writer: Any, *arguments: Any, **options: Any) -> None:
            if isinstance(writer, SummaryWriter):  # a subclass that calls this `__init__` by its class
                kind.writer.__init__(writer, *arguments, **options)
            elif self.wanted:
                writer.__class__ = stand_in(type(writer))
                kind.writer.__init__(writer, *arguments, **options)
            else:
                own(writer, *arguments, **options)

        return construct


_installation = _Installation()


class Installed:
    """What `install()` returns: as a context manager, it installs for the time of the `with` statement."""

    def __init__(self) -> None:
        self._plain = True

    def __enter__(self) -> Installed:
        with _installation.lock:
            _installation.contexts += 1
            if self._plain:
                self._plain = False
                _installation.plain = max(0, _installation.plain - 1)
        _installation.enforce()  # another thread may have called uninstall() since
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _installation.lock:
            _installation.contexts = max(0, _installation.contexts - 1)
        _installation.enforce()


def install() -> Installed:
    """See `tbasync.install`."""
    with _installation.lock:
        _installation.plain += 1
    _installation.enforce()
    return Installed()


def uninstall() -> None:
    """See `tbasync.uninstall`."""
    with _installation.lock:
        _installation.plain = 0
        _installation.contexts = 0
    _installation.enforce()

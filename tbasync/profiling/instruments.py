"""What is measured: the writers of torch, tensorboardX and tbasync, and what makes them wait for devices."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from time import perf_counter_ns
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from ..compat.imports import ImportHook
from ..compat.kinds import KINDS
from .meter import Meter

CONSTRUCTOR = "SummaryWriter()"
FILE_WRITER = "file_writer."  # prefixes the methods of what `writer.file_writer` is

_PACKAGE = __name__.partition(".")[0]
_BARRIERS = ("flush", "close")
_OWN_MODULES = ("tbasync.writer", "tbasync.file_writer", "tbasync.compat.tensorboardx")
_WRITER_MODULES = (*(kind.module for kind in KINDS), *_OWN_MODULES)
_FILE_MODULES = ("tensorboard.summary.writer.event_file_writer", "tensorboardX.event_file_writer")

# Methods of torch.Tensor after which a value is in the host's hands.
_READS = ("item", "tolist", "numpy", "__float__", "__int__", "__bool__", "__index__", "__array__")
# Those that are nothing of the kind for a tensor that is on the host already.
_MOVES = ("cpu", "to")

_INHERITED = object()


class _Change(NamedTuple):
    cls: type
    name: str
    before: Any  # what the class itself had, or _INHERITED
    after: Any


class Instruments:
    """Puts a meter's timed versions in the place of methods, whenever their modules are imported."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._changes: list[_Change] = []
        self._names: set[str] = set()  # of the writers' own methods
        self._subclasses: set[type] = set()  # those of writers that have been looked at
        callbacks: dict[str, Callable[[ModuleType], None]] = {"torch": self._time_reads}
        callbacks.update(dict.fromkeys(_WRITER_MODULES, self._time_writers))
        callbacks.update(dict.fromkeys(_FILE_MODULES, self._size_events))
        self._hook = ImportHook(callbacks)

    def attach(self) -> None:
        """From now on."""
        self._hook.attach()

    @contextlib.contextmanager
    def removed(self) -> Iterator[None]:
        """Without them for a while: the methods are their own again."""
        changes = tuple(self._changes)
        for change in reversed(changes):
            if change.before is _INHERITED:
                delattr(change.cls, change.name)
            else:
                setattr(change.cls, change.name, change.before)
        try:
            yield
        finally:
            for change in changes:
                setattr(change.cls, change.name, change.after)

    def _time_writers(self, module: ModuleType) -> None:
        for cls in tuple(vars(module).values()):
            if not isinstance(cls, type) or cls.__module__ != module.__name__:
                continue
            if hasattr(cls, "add_scalar"):
                self._time_methods(cls, "")
                self._names.update(filter(_is_timed, dir(cls)))
                self._replace(cls, "__init__", self._constructor)
            elif hasattr(cls, "add_summary"):
                self._time_methods(cls, FILE_WRITER)

    def _time_methods(self, cls: type, prefix: str) -> None:
        for name in filter(_is_timed, dir(cls)):
            self._replace(cls, name, functools.partial(self._meter.logging, prefix + name))

    def _constructor(self, method: Callable[..., None]) -> Callable[..., None]:
        """The constructor of a writer, timed. It sees all classes of writers that the script has."""

        @functools.wraps(method)
        def construct(writer: Any, *arguments: Any, **options: Any) -> None:
            start = perf_counter_ns()
            with contextlib.suppress(Exception):  # a metaclass may forbid it; the script must not notice
                self._time_overrides(type(writer))
            self._meter.leave_out(perf_counter_ns() - start)
            method(writer, *arguments, **options)

        return self._meter.logging(CONSTRUCTOR, construct)

    def _time_overrides(self, cls: type) -> None:
        """Has what a user's class and its mixins put in the place of a writer's methods timed as those are."""
        if cls in self._subclasses:
            return
        self._subclasses.add(cls)
        for base in cls.__mro__:
            if base.__module__ in _WRITER_MODULES:
                return
            if base.__module__.partition(".")[0] == _PACKAGE:
                continue  # made by tbasync, to stand in for another
            for name, method in tuple(vars(base).items()):
                if name in self._names and isinstance(method, FunctionType):
                    self._replace(base, name, functools.partial(self._meter.overriding, name))

    def _size_events(self, module: Any) -> None:
        self._replace(module.EventFileWriter, "add_event", self._meter.sizing)

    def _time_reads(self, torch: Any) -> None:
        for names, waits, only_waits in ((_READS, _was_away, False), (_MOVES, _came_home, True)):
            for name in names:
                self._time_read(torch.Tensor, name, waits, only_waits)

    def _time_read(self, cls: type, name: str, waits: Callable[[Any, Any], bool], only_waits: bool) -> None:
        label = f"Tensor.{name}"
        self._replace(cls, name, lambda method: self._meter.reading(label, method, waits, only_waits))

    def _replace(
        self, cls: type, name: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        """Changes a method, unless it has been changed before, here or in a base class."""
        method = getattr(cls, name)
        # What is noted is which function it is: `functools.wraps` copies the note to others.
        if getattr(method, "measured", None) is method:
            return
        changed: Any = change(method)
        changed.measured = changed
        self._changes.append(_Change(cls, name, vars(cls).get(name, _INHERITED), changed))
        setattr(cls, name, changed)


def _is_timed(name: str) -> bool:
    return name.startswith(("add_", "log_")) or name in _BARRIERS


def _was_away(tensor: Any, _: Any) -> bool:
    return bool(tensor.device.type not in ("cpu", "meta"))


def _came_home(tensor: Any, result: Any) -> bool:
    return _was_away(tensor, None) and not _was_away(result, None)

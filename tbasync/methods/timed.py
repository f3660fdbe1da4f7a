"""The writers that take the time of their own calls, for `self_report=True`.

Their class is made from the writer's own, as that of null writers is, so that a writer without a report pays
nothing: not even a look whether it has one.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any, TypeVar

from ..integrations.torch_compile import skip_frames

_Own = TypeVar("_Own")
_made: dict[type, type] = {}

# Of the calls that cost next to nothing, only one in so many is timed, and counts for as many.
_EVERY = {"add_scalar": 16, "log_metrics": 16}


def become_timed(writer: Any) -> None:
    """Has a writer, which has a report, take the time of its logging calls from now on."""
    timed: type = timed_class(type(writer))
    writer.__class__ = timed
    skip_frames(timed)


def timed_class(own: type[_Own]) -> type[_Own]:
    """The timed class of `own`."""
    # Two threads may both make one; all but the first to be stored are forgotten.
    return _made.get(own) or _made.setdefault(own, _make_timed_class(own))


def _make_timed_class(own: type) -> type:
    members: dict[str, Any] = {
        name: _timed(getattr(own, name), _EVERY.get(name, 1)) for name in _logging_methods(own)
    }
    named = {name: getattr(own, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(own.__name__, (own,), {**members, **named, "__reduce_ex__": _reduce, "_untimed": own})


def _logging_methods(own: type) -> Iterator[str]:
    return (name for name in dir(own) if name.startswith("add_") or name == "log_metrics")


def _timed(method: Callable[..., Any], every: int) -> Callable[..., Any]:
    calls = itertools.count(1)  # of all writers of the class; a number that two threads get does no harm

    @functools.wraps(method)
    def timed(self: Any, *arguments: Any, **options: Any) -> Any:
        if next(calls) % every:
            return method(self, *arguments, **options)
        began = perf_counter_ns()
        try:
            return method(self, *arguments, **options)
        finally:
            self._pipeline.report.note_call(perf_counter_ns() - began, every)

    return timed


def _reduce(self: Any, protocol: Any) -> tuple[Any, ...]:
    # A pickle cannot name the class, so it is that of an object of the class it was made from.
    plain = object.__new__(self._untimed)
    vars(plain).update(vars(self))
    make, arguments, *rest = plain.__reduce_ex__(protocol)
    return _make_again, (make, *arguments), *rest


def _make_again(make: Callable[..., Any], *arguments: Any) -> Any:
    writer = make(*arguments)
    writer.__class__ = timed_class(type(writer))
    return writer

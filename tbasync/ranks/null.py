"""The writers of processes that do not write, bound once: a call of what does nothing costs an empty method.

A null writer is an object of a class made from the writer's own. Every public method that returns nothing is
replaced by an empty function of the same arguments, whether tbasync has it today or tomorrow and whether a
user's subclass overrides it, so that only what answers something has to be written out here.

    the class of a null `Mine` ─┬─ Mine ────────────────┐
                                └─ null SummaryWriter ──┴─ SummaryWriter

The second parent stands between a user's class and `SummaryWriter`: a method of `Mine` that calls
`super().add_scalar(...)` meets an empty function there as well.

A sending writer is the same, but that it pushes scalars and accumulators, for another rank to write.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, TypeVar, cast

from ..encode.accumulator import Histogram
from ..file_writer import FileWriter
from ..pipeline.pipeline import Pipeline
from ..pipeline.stats import Stats

_Own = TypeVar("_Own")
_made: dict[tuple[type, bool], type] = {}

# What a sending writer takes.
_SENT = frozenset(("add_scalar", "add_scalars", "log_metrics"))
# What the state of an object is not copied with.
_OF_THIS_PROCESS = frozenset(("_pipeline", "_queue", "_writers", "_finalizer", "_contexts"))


def become_null(writer: Any, base: type, *, sends: bool = False) -> None:
    """Turns a writer under construction into the null, or sending, object of its class.

    Args:
        writer: an object of `base` or a subclass; `log_dir` is set.
        base: the class whose public methods are to do nothing: `SummaryWriter`.
        sends: whether scalars are to be pushed all the same.
    """
    if not isinstance(writer, null_class(base, base, sends=sends)):
        writer.__class__ = null_class(type(writer), base, sends=sends)


class _FileWriters:
    """The null file writers of a writer that has no file."""

    log_dir: str
    _null_of: tuple[type, type]

    @property
    def file_writer(self) -> FileWriter:
        """A null file writer: it takes everything and writes nothing."""
        return self._get_file_writer()

    @property
    def all_writers(self) -> dict[str, FileWriter]:
        """The null file writer by the directory."""
        return {self.log_dir: self._get_file_writer()}

    def _get_file_writer(self) -> FileWriter:
        writer = FileWriter(cast(Pipeline, None), self.log_dir)
        writer.__class__ = null_class(FileWriter, FileWriter)
        return writer

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process is no rank of the job: there a sending writer is a null one.
        state = {name: value for name, value in vars(self).items() if name not in _OF_THIS_PROCESS}
        return _make_again, (*self._null_of, state)


class _Answers:
    """What a null writer answers where something is asked of it."""

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """True: nothing was pushed before."""
        return True

    def close(self, timeout: float | None = None) -> bool:
        """True: there is nothing to close."""
        return True

    def stats(self) -> Stats:
        """Zeros."""
        return Stats()

    def use_metadata(self, **defaults: Any) -> contextlib.nullcontext[Any]:
        """Does nothing."""
        return contextlib.nullcontext(self)


def _make_again(own: type, base: type, state: dict[str, Any]) -> Any:
    writer: Any = object.__new__(null_class(own, base))
    vars(writer).update(state)
    return writer


def null_class(own: type[_Own], base: type, *, sends: bool = False) -> type[_Own]:
    """The null, or sending, class of `own`, which is `base` or derives from it."""
    made = _made.get((own, sends))
    if made is None:
        made = _made[own, sends] = _make_null_class(own, base, sends)
    return made


def _make_null_class(own: type, base: type, sends: bool) -> type:
    silent = {name for name, member in inspect.getmembers(base) if _is_silent(name, member)}
    if sends:
        silent -= _SENT
    members: dict[str, Any] = {name: _empty(getattr(own, name)) for name in silent}
    if sends:
        members["add_histogram"] = _of_accumulators(own.add_histogram)  # type: ignore[attr-defined]
    members.update(__module__=__name__, _null_of=(own, base))
    name = f"{'Sending' if sends else 'Null'}{own.__name__}"
    if own is not base:
        return type(name, (own, null_class(base, base, sends=sends)), members)
    answers = () if base is FileWriter else (_FileWriters,) if sends else (_FileWriters, _Answers)
    for kind in answers:
        members.update((name, member) for name, member in vars(kind).items() if _is_answer(member))
    return type(name, (own,), members)


def _is_answer(member: object) -> bool:
    return isinstance(member, (FunctionType, property))


def _is_silent(name: str, member: object) -> bool:
    """Whether a class's member is a public method that returns nothing."""
    return (
        isinstance(member, FunctionType)
        and not name.startswith("_")
        and (name.startswith("add_") or member.__annotations__.get("return") in (None, "None"))
    )


def _empty(method: Callable[..., Any]) -> Callable[..., None]:
    """An empty function with the arguments of `method`: a call with an argument missing fails here as there.

    It is compiled because nothing else is as cheap. A function that takes `*args, **kwargs` packs them into a
    tuple and a dict, and CPython calls one with keyword-only arguments the slow way, so those are made plain
    ones: a call then costs 1.3 times one of `def empty(self, tag, value, step): pass`.
    """
    empty: Callable[..., None] = eval(f"lambda {', '.join(map(_spelled, _parameters(method)))}: None")
    return functools.update_wrapper(empty, method)


def _of_accumulators(add_histogram: Callable[..., None]) -> Callable[..., None]:
    """`add_histogram` for a `tbasync.Histogram`, which is merged with those of other ranks, and nothing else."""

    @functools.wraps(add_histogram)
    def add(self: Any, tag: str, values: Any, *args: Any, **options: Any) -> None:
        # Not `isinstance()`, which looks at the value.
        if issubclass(type(values), Histogram):
            add_histogram(self, tag, values, *args, **options)

    return add


def _parameters(method: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    return inspect.signature(method).parameters.values()


def _spelled(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*{parameter.name}"
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    optional = parameter.default is not parameter.empty or parameter.kind is parameter.KEYWORD_ONLY
    return f"{parameter.name}=None" if optional else parameter.name

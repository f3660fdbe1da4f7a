"""What each thread has set: the default writer, the default step, whether to record, the enclosing scopes."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..pipeline.freeze import freeze_step

if TYPE_CHECKING:
    from ._writers import SummaryWriter


class _State(threading.local):
    """One thread's settings; every thread starts without any."""

    writer: SummaryWriter | None = None
    step: Any = None
    recording: bool | Callable[[], Any] | None = None
    scope = ""  # the names of the enclosing summary_scopes, each with a slash behind it


state = _State()

# What `tf.name_scope` does not take in a name.
_ILLEGAL = re.compile(r"[^-_/.A-Za-z0-9]")


class DefaultWriter:
    """What `as_default()` returns: within it, the writer is this thread's default, and the step if one is given.

    Leaving it does not wait for anything to be written, unlike in `tf.summary`.
    """

    def __init__(self, writer: SummaryWriter, step: Any) -> None:
        self._writer = writer
        self._step = step

    def __enter__(self) -> SummaryWriter:
        self._old = state.writer, state.step
        state.writer = self._writer
        if self._step is not None:
            state.step = self._step
        return self._writer

    def __exit__(self, *exception: object) -> None:
        state.writer = self._old[0]
        if self._step is not None:
            state.step = self._old[1]


def get_step() -> Any:
    """This thread's default step, as it was set; None if there is none."""
    return state.step


def set_step(step: Any) -> None:
    """Sets this thread's default step.

    Args:
        step: an integer of 64 bits; None for no default. An object whose value changes, such as a 0-d integer
            tensor, is looked at anew in every call that logs.
    """
    state.step = step


def should_record_summaries() -> bool:
    """Whether there is a default writer in this thread that writes, and `record_if` does not forbid to use it."""
    if state.writer is None or not state.writer.writes:
        return False
    recording = state.recording() if callable(state.recording) else state.recording
    return recording is None or bool(recording)


@contextlib.contextmanager
def record_if(condition: bool | Callable[[], Any]) -> Iterator[None]:
    """Within it, this thread records summaries only if the condition holds.

    Args:
        condition: a bool, or a function without arguments that gives one and is asked in every call that logs.
    """
    old, state.recording = state.recording, condition
    try:
        yield
    finally:
        state.recording = old


@contextlib.contextmanager
def summary_scope(
    name: str | None, default_name: str = "summary", values: Any = None
) -> Iterator[tuple[str, str]]:
    """For kinds of one's own: gives the tag of a summary, and prefixes those within with its name.

    Args:
        name: the summary's; empty or None is `default_name`.
        default_name: also stands in the scope for a name of which no character is allowed there.
        values: accepted for compatibility.

    Yields:
        The tag, `name` after the names of the enclosing scopes; and the scope, in which characters other than
        letters, digits and `-_/.` are left out, with a slash at its end.
    """
    tag = tag_of(name, default_name)
    outer, cleaned = state.scope, _ILLEGAL.sub("", name or default_name) or default_name
    # As in tf.name_scope, a name that ends with a slash is a whole scope, whatever encloses it.
    state.scope = cleaned if cleaned.endswith("/") else f"{outer}{cleaned}/"
    around = _tensorflows_scope()
    try:
        yield tag, f"{around}/{state.scope}" if around else state.scope
    finally:
        state.scope = outer


def tag_of(name: str | None, default_name: str) -> str:
    """The tag of a summary: its name after those of the enclosing scopes.

    Raises:
        TypeError: the name is no str.
    """
    name = name or default_name
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, got {type(name).__name__}: {name!r}")
    own, around = state.scope, _tensorflows_scope()
    if not own and not around:
        return name
    return "/".join(filter(None, (around, own.rstrip("/"), name)))


def _tensorflows_scope() -> str:
    """The scopes of `tf.name_scope`, in a program that uses TensorFlow; they are taken to enclose our own."""
    tensorflow = sys.modules.get("tensorflow")
    return "" if tensorflow is None else str(getattr(tensorflow, "get_current_name_scope", str)())


def recording(step: Any) -> tuple[SummaryWriter, int] | None:
    """The writer and the step of a call that logs; None if nothing is to be logged.

    Args:
        step: as given in the call; None is the default one.

    Raises:
        TypeError, ValueError: the step is no integer of 64 bits, or there is none and one is needed.
    """
    number = None if step is None else _number(step)
    writer = state.writer
    if writer is None or not writer.writes or not (state.recording is None or should_record_summaries()):
        return None
    if number is None:
        if state.step is None:
            raise ValueError(
                "no step is set: pass one as step=, or set a default by tbasync.summary.experimental.set_step() "
                "or as_default(step=)"
            )
        number = _number(state.step)
    return writer, number


def _number(step: Any) -> int:
    if type(step) is int and -1 < step < 0x3FFF_FFFF:
        return step  # the common case, without a further call
    try:
        return freeze_step(step, "step")
    except TypeError:
        if not hasattr(step, "numpy"):  # variables of TensorFlow and Keras are no integers of themselves
            raise
        return freeze_step(step.numpy(), "step")

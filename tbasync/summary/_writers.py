"""Writers in the style of `tf.summary`: made by `create_file_writer`, used by being the default."""

from __future__ import annotations

import contextlib
import operator
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from time import time
from typing import Any

from .. import writer as core
from ..encode.result import Encoded
from ..integrations.torch_compile import not_compiled, skip_frames
from ..pipeline.items import Events, Summary
from ..ranks.base import ReducingPipeline
from ..wire.event import event
from ._state import DefaultWriter, state


@not_compiled
class SummaryWriter:
    """A `tbasync.SummaryWriter` to be used in the style of `tf.summary`.

    Attributes:
        writer: the `tbasync.SummaryWriter` behind it, for all that `tf.summary` has no function for.
        writes: False for the null writer of a rank that does not write.
    """

    writes = True

    def __init__(self, writer: core.SummaryWriter) -> None:
        """Uses a writer that exists already.

        Args:
            writer: it may be used by its own methods, too.

        Raises:
            TypeError: it is no `tbasync.SummaryWriter`.
            ValueError: it reduces over ranks, which summaries of this style are not made for.
        """
        if not isinstance(writer, core.SummaryWriter):
            raise TypeError(
                f"writer must be a tbasync.SummaryWriter, got {type(writer).__name__}: {writer!r}"
            )
        if isinstance(getattr(writer, "_pipeline", None), ReducingPipeline):
            raise ValueError(
                "a writer with reduce= cannot be used in the style of tf.summary; log what is to be reduced by "
                "its own methods"
            )
        self.writer = writer
        self.writes = hasattr(writer, "_pipeline")
        self._closed = False
        skip_frames(sys.modules[__package__])  # the functions that log

    def as_default(self, step: Any = None) -> contextlib.AbstractContextManager[SummaryWriter | None]:
        """A context manager, within which this is the calling thread's default writer.

        Args:
            step: also the default step within it; None leaves that as it is.

        Raises:
            RuntimeError: the writer is closed.
        """
        self._check_open()
        return DefaultWriter(self, step)

    def set_as_default(self, step: Any = None) -> None:
        """Makes this the calling thread's default writer from now on, and `step`, if one is given, its step.

        Raises:
            RuntimeError: the writer is closed.
        """
        self.as_default(step).__enter__()

    def init(self) -> None:
        """Does nothing; raises RuntimeError if the writer is closed."""
        self._check_open()

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until what was logged before is with the operating system; see `tbasync.SummaryWriter.flush`.

        True if the writer is closed.
        """
        return self._closed or self.writer.flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Flushes and closes, for good; see `tbasync.SummaryWriter.close`. A second call does nothing."""
        if self._closed:
            return True
        self._closed = True
        return self.writer.close(timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed already: create another writer")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.writer.log_dir!r}>"

    # -- what the functions of this package call -----------------------------------------------------------

    def _push_number(self, series: bytes, value: float, step: int) -> None:
        self._check_open()
        queue = self.writer._queue
        queue.append((series, value, step, time()))
        if len(queue.items) > queue.limit:
            queue.attend()

    def _push(self, tag: str, step: int, encode: Callable[..., Encoded], arguments: Sequence[Any]) -> None:
        self._check_open()
        self.writer._queue.put(Summary(None, tag, step, time(), encode, arguments))

    def _push_event(self, step: int, field: int, payload: bytes) -> None:
        self._check_open()
        self.writer._queue.put(Events(None, (event(time(), step, field, payload),)))


class _NoopSummaryWriter(SummaryWriter):
    """Stands where a writer is expected, and does nothing: the default writer stays what it is."""

    writes = False

    def __init__(self) -> None:
        pass

    @contextlib.contextmanager
    def as_default(self, step: Any = None) -> Iterator[None]:
        yield

    def set_as_default(self, step: Any = None) -> None:
        pass

    def init(self) -> None:
        pass

    def flush(self, timeout: float | None = None) -> bool:
        return True

    def close(self, timeout: float | None = None) -> bool:
        return True

    def __repr__(self) -> str:
        return "<a writer that does nothing>"


def create_noop_writer() -> SummaryWriter:
    """A writer that does nothing, for code that wants a context manager."""
    return _NoopSummaryWriter()


def create_file_writer(
    logdir: str | os.PathLike[str],
    max_queue: int | None = None,
    flush_millis: int | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
    experimental_trackable: bool = False,
    experimental_mesh: None = None,
    **options: Any,
) -> SummaryWriter:
    """A writer to an event file in a directory, both of which are created.

    Args:
        logdir: the run's directory.
        max_queue: accepted for compatibility; the queue is bounded by `capacity` and `max_items`.
        flush_millis: milliseconds within which what was logged reaches the operating system; None, and
            whatever is more than `interval`, is `interval`.
        filename_suffix: ends the event file's name; None is ".v2".
        name: accepted for compatibility, and so is `experimental_trackable`.
        experimental_mesh: must be None.
        options: keyword arguments of `tbasync.SummaryWriter`: `interval`, `capacity`, `on_full`, `ranks` and so on.

    Raises:
        OSError: the directory or file cannot be made.
        TypeError, ValueError: an argument is not as above.
    """
    if logdir is None:
        raise ValueError("logdir must not be None; for a writer that does nothing see create_noop_writer()")
    if experimental_mesh is not None:
        raise ValueError("experimental_mesh must be None: tbasync knows no meshes of DTensor; see ranks=")
    for argument, value in (("max_queue", max_queue), ("flush_millis", flush_millis)):
        _check_count(argument, value)
    if flush_millis is not None:
        options["interval"] = min(flush_millis / 1000, options.get("interval", 0.25))
    suffix = ".v2" if filename_suffix is None else filename_suffix
    return SummaryWriter(core.SummaryWriter(os.fsdecode(logdir), filename_suffix=suffix, **options))


def _check_count(name: str, value: object) -> None:
    if value is None:
        return
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer or None, got {type(value).__name__}: {value!r}") from None
    if count < 0:
        raise ValueError(f"{name} must be 0 or more, got {count}")


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> bool:
    """Waits until what was logged is with the operating system.

    Args:
        writer: None is the calling thread's default writer; True if there is none.
        name: accepted for compatibility.

    Raises:
        ValueError: `writer` is no writer of this package.
        LoggingError, WriterStalledError: as `tbasync.SummaryWriter.flush`.
    """
    chosen = state.writer if writer is None else writer
    if chosen is None:
        return True
    if not isinstance(chosen, SummaryWriter):
        raise ValueError(f"writer must be one of create_file_writer(), got {chosen!r}")
    return chosen.flush()

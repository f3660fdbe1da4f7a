"""What happens to pipelines when the process forks or ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .items import Barrier
    from .pipeline import Pipeline

# At exit all writers together get this long: a hung disk must not keep the process from ending.
EXIT_SECONDS = 30.0

# Sets, because adding, discarding and copying are single C calls; pipelines compare by identity.
_started: set[Pipeline] = set()
_all: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_kept: list[object] = []
_LATE = "not everything reached {!r} in time"
_SPOOLED = "{}; what it lacks is in event files in {!r}"
_flushes_early = False
_exiting = False
_children_end_by: int | None = None  # the process whose multiprocessing finalizers include ours


def register(pipeline: Pipeline) -> None:
    """Has the pipeline closed at exit and reset in forked children."""
    global _children_end_by
    _started.add(pipeline)
    reset_in_children(pipeline)
    # multiprocessing ends its children without atexit's handlers (before 3.13), but runs its own finalizers;
    # those registered before the child has started are not run in it, hence once in each process.
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _children_end_by != os.getpid():
        _children_end_by = os.getpid()
        util.Finalize(None, _close_all, exitpriority=0)


def reset_in_children(pipeline: Pipeline) -> None:
    """Has the pipeline reset in forked children."""
    _all.add(pipeline)


def forget(pipeline: Pipeline) -> None:
    """The pipeline is closed: nothing is to be done for it at exit."""
    _started.discard(pipeline)


def exiting() -> bool:
    """Whether the interpreter is past the point where a thread that is started would be waited for."""
    return _exiting


def keep_for_ever(thing: object) -> None:
    """Keeps `thing` from being destroyed in this process."""
    _kept.append(thing)


def _close_all() -> None:
    global _exiting
    # Before the look at what is open: who starts a worker puts it there and then looks whether this is set.
    _exiting = True
    # All are asked before the first is waited for, so that one that hangs does not use up the others' time;
    # but one with a closing of its own (it waits for other ranks, say) is closed in that way, after the rest.
    pipelines = _started.copy()
    plain = {pipeline for pipeline in pipelines if pipeline.closes_by_barrier}
    deadline = time.monotonic() + EXIT_SECONDS
    finish([(pipeline, pipeline.ask_to_close(EXIT_SECONDS)) for pipeline in plain], EXIT_SECONDS)
    for pipeline in pipelines - plain:
        _close(pipeline, max(0.0, deadline - time.monotonic()))


def finish(asked: Iterable[tuple[Pipeline, Barrier | None]], seconds: float) -> None:
    """Waits for barriers, for so long in all; what goes wrong is printed, for nobody is left to catch it."""
    deadline = time.monotonic() + seconds
    for pipeline, barrier in asked:
        _finish(pipeline, barrier, deadline)


def close_at_exit(pipeline: Pipeline) -> None:
    """Closes a pipeline within `EXIT_SECONDS`; what goes wrong is printed, for nobody is left to catch it."""
    _close(pipeline, EXIT_SECONDS)


def _close(pipeline: Pipeline, seconds: float) -> None:
    with _complaining():
        if not pipeline.close(seconds):
            _complain(_late(pipeline))


def _finish(pipeline: Pipeline, barrier: Barrier | None, deadline: float) -> None:
    with _complaining():
        if barrier is not None and not pipeline.wait_for(barrier, max(0.0, deadline - time.monotonic())):
            _complain(_late(pipeline))
        pipeline.raise_failures()


@contextlib.contextmanager
def _complaining() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        _complain(str(error))


def flush_before_threads_end() -> None:
    """Has writers to remote stores flushed while the stores' clients still work.

    concurrent.futures ends its threads, and asyncio's executor with them, before atexit's handlers are called: a
    client cannot even resolve a name then. Of what `threading` calls at that point, the last registered is first.
    """
    global _flushes_early
    if _flushes_early:
        return
    _flushes_early = True
    import concurrent.futures.thread  # noqa: F401 - which registers its own end, to come after ours

    register_end = getattr(threading, "_register_atexit", None)
    if register_end is not None:
        with contextlib.suppress(RuntimeError):  # it is too late already
            register_end(_flush_remote)


def _flush_remote() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    remote = [pipeline for pipeline in _started.copy() if pipeline.options.remote is not None]
    asked = [(pipeline, pipeline.ask_to_flush()) for pipeline in remote]
    for pipeline, barrier in asked:
        if barrier is not None:
            # What goes wrong is told when the writer is closed, soon after.
            with contextlib.suppress(Exception):
                pipeline.wait_for(barrier, max(0.0, deadline - time.monotonic()))


def flush_all() -> None:
    """Flushes what is running, within `EXIT_SECONDS` each; for a process that is about to end otherwise."""
    for pipeline in _started.copy():
        # The process ends by its own will and is not to be held up by what it was about to leave undone.
        with contextlib.suppress(Exception):
            pipeline.flush(EXIT_SECONDS)


def _late(pipeline: Pipeline) -> str:
    message = _LATE.format(pipeline.options.log_dir)
    return message if pipeline.spool is None else _SPOOLED.format(message, pipeline.spool)


def _complain(message: str) -> None:
    # Warnings may be errors, and logging may be shut down; stderr may be closed or None.
    with contextlib.suppress(Exception):
        print(f"tbasync: {message}", file=sys.stderr)


def _after_fork_in_child() -> None:
    global _exiting
    _exiting = False
    _started.clear()
    for pipeline in tuple(_all):
        pipeline.reset_after_fork()


# Handlers run last in, first out: what a program registers after it has imported tbasync may still log.
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

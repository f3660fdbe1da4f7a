"""What happens to pipelines when the process forks or ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pipeline import Pipeline

# At exit every writer gets this long: a hung disk must not keep the process from ending.
EXIT_SECONDS = 30.0

_started: set[Pipeline] = set()
_all: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_kept: list[object] = []
_exiting = False
_children_end_by: int | None = None  # the process whose multiprocessing finalizers include ours


def register(pipeline: Pipeline) -> None:
    """Has the pipeline closed at exit and reset in forked children."""
    global _children_end_by
    _started.add(pipeline)
    _all.add(pipeline)
    # multiprocessing ends its children without atexit's handlers (before 3.13), but runs its own finalizers;
    # those registered before the child has started are not run in it, hence once in each process.
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _children_end_by != os.getpid():
        _children_end_by = os.getpid()
        util.Finalize(None, _close_all, exitpriority=0)


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
    _exiting = True
    for pipeline in tuple(_started):
        close_at_exit(pipeline)


def close_at_exit(pipeline: Pipeline) -> None:
    """Closes a pipeline within `EXIT_SECONDS`; what goes wrong is printed, for nobody is left to catch it."""
    try:
        if not pipeline.close(EXIT_SECONDS):
            _complain(f"not everything reached {pipeline.options.log_dir!r} in {EXIT_SECONDS:.0f} s")
    except Exception as error:
        _complain(str(error))


def flush_all() -> None:
    """Flushes what is running, within `EXIT_SECONDS` each; for a process that is about to end otherwise."""
    for pipeline in tuple(_started):
        # The process ends by its own will and is not to be held up by what it was about to leave undone.
        with contextlib.suppress(Exception):
            pipeline.flush(EXIT_SECONDS)


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

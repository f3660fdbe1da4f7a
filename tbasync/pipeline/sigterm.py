"""SIGTERM: a job that is preempted drains its writers before it ends as it would have ended anyway."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from . import process
from .held_signals import hold_during_forks
from .pipeline import Pipeline

# Whoever sends SIGTERM sends SIGKILL soon after: Kubernetes and SLURM after 30 seconds.
DRAIN_SECONDS = 10.0

_drained: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_for_all = False


def install_for_all() -> None:
    """Has every writer that is made from now on drained, as if each had been asked to be; on the main thread.

    The handler is installed anew with every writer that the main thread makes, so that a handler which a script sets
    before it makes its writers is called afterwards instead of being the only one.

    Raises:
        ValueError: as `install()`.
    """
    global _for_all
    install()
    _for_all = True


def is_for_all() -> bool:
    """Whether `install_for_all()` has been called, here or in the process that this one was forked from."""
    return _for_all


def wanted(asked_for: bool) -> bool:
    """Installs the handler for a writer, if it is `asked_for` or all are; whether so.

    Raises:
        ValueError: as `install()`, if it is asked for.
    """
    if asked_for:
        install()
    elif _for_all:
        with contextlib.suppress(ValueError):
            install()
    return asked_for or _for_all


@functools.cache
def _hold_during_forks() -> None:
    hold_during_forks((signal.SIGTERM,))


def install() -> None:
    """Has a SIGTERM drain the pipelines that `drain()` names before whatever handled the signal so far.

    Raises:
        ValueError: not called on the main thread, or the handler so far is not Python's and cannot be called.
    """
    if threading.get_ident() != threading.main_thread().ident:
        raise ValueError(
            "install_sigterm=True needs the main thread: Python sets signal handlers there alone"
        )
    previous = signal.getsignal(signal.SIGTERM)
    if previous is None:
        raise ValueError("install_sigterm=True: the present handler of SIGTERM is not Python's to be called")
    if not getattr(previous, "drains_tbasync", False):
        _hold_during_forks()
        signal.signal(signal.SIGTERM, _before(previous))


def drain(pipeline: Pipeline) -> None:
    """Has the handler drain this pipeline too."""
    _drained.add(pipeline)


def _before(previous: Any) -> Callable[[int, Any], None]:
    def handle(number: int, frame: Any) -> None:
        # The handler runs on the main thread in the midst of anything; what the writer's locks make of that is
        # said beside them. All writers are asked before the first is waited for.
        deadline = time.monotonic() + DRAIN_SECONDS
        plain = [pipeline for pipeline in _drained if pipeline.closes_by_barrier]
        process.finish([(pipeline, pipeline.ask_to_flush()) for pipeline in plain], DRAIN_SECONDS)
        for pipeline in set(_drained).difference(plain):
            with contextlib.suppress(Exception):
                pipeline.flush(max(0.0, deadline - time.monotonic()))
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    vars(handle)["drains_tbasync"] = True
    return handle

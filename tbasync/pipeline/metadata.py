"""What `use_metadata` is made of: the step and wall time of calls that have none of their own.

An entry belongs to the thread, or asyncio task, that opened it: it stands in a context variable. The last one
opened that is still open counts, so they may be closed in any order.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sized
from contextvars import ContextVar
from typing import Protocol

from .freeze import freeze_step, freeze_wall_time
from .items import Item, Scalar
from .queue import PushQueue

Defaults = tuple[int | None, float | None]  # step and wall time


class Pushes(Protocol):
    """What a writer's calls need of its queue."""

    @property
    def items(self) -> Sized: ...
    @property
    def limit(self) -> int: ...
    @property
    def append(self) -> Callable[[Scalar], object]: ...
    @property
    def put(self) -> Callable[[Item], object]: ...
    @property
    def attend(self) -> Callable[[], object]: ...


class _Entry:
    def __init__(self, owner: object, defaults: Defaults) -> None:
        self.owner: object | None = owner  # None when closed: a task's copy of the context may outlive it
        self.defaults = defaults


_entries: ContextVar[tuple[_Entry, ...]] = ContextVar("tbasync_metadata", default=())


def defaults_of(owner: object) -> Defaults:
    """The step and wall time that count for the caller's calls of `owner`; None for none."""
    for entry in reversed(_entries.get()):
        if entry.owner is owner:
            return entry.defaults
    return None, None


@contextlib.contextmanager
def metadata(owner: object, step: object, walltime: object) -> Iterator[None]:
    """Has `defaults_of(owner)` be these within it.

    Raises:
        TypeError, ValueError: they are no step or wall time.
    """
    defaults = (
        None if step is None else freeze_step(step),
        None if walltime is None else freeze_wall_time(walltime),
    )
    entry = _Entry(owner, defaults)
    _entries.set((*_entries.get(), entry))
    try:
        yield
    finally:
        entry.owner = None
        _entries.set(tuple(entry for entry in _entries.get() if entry.owner is not None))


class Dated:
    """A writer's queue while a `use_metadata` of it is open: its common call does not look for a wall time.

    The common call appends a scalar with the time of the call. Here those get the wall time of the context, so
    that the common call need not know of any. Everything else goes to the queue as it is.
    """

    def __init__(self, owner: object, queue: PushQueue) -> None:
        self.queue = queue
        self.put = queue.put
        self.attend = queue.attend
        self._owner = owner

    @property
    def items(self) -> Sized:
        """The queue's."""
        return self.queue.items

    @property
    def limit(self) -> int:
        """The queue's."""
        return self.queue.limit

    def append(self, scalar: Scalar) -> None:
        """Appends a scalar of a call without a wall time."""
        _, walltime = defaults_of(self._owner)
        self.queue.append(scalar if walltime is None else (*scalar[:3], walltime))


_lock = threading.RLock()  # reentrant, as a signal handler may open a context


def opening() -> threading.RLock:
    """What to hold while a context is counted as opened or closed, and its owner's queue is changed for it.

    It excludes that one is opened after another has looked whether it was the last, and before that has
    changed the queue back.
    """
    return _lock


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # the parent's may be held by a thread that is not here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

"""What travels through the queue.

A plain scalar is no object of a class but a bare tuple `(tag, value, step, wall_time)` of a str, a float,
an int and a float: the cheapest thing that Python can make, and one that the garbage collector stops
tracking at its first look. One of `tbasync.summary` has bytes for a tag, see `wire/scalars.py`. Everything else
is an `Item`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..encode.result import Encoded
from ..errors import LoggingError
from ..wire.scalars import Series
from .deferred import Deferred

Scalar: TypeAlias = "tuple[Series, float, int, float]"

# What one more value of a waiting `Metrics` costs in memory: a float and its place in a dict.
_METRIC_BYTES = 96


class Item:
    """One push.

    Attributes:
        run: the run's directory, or None for the writer's own.
        summaries: how many summaries it counts for in `stats()`.
        nbytes: bytes of frozen payload that it holds, or will hold, on the host.
        deferred: the values of it that have to be fetched.
        device_bytes: bytes that those hold on devices.
        droppable: whether a full queue may lose it.
    """

    __slots__ = ("deferred", "device_bytes", "nbytes", "run", "summaries")
    droppable = True

    def __init__(
        self, run: str | None, summaries: int, nbytes: int, deferred: tuple[Deferred, ...] = ()
    ) -> None:
        self.run = run
        self.summaries = summaries
        self.nbytes = nbytes
        self.deferred = deferred
        self.device_bytes = sum(value.device_bytes for value in deferred) if deferred else 0


def droppable(item: Scalar | Item) -> bool:
    """Whether a full queue may lose the item."""
    return isinstance(item, tuple) or item.droppable


def summaries_of(item: Scalar | Item) -> int:
    """How many summaries an item of the queue counts for."""
    return 1 if isinstance(item, tuple) else item.summaries


class Metrics(Item):
    """Several scalars of one step, pushed at once."""

    __slots__ = ("step", "values", "wall_time")

    def __init__(
        self,
        run: str | None,
        values: Mapping[str, float | Deferred],
        step: int,
        wall_time: float,
        deferred: tuple[Deferred, ...] = (),
    ) -> None:
        # Not by Item's: this is the critical path of `log_metrics`.
        self.run = run
        self.summaries = size = len(values)
        self.nbytes = size * _METRIC_BYTES
        self.deferred = deferred
        self.device_bytes = sum(value.device_bytes for value in deferred) if deferred else 0
        self.values = values
        self.step = step
        self.wall_time = wall_time


def _nbytes(value: Any) -> int:
    """About what a frozen argument holds; exact for arrays, which are what counts."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, (list, tuple)):
        return sum(map(_nbytes, value))
    if isinstance(value, dict):
        return sum(map(_nbytes, (*value, *value.values())))
    return int(getattr(value, "nbytes", 0))


class Summary(Item):
    """A frozen value and the pure function that turns it into the bytes of a Summary, or of several."""

    __slots__ = ("arguments", "encode", "step", "tag", "wall_time")

    def __init__(
        self,
        run: str | None,
        tag: str,
        step: int,
        wall_time: float,
        encode: Callable[..., Encoded],
        arguments: Sequence[Any],
        summaries: int = 1,
    ) -> None:
        # Not by Item's: each push of an array comes by here.
        self.run = run
        self.summaries = summaries
        self.nbytes = self.device_bytes = 0
        self.deferred: tuple[Deferred, ...] = ()
        for value in arguments:
            if type(value) is np.ndarray:
                self.nbytes += value.nbytes
            elif value is not None:
                self.nbytes += _nbytes(value)
                if isinstance(value, Deferred):
                    self.deferred += (value,)
                    self.device_bytes += value.device_bytes
        self.tag = tag
        self.step = step
        self.wall_time = wall_time
        self.encode = encode
        self.arguments = arguments


class Events(Item):
    """Events that are serialized already, such as those that third parties hand to `file_writer`."""

    __slots__ = ("events",)

    def __init__(self, run: str | None, events: Sequence[bytes]) -> None:
        super().__init__(run, len(events), sum(map(len, events)))
        self.events = events


class Task(Item):
    """Something to be done on the writer thread, in its turn among what is pushed."""

    __slots__ = ("function",)
    droppable = False

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__(None, 0, 0)
        self.function = function


class EndRun(Item):
    """The run's file is complete for now: its handle is closed, and opened again if more should come."""

    __slots__ = ()
    droppable = False

    def __init__(self, run: str) -> None:
        super().__init__(run, 0, 0)


class Group(Item):
    """Several items of one run that a full queue takes, or loses, together; done one after the other."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Item]) -> None:
        deferred = tuple(value for item in items for value in item.deferred)
        super().__init__(items[0].run, sum(map(summaries_of, items)), sum(i.nbytes for i in items), deferred)
        self.items = items


class Barrier(Item):
    """A place in the queue: its caller sleeps on `reached` until the worker has an answer.

    The answer is given once, and the order of the three stores is that in which the caller reads them back:
    `failure`, then `answered`, then the release of `reached`.

    Attributes:
        reached: held from the start; released with the answer.
        answered: whether there is one.
        failure: None if everything before the barrier is written, else what the caller is to raise.
        fsync: whether "written" means on the disk and not only handed to the operating system.
        last: whether the worker ends here and closes its files.
        give_up_at: for the last one, when to end although writing fails (`time.monotonic()`).
    """

    __slots__ = ("answered", "failure", "fsync", "give_up_at", "last", "reached")
    droppable = False

    def __init__(self, *, fsync: bool = False, last: bool = False, give_up_at: float = 0.0) -> None:
        super().__init__(None, 0, 0)
        self.fsync = fsync
        self.last = last
        self.give_up_at = give_up_at
        self.failure: LoggingError | None = None
        self.answered = False
        self.reached = threading.Lock()
        self.reached.acquire()

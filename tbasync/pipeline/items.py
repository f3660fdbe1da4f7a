"""What travels through the queue.

A plain scalar is no object of a class but a bare tuple `(tag, value, step, wall_time)` of a str, a float,
an int and a float: the cheapest thing that Python can make, and one that the garbage collector stops
tracking at its first look. Everything else is an `Item`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..encode.result import Encoded

Scalar: TypeAlias = "tuple[str, float, int, float]"


class Item:
    """One push.

    Attributes:
        run: the run's directory, or None for the writer's own.
        summaries: how many summaries it counts for in `stats()`.
        nbytes: bytes of frozen payload that it holds.
        droppable: whether a full queue may lose it.
    """

    __slots__ = ("nbytes", "run", "summaries")
    droppable = True

    def __init__(self, run: str | None, summaries: int, nbytes: int) -> None:
        self.run = run
        self.summaries = summaries
        self.nbytes = nbytes


def summaries_of(item: Scalar | Item) -> int:
    """How many summaries an item of the queue counts for."""
    return 1 if isinstance(item, tuple) else item.summaries


class Metrics(Item):
    """Several scalars of one step, pushed at once."""

    __slots__ = ("step", "values", "wall_time")

    def __init__(self, run: str | None, values: Mapping[str, float], step: int, wall_time: float) -> None:
        super().__init__(run, len(values), 0)
        self.values = values
        self.step = step
        self.wall_time = wall_time


class Summary(Item):
    """A frozen value and the pure function that turns it into the bytes of a Summary."""

    __slots__ = ("arguments", "encode", "step", "tag", "wall_time")

    def __init__(
        self,
        run: str | None,
        tag: str,
        step: int,
        wall_time: float,
        encode: Callable[..., Encoded],
        arguments: Sequence[Any],
        nbytes: int,
    ) -> None:
        super().__init__(run, 1, nbytes)
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


class Barrier(Item):
    """Everything before it is written when `passed` turns True; `reached` is released whenever to look.

    Attributes:
        reached: held from the start; the worker releases it when the barrier is passed or hopeless.
        fsync: whether "written" means on the disk and not only handed to the operating system.
        last: whether the worker ends here and closes its files.
        give_up_at: for the last one, when to end although writing fails (`time.monotonic()`).
    """

    __slots__ = ("fsync", "give_up_at", "last", "passed", "reached")
    droppable = False

    def __init__(self, *, fsync: bool = False, last: bool = False, give_up_at: float = 0.0) -> None:
        super().__init__(None, 0, 0)
        self.fsync = fsync
        self.last = last
        self.give_up_at = give_up_at
        self.passed = False
        self.reached = threading.Lock()
        self.reached.acquire()

"""A job's ranks as one writer sees them, and what it does with their scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

Reduction: TypeAlias = Literal["mean", "sum", "min", "max"]
Reduce: TypeAlias = "Reduction | Sequence[Reduction] | None"
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)

# A store serves one request after the other. From some thousands of ranks on they speak less often, so that
# it is asked for a few thousand blocks a second however many they are.
_SECONDS_FOR_EACH_RANK = 1 / 4096
_SHORTEST_INTERVAL = 0.05
_SHORTEST_SILENCE = 10.0


class Store(Protocol):
    """What is used of torch.distributed's stores; each call is one request and its answer."""

    def set(self, key: str, value: bytes, /) -> None: ...
    def get(self, key: str, /) -> bytes: ...
    def add(self, key: str, amount: int, /) -> int: ...
    def check(self, keys: list[str], /) -> bool: ...
    def multi_get(self, keys: list[str], /) -> list[bytes]: ...
    def delete_key(self, key: str, /) -> bool: ...
    def compare_set(self, key: str, expected: str, desired: str, /) -> bytes: ...


@dataclass(frozen=True)
class Team:
    """The ranks whose scalars one writer reduces.

    Attributes:
        rank: this one.
        world: how many there are.
        writer: the rank that reduces and writes.
        reduce: reductions of the tags that ask for none; empty reduces only those that do.
        timeout: seconds that a group waits for its ranks.
        connect: makes a connection to the job's store, for one thread, within so many seconds; None for a
            team of one.
        prefix: begins the keys in the store.
        nodes: the directory under which the ranks of one node find each other; None leaves each to itself.
    """

    rank: int
    world: int
    writer: int
    reduce: tuple[Reduction, ...]
    timeout: float
    connect: Callable[[float], Store] | None = None
    prefix: str = "tbasync"
    nodes: str | None = None

    @property
    def silence(self) -> float:
        """Seconds without a word after which a rank counts as dead."""
        return max(self.timeout, _SHORTEST_SILENCE)

    @property
    def sign_interval(self) -> float:
        """Seconds after which a rank that has nothing to report says that it lives."""
        return self.silence / 6

    def exchange_interval(self, interval: float) -> float:
        """Seconds between two looks at the store, for a writer of this `interval`."""
        return max(interval, _SHORTEST_INTERVAL, self.world * _SECONDS_FOR_EACH_RANK)


def check_reduce(reduce: Reduction | Sequence[Reduction]) -> tuple[Reduction, ...]:
    """The reductions as a tuple.

    Raises:
        TypeError: it is neither a str nor a sequence of them.
        ValueError: one of them is unknown or named twice.
    """
    accepted = f"one of {', '.join(map(repr, REDUCTIONS))}, or a tuple of them"
    if isinstance(reduce, str):
        names: tuple[Reduction, ...] = (reduce,)
    elif isinstance(reduce, Iterable):
        names = tuple(reduce)
    else:
        raise TypeError(f"reduce must be {accepted}, got {type(reduce).__name__}: {reduce!r}")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"reduce must be {accepted}, got {type(name).__name__}: {name!r} in it")
        if name not in REDUCTIONS:
            raise ValueError(f"reduce must be {accepted}, got {name!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"reduce names a reduction twice: {names!r}")
    return names


def check_timeout(seconds: float) -> float:
    """A timeout as a float; TypeError or ValueError unless it is a positive number."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(
            f"reduce_timeout must be a number of seconds, got {type(seconds).__name__}: {seconds!r}"
        )
    if not seconds > 0:
        raise ValueError(f"reduce_timeout must be positive, got {seconds}")
    return float(seconds)

"""The writers that are compared, and the floors below which none of them can be."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from . import adapters


class Floor:
    """No writer at all: what a call costs in Python, and what queueing (tag, value, step, time) costs."""

    def __init__(self, log_dir: str) -> None:
        del log_dir
        self._append = deque[Any](maxlen=200_000).append

    def add_nothing(self, tag: str, value: float, step: int) -> None:
        """The cost of the call itself."""

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """A tuple, a clock and an append."""
        self._append((tag, value, step, time.time()))

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """A copy of the dict, a tuple, a clock and an append."""
        self._append((metrics.copy(), step, time.time()))  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Nothing is open."""


class Empty(Floor):
    """A method that does nothing."""

    add_scalar = Floor.add_nothing


def _tbasync(log_dir: str) -> Any:
    from tbasync import SummaryWriter

    return SummaryWriter(log_dir)


def _torch(log_dir: str) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(log_dir)


def _tensorboardx(log_dir: str) -> Any:
    from tensorboardX import SummaryWriter

    return SummaryWriter(log_dir)


def _wrapped(make: Callable[[str], Any]) -> Callable[[str], Any]:
    def wrapped(log_dir: str) -> Any:
        from tbasync import wrap

        return wrap(make(log_dir))

    return wrapped


@dataclass(frozen=True)
class Peer:
    """One of the writers.

    Attributes:
        make: log directory -> writer.
        packages: what must be installed for it, by the names that are imported.
        distribution: whose version is stated.
        writes_events: event files come of it, which are read back.
        is_writer: it is a writer, and no floor.
        barrier: the method after which everything that was logged is in the file. tensorboardX's `flush()`
            is none: it returns while its thread still has most of the events in its queue.
        everything: also its step overhead and the like are measured, and not its calls alone.
    """

    make: Callable[[str], Any]
    packages: tuple[str, ...]
    distribution: str
    writes_events: bool = True
    is_writer: bool = True
    barrier: str = "flush"
    everything: bool = True

    @property
    def missing(self) -> list[str]:
        """Those of the packages that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]


_EMPTY = Peer(Empty, (), "tbasync", writes_events=False, is_writer=False, everything=False)
_FLOOR = Peer(Floor, (), "tbasync", writes_events=False, is_writer=False, everything=False)
_TORCH, _BOARD = ("torch", "tensorboard"), ("tensorboardX",)

PEERS: dict[str, Peer] = {
    "empty": _EMPTY,
    "floor": _FLOOR,
    "tbasync": Peer(_tbasync, (), "tbasync"),
    "torch": Peer(_torch, _TORCH, "torch"),
    "tensorboardX": Peer(_tensorboardx, _BOARD, "tensorboardX", barrier="close"),
    "wrap(torch)": Peer(_wrapped(_torch), _TORCH, "torch", everything=False),
    "wrap(tensorboardX)": Peer(_wrapped(_tensorboardx), _BOARD, "tensorboardX", everything=False),
    "clu": Peer(adapters.Clu, ("clu", "tensorflow"), "clu"),
    "tf.summary": Peer(adapters.TensorFlow, ("tensorflow",), "tensorflow"),
    "wandb": Peer(adapters.Wandb, ("wandb",), "wandb", writes_events=False, barrier="close"),
}


def installed() -> list[str]:
    """The peers that can be measured here, in the order of the table."""
    return [name for name, peer in PEERS.items() if not peer.missing]


def writers() -> list[str]:
    """Those of them that really write."""
    return [name for name in installed() if PEERS[name].is_writer]


def make(peer: str, log_dir: str) -> Any:
    """A writer of the kind `peer` that logs to `log_dir`."""
    return PEERS[peer].make(log_dir)


def version_of(distribution: str) -> str:
    """The installed version of a distribution; "" if there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""

"""The writers that are compared, and the floors below which none of them can be."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any


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


# name -> how to make the writer, and the package that must be installed for it.
PEERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "empty": (Empty, "tbasync"),
    "floor": (Floor, "tbasync"),
    "tbasync": (_tbasync, "tbasync"),
    "torch": (_torch, "torch"),
    "tensorboardX": (_tensorboardx, "tensorboardX"),
}


def installed() -> list[str]:
    """The peers that can be measured here, in the order of the table."""
    return [name for name, (_, package) in PEERS.items() if find_spec(package) is not None]


def make(peer: str, log_dir: str) -> Any:
    """A writer of the kind `peer` that logs to `log_dir`."""
    return PEERS[peer][0](log_dir)

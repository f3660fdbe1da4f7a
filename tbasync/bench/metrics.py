"""What does a value cost the caller when 20 of them are logged together?

By one call of `log_metrics` where a writer has it, by 20 calls of `add_scalar` where it has not: that is what
its users do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

from . import peers, proof, work
from .unit import Amount, Figures, Unit

_TAGS = work.tags(20)
_BURST = 200


def _one_by_one(writer: Any) -> Any:
    add = writer.add_scalar

    def log(values: Mapping[str, float], step: int) -> None:
        for tag, value in values.items():
            add(tag, value, step)

    return log


def measure(peer: str, log_dir: str, calls: int, limit: float) -> Figures:
    """The median of bursts of one peer, each flushed before the next, in nanoseconds a value."""
    writer = peers.make(peer, log_dir)
    log = getattr(writer, "log_metrics", None) or _one_by_one(writer)
    values = dict.fromkeys(_TAGS, 0.5)
    for step in range(100):
        log(values, step)
    writer.flush()
    bursts, end = list[float](), time.perf_counter() + limit
    while not bursts or (len(bursts) < calls // _BURST and time.perf_counter() < end):
        start = time.perf_counter()
        for step in range(_BURST):
            log(values, step)
        bursts.append((time.perf_counter() - start) / (_BURST * len(_TAGS)) * 1e9)
        writer.flush()
    writer.close()
    proof.check(peer, log_dir, (100 + len(bursts) * _BURST) * len(_TAGS))
    return {"log_metrics of 20": statistics.median(bursts)}


UNIT = Unit(
    "metrics",
    "What does a value cost the caller when 20 of them are logged together?",
    measure,
    {"log_metrics of 20": "ns a value"},
    {
        "calls": Amount(10_000, 10_000, 400, "calls of 20 values"),
        "limit": Amount(60.0, 0.3, 0.1, "seconds after which it ends early"),
    },
    of_calls=True,
)

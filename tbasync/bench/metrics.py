"""What does a value cost the caller when 20 of them are logged together?

By one call of `log_metrics` where a writer has it, by 20 calls of `add_scalar` where it has not: that is what
its users do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from . import peers, proof, work
from .unit import Amount, Figures, Unit

_TAGS = work.tags(20)


def _one_by_one(writer: Any) -> Any:
    add = writer.add_scalar

    def log(values: Mapping[str, float], step: int) -> None:
        for tag, value in values.items():
            add(tag, value, step)

    return log


def measure(peer: str, log_dir: str, calls: int, limit: float) -> Figures:
    """The mean of a burst of one peer, in nanoseconds a value."""
    writer = peers.make(peer, log_dir)
    log = getattr(writer, "log_metrics", None) or _one_by_one(writer)
    values = dict.fromkeys(_TAGS, 0.5)
    for step in range(100):
        log(values, step)
    writer.flush()
    done, start = 0, time.perf_counter()
    while done < calls and time.perf_counter() - start < limit:
        for step in range(50):
            log(values, step)
        done += 50
    took = time.perf_counter() - start
    writer.flush()
    writer.close()
    proof.check(peer, log_dir, (100 + done) * len(_TAGS))
    return {"log_metrics of 20": took / (done * len(_TAGS)) * 1e9}


UNIT = Unit(
    "metrics",
    "What does a value cost the caller when 20 of them are logged together?",
    measure,
    {"log_metrics of 20": "ns a value"},
    {
        "calls": Amount(10_000, 10_000, 200, "calls of 20 values"),
        "limit": Amount(60.0, 0.3, 0.1, "seconds after which it ends early"),
    },
    of_calls=True,
)

"""How long does `flush()` take after a thousand scalars, and is everything in the file when it returns?"""

from __future__ import annotations

import statistics
import time

from . import peers, proof, work
from .unit import Amount, Figures, Unit

_TAGS = work.tags(20)
_BEFORE = 1_000


def measure(peer: str, log_dir: str, repeats: int) -> Figures:
    """The figures of one peer; the files are read at the instant that `flush()` returns."""
    writer = peers.make(peer, log_dir)
    took, missing = list[float](), list[int]()
    for repeat in range(repeats + 1):
        work.log_scalars(writer, _TAGS, _BEFORE, 60)
        start = time.perf_counter()
        writer.flush()
        took.append(time.perf_counter() - start)
        if peers.PEERS[peer].writes_events:
            missing.append((repeat + 1) * _BEFORE - proof.values_in(log_dir))
    writer.close()
    proof.check(peer, log_dir, (repeats + 1) * _BEFORE)
    took = took[1:]  # the first one pays for what is loaded and learnt but once
    return {
        "median": statistics.median(took) * 1e3,
        "longest": max(took) * 1e3,
        "missing": float(max(missing)),
    }


UNIT = Unit(
    "flush",
    "How long does flush() take after 1,000 scalars, and how many of them are not in the file then?",
    measure,
    {"median": "ms", "longest": "ms", "missing": "events"},
    {"repeats": Amount(50, 10, 2, "calls of flush()")},
)

"""What does an event cost the whole process (push, encode and write, every thread and child included)?

The same measurement says how many events a second a writer sustains with nothing lost, how many bytes an event
takes in the file, and how far the process's memory rises meanwhile; with other numbers of events and of tags,
whether any of that grows.
"""

from __future__ import annotations

import time

from . import peers, proof, work
from .unit import Amount, Figures, Unit

_WARM_UP = 2_000


def measure(peer: str, log_dir: str, events: int, tags: int, limit: float, repeats: int) -> Figures:
    """All figures of one peer, measured in this process. The clocks stop when everything is in the file."""
    writer = peers.make(peer, log_dir)
    names = work.tags(tags)
    warm = work.log_scalars(writer, names, max(_WARM_UP, tags), limit)
    writer.flush()
    memory = work.Memory()
    cpu, wall = work.cpu_seconds(), time.perf_counter()
    count = 0
    for _ in range(repeats):
        count += work.log_scalars(writer, names, events, limit)
        writer.flush()
    writer.close()
    cpu, wall = work.cpu_seconds() - cpu, time.perf_counter() - wall
    grown = memory.growth()
    proof.check(peer, log_dir, warm + count)
    figures = {"CPU": cpu / count * 1e6, "wall": wall / count * 1e6, "memory growth": grown}
    if peers.PEERS[peer].is_writer:
        figures |= {"events": count / wall, "file": proof.bytes_in(log_dir) / (warm + count)}
    return figures


UNIT = Unit(
    "cpu",
    "What does a scalar cost the whole process, every thread and child included?",
    measure,
    {"CPU": "µs", "wall": "µs", "events": "a second", "file": "bytes", "memory growth": "MiB"},
    {
        "events": Amount(1_000_000, 1_000_000, 20_000, "scalars to log"),
        "tags": Amount(20, 20, 20, "tags they have"),
        "limit": Amount(60.0, 0.8, 0.1, "seconds after which it ends early"),
        "repeats": Amount(1, 1, 1, "times that it is done, each followed by a flush"),
    },
    of_calls=True,
)

"""What does a call cost on a rank that does not write? Beside a call of an empty method of the same arguments.

Run with `python -m benchmarks.null_writer`. Promised: at most 1.5 times on CPython 3.11.
"""

from __future__ import annotations

import tempfile
import timeit

import tbasync
from tbasync.bench.runner import machine

_ROUNDS, _CALLS = 30, 50_000


class Empty:
    """A writer of one method that does nothing."""

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Nothing."""


def main() -> None:
    """Measures both in interleaved rounds and prints the best of each: what takes longer is the machine's doing."""
    with tempfile.TemporaryDirectory() as log_dir:
        subjects = {"empty method": Empty(), "null writer": tbasync.SummaryWriter(log_dir, ranks=1, rank=0)}
        times: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(_ROUNDS):
            for name, subject in subjects.items():
                took = timeit.timeit("w.add_scalar('a', 1.0, 3)", globals={"w": subject}, number=_CALLS)
                times[name].append(took / _CALLS * 1e9)
    best = {name: min(each) for name, each in times.items()}
    print(machine())
    for name, nanoseconds in best.items():
        print(f"{name:14}{nanoseconds:8.1f} ns  ({nanoseconds / best['empty method']:.2f}x)")


main()

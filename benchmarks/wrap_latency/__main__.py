"""What does a push cost through `wrap()` and under `install()`, next to tbasync's own writer?

    python -m benchmarks.wrap_latency [--rounds N]

All writers live in one process and take turns: in each round every one of them gets a burst of calls, in
another order each time, and is flushed before the next one starts. What counts is the calling thread's CPU
time, for the wall clock of a shared machine says more about its other users; the ratio is the median of the
rounds' ratios. Expected: each within 20 % of the direct push.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from operator import truediv
from typing import Any

import tbasync
from tbasync.bench.runner import machine

BURST = 5_000
ALLOWED = 1.2  # times the direct push


@contextmanager
def writers(directory: str) -> Iterator[dict[str, Any]]:
    """Name -> writer, for all packages that are installed here."""
    made: dict[str, Any] = {"direct": tbasync.SummaryWriter(f"{directory}/direct")}
    for package in ("torch.utils.tensorboard", "tensorboardX"):
        if find_spec(package.partition(".")[0]) is None:
            continue
        module = __import__(package, fromlist=["SummaryWriter"])
        short = package.partition(".")[0]
        made[f"wrap({short}'s)"] = tbasync.wrap(module.SummaryWriter(f"{directory}/wrap-{short}"))
        with tbasync.install():
            made[f"install(), {short}'s"] = module.SummaryWriter(f"{directory}/install-{short}")
    with ExitStack() as stack:
        for writer in made.values():
            stack.callback(writer.close)
        yield made


def burst(writer: Any) -> float:
    """Nanoseconds of CPU a call, the mean of a burst."""
    add = writer.add_scalar
    start = time.thread_time_ns()
    for step in range(BURST):
        add("train/loss", 0.5, step)
    spent = time.thread_time_ns() - start
    writer.flush()
    return spent / BURST


def main() -> None:
    """Measures and prints a table; ends with status 1 if a writer is slower than allowed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60, help="bursts of each writer (default 60)")
    rounds = parser.parse_args().rounds
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tbasync-bench-") as directory, writers(directory) as made:
        bursts: dict[str, list[float]] = {name: [] for name in made}
        for _ in range(rounds):
            for name in random.sample(list(made), len(made)):
                bursts[name].append(burst(made[name]))
    print(f"\n{'':26}{'ns a push':>12}{'of direct':>12}{'':4}{'quarter to quarter [ns]'}")
    slow = []
    for name, spans in bursts.items():
        low, median, high = statistics.quantiles(spans, n=4)
        ratio = statistics.median(map(truediv, spans, bursts["direct"]))
        slow += [name] if ratio > ALLOWED else []
        print(f"{name:26}{median:12,.0f}{ratio:12.2f}{'':4}{low:,.0f} to {high:,.0f}")
    print(
        "\nexpected: within 20 % of direct;", "reached" if not slow else f"not reached by {', '.join(slow)}"
    )
    raise SystemExit(bool(slow))


if __name__ == "__main__":
    main()

"""How long does a call of `add_scalar` take, flat out and paced?

`burst mean` is the time of a tight loop of calls divided by their number; the percentiles are those of
single calls, each timed with `perf_counter_ns`, the cost of the clock itself taken off.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import peers, runner

_BURST = 200_000
_PACED_STEPS = 4_000
_STEP_SECONDS = 1e-3
_SCALARS_PER_STEP = 20
_TAGS = [f"train/metric_{number}" for number in range(_SCALARS_PER_STEP)]

_UNITS = {"burst mean": "ns", "p50": "ns", "p90": "ns", "p99": "ns", "p99.9": "ns", "max": "µs"}


def _percentiles(nanoseconds: list[int], prefix: str) -> runner.Figures:
    nanoseconds.sort()
    count = len(nanoseconds)
    share = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
    figures = {prefix + name: float(nanoseconds[int(part * count)]) for name, part in share.items()}
    figures[prefix + "max"] = nanoseconds[-1] / 1000
    return figures


def _clock_cost() -> int:
    clock = time.perf_counter_ns
    return int(statistics.median(-clock() + clock() for _ in range(10_000)))


def _burst_mean(writer: Any) -> float:
    add = writer.add_scalar
    start = time.perf_counter_ns()
    for step in range(_BURST):
        add("train/loss", 0.5, step)
    return (time.perf_counter_ns() - start) / _BURST


def _timed_calls(add: Callable[[str, float, int], None], step: int, tags: Sequence[str]) -> list[int]:
    clock = time.perf_counter_ns
    took = []
    for tag in tags:
        start = clock()
        add(tag, 0.5, step)
        took.append(clock() - start)
    return took


def measure_here(peer: str, log_dir: str) -> runner.Figures:
    """All figures of one peer, measured in this process."""
    writer = peers.make(peer, log_dir)
    cost = _clock_cost()
    for step in range(2_000):
        writer.add_scalar("warm/up", 0.5, step)
    writer.flush()
    figures = {"burst mean": _burst_mean(writer)}
    writer.flush()
    flat_out = _timed_calls(writer.add_scalar, 1, ["train/loss"] * 50_000)
    figures |= _percentiles([max(0, took - cost) for took in flat_out], "")
    writer.flush()
    paced: list[int] = []
    due = time.perf_counter()
    for step in range(_PACED_STEPS):
        paced += _timed_calls(writer.add_scalar, step, _TAGS)
        due += _STEP_SECONDS
        time.sleep(max(0.0, due - time.perf_counter()))
    figures |= _percentiles([max(0, took - cost) for took in paced], "paced ")
    writer.close()
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures one peer (`--peer`) and prints JSON, or all of them and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each writer (default 5)")
    parser.add_argument("--peer", choices=peers.PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--log-dir", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        print(json.dumps(measure_here(options.peer, options.log_dir)))
        return
    rows = runner.measure(__name__, peers.installed(), options.rounds, [])
    print(runner.machine())
    print(runner.table("\nflat out; in brackets: as a share of torch's", rows, _UNITS, "torch"))
    paced = {f"paced {name}": unit for name, unit in _UNITS.items() if name != "burst mean"}
    print(runner.table(f"\n1,000 steps a second x {_SCALARS_PER_STEP} scalars", rows, paced, "torch"))


if __name__ == "__main__":
    main()

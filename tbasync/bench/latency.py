"""How long does a call of `add_scalar` take, flat out and paced?

`burst mean` is the time of a tight loop of calls divided by their number; the percentiles are those of
single calls, each timed with `perf_counter_ns`, the cost of the clock itself taken off.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from . import peers, proof, work
from .unit import Amount, Figures, Unit

_STEP_SECONDS = 1e-3
_TAGS = work.tags(20)
_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
# Where the latency's distribution is sampled for plots: evenly in the logarithm of what is left above.
CURVE = [0.01, 0.1, 0.25, *(1 - 10 ** (-tenth / 5) for tenth in range(1, 21))]


def curve_name(share: float) -> str:
    """The name of a point of the distribution of paced calls; no table shows it."""
    return f"paced at {share:.6f}"


def _percentiles(nanoseconds: list[int], prefix: str) -> Figures:
    nanoseconds.sort()
    count = len(nanoseconds)
    figures = {prefix + name: float(nanoseconds[int(share * count)]) for name, share in _PERCENTILES.items()}
    figures[prefix + "max"] = nanoseconds[-1] / 1000
    return figures


def _clock_cost() -> int:
    clock = time.perf_counter_ns
    return int(statistics.median(-clock() + clock() for _ in range(10_000)))


def _timed_calls(add: Callable[[str, float, int], None], step: int, tags: Sequence[str]) -> list[int]:
    clock = time.perf_counter_ns
    took = []
    for tag in tags:
        start = clock()
        add(tag, 0.5, step)
        took.append(clock() - start)
    return took


def _flat_out(add: Callable[[str, float, int], None], calls: int, limit: float) -> list[int]:
    took: list[int] = []
    end = time.perf_counter() + limit
    while len(took) < calls and time.perf_counter() < end:
        took += _timed_calls(add, len(took), ["train/loss"] * work.CHUNK)
    return took


def _paced(add: Callable[[str, float, int], None], seconds: float) -> list[int]:
    took: list[int] = []
    due = time.perf_counter()
    for step in range(int(seconds / _STEP_SECONDS)):
        took += _timed_calls(add, step, _TAGS)
        due += _STEP_SECONDS
        time.sleep(max(0.0, due - time.perf_counter()))
    return took


def measure(peer: str, log_dir: str, burst: int, singles: int, limit: float, paced: float) -> Figures:
    """All figures of one peer, measured in this process."""
    writer = peers.make(peer, log_dir)
    cost = _clock_cost()
    logged = work.log_scalars(writer, ["warm/up"], 2_000, limit)
    writer.flush()
    start = time.perf_counter_ns()
    count = work.log_scalars(writer, ["train/loss"], burst, limit)
    figures = {"burst mean": (time.perf_counter_ns() - start) / count}
    writer.flush()
    flat_out = _flat_out(writer.add_scalar, singles, limit)
    writer.flush()
    calls = _paced(writer.add_scalar, paced)
    logged += count + len(flat_out) + len(calls)
    writer.flush()
    writer.close()
    proof.check(peer, log_dir, logged)
    figures |= _percentiles([max(0, took - cost) for took in flat_out], "")
    calls = [max(0, took - cost) for took in calls]
    figures |= _percentiles(calls, "paced ")
    return figures | {curve_name(share): float(calls[int(share * len(calls))]) for share in CURVE}


_SHOWN = {"burst mean": "ns", **dict.fromkeys(_PERCENTILES, "ns"), "max": "µs"}
UNIT = Unit(
    "latency",
    "How long does a call of add_scalar take, flat out and paced (1,000 steps a second x 20)?",
    measure,
    _SHOWN | {f"paced {name}": unit for name, unit in _SHOWN.items() if name != "burst mean"},
    {
        "burst": Amount(200_000, 200_000, 5_000, "calls in the burst"),
        "singles": Amount(50_000, 50_000, 2_000, "calls timed one by one, flat out"),
        "limit": Amount(60.0, 0.3, 0.1, "seconds after which a burst ends early"),
        "paced": Amount(4.0, 0.5, 0.1, "seconds of paced calls"),
    },
    of_calls=True,
)

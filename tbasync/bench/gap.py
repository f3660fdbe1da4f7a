"""How long is a busy loop held up while a writer works on what it was given?

A loop that does nothing but look at the clock and push now and then, for some seconds: every time that passes
between two looks, beyond the push itself, was taken by the writer's threads, or by the machine's other users;
the same loop without any logging, in the same process just before and after, says how much that was. Reported
are the worst gap, the 99.9th percentile of the gaps weighted by their length (one instant in a thousand lies
in a gap at least as long), and the share of iterations that the loop lost against no logging at all.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from . import peers
from .unit import Amount, Figures, Unit

Load = Callable[[Any, int], None]


def _nothing() -> tuple[float, Load]:
    return 1e-3, lambda writer, step: None


def _scalars() -> tuple[float, Load]:
    def push(writer: Any, step: int) -> None:
        for tag in range(10):
            writer.add_scalar(f"train/metric_{tag}", 0.5, step)

    return 1e-3, push


def _histogram() -> tuple[float, Load]:
    values = np.random.default_rng(0).standard_normal(10_000_000).astype(np.float32)
    return 1.0, lambda writer, step: writer.add_histogram("weights", values, step)


def _image() -> tuple[float, Load]:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 512, 512), np.uint8)
    return 0.1, lambda writer, step: writer.add_image("sample", pixels, step)


def _figure() -> tuple[float, Load]:
    from matplotlib.figure import Figure

    def push(writer: Any, step: int) -> None:
        figure = Figure()
        figure.subplots().plot(np.sin(np.linspace(0, 9, 500)))
        writer.add_figure("curve", figure, step)

    return 0.5, push


FIGURES = "2 figures/s"
# name -> (seconds between two pushes, what is pushed), and the method that it takes.
LOADS: dict[str, tuple[Callable[[], tuple[float, Load]], str]] = {
    "10,000 scalars/s": (_scalars, "add_scalar"),
    "10M histogram/s": (_histogram, "add_histogram"),
    "10 images/s": (_image, "add_image"),
    FIGURES: (_figure, "add_figure"),
}
SCALARS = "10,000 scalars/s"
_PARTS = {"p99.9": "ms", "worst": "ms", "lost": "%"}


def measure(peer: str, log_dir: str, seconds: float, loads: Sequence[str]) -> Figures:
    """The figures of one peer under these loads, measured in this process."""
    idle = [_figures(*_spin(None, *_nothing(), seconds), seconds)]
    if find_spec("matplotlib") is None:
        loads = [load for load in loads if load != FIGURES]
    figures = Figures()
    for number, load in enumerate(loads):
        prepare, method = LOADS[load]
        writer = peers.make(peer, os.path.join(log_dir, str(number)))
        if hasattr(writer, method):
            every, push = prepare()
            push(writer, 0)
            writer.flush()
            found = _figures(*_spin(writer, every, push, seconds), seconds)
            writer.flush()
            idle.append(_figures(*_spin(None, *_nothing(), seconds), seconds))
            # A machine's speed drifts: what is compared with is what was just before and after.
            beside = (idle[-2]["iterations"] + idle[-1]["iterations"]) / 2
            found["lost"] = 100 * (1 - found["iterations"] / beside)
            figures |= {f"{load} {part}": found[part] for part in _PARTS}
        writer.close()
    return figures | {f"idle {part}": statistics.median(i[part] for i in idle) for part in ("p99.9", "worst")}


def _figures(gaps: np.ndarray[Any, Any], iterations: int, seconds: float) -> Figures:
    if not len(gaps):
        return {"p99.9": 0.0, "worst": 0.0, "iterations": iterations}
    longest = np.sort(gaps)[::-1]
    beyond = int(np.searchsorted(np.cumsum(longest), seconds * 1e9 * 1e-3))
    p999 = longest[min(beyond, len(longest) - 1)]
    return {"p99.9": p999 / 1e6, "worst": longest[0] / 1e6, "iterations": iterations}


def _spin(writer: Any, every: float, push: Load, seconds: float) -> tuple[np.ndarray[Any, Any], int]:
    """Gaps of more than 5 µs in nanoseconds, and how often the loop came round."""
    clock = time.perf_counter_ns
    gaps = []
    iterations = step = 0
    now = clock()
    end, due = now + int(seconds * 1e9), now
    while now < end:
        before, now = now, clock()
        if now - before > 5_000:
            gaps.append(now - before)
        iterations += 1
        if now >= due:
            due += int(every * 1e9)
            step += 1
            push(writer, step)
            now = clock()
    return np.array(gaps, np.int64), iterations


UNIT = Unit(
    "gap",
    "How long is a busy loop held up while a writer works, and what share of its iterations does it lose?",
    measure,
    {"idle p99.9": "ms", "idle worst": "ms"}
    | {f"{load} {part}": unit for load in LOADS for part, unit in _PARTS.items()},
    {
        "seconds": Amount(5.0, 0.8, 0.1, "length of each measurement"),
        "loads": Amount(list(LOADS), [SCALARS], [SCALARS], "what is pushed"),
    },
)

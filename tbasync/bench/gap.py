"""How long is a busy loop held up while a writer works on what it was given?

A loop that does nothing but look at the clock and push now and then, for some seconds: every time that passes
between two looks, beyond the push itself, was taken by the writer's threads. Reported are the worst gap, the
99.9th percentile of the gaps weighted by their length (one instant in a thousand lies in a gap at least as
long), and the share of iterations that the loop lost against no logging at all.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import peers, runner

_UNITS = {"p99.9 gap": "ms", "worst gap": "ms", "iterations lost": "%", "push share": "%"}

Load = Callable[[Any, int], None]


def _scalars() -> tuple[float, Load]:
    def push(writer: Any, step: int) -> None:
        for tag in range(10):
            writer.add_scalar(f"train/metric_{tag}", 0.5, step)

    return 1e-3, push


def _histogram() -> tuple[float, Load]:
    values = np.random.default_rng(0).standard_normal(10_000_000).astype(np.float32)

    def push(writer: Any, step: int) -> None:
        writer.add_histogram("weights", values, step)

    return 1.0, push


def _image() -> tuple[float, Load]:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 512, 512), np.uint8)

    def push(writer: Any, step: int) -> None:
        writer.add_image("sample", pixels, step)

    return 0.1, push


def _figure() -> tuple[float, Load]:
    from matplotlib.figure import Figure

    def push(writer: Any, step: int) -> None:
        figure = Figure()
        figure.subplots().plot(np.sin(np.linspace(0, 9, 500)))
        writer.add_figure("curve", figure, step)

    return 0.5, push


# name -> (seconds between two pushes, what is pushed)
LOADS: dict[str, Callable[[], tuple[float, Load]]] = {
    "10,000 scalars a second": _scalars,
    "a histogram of 10 million a second": _histogram,
    "10 images of 512x512 a second": _image,
    "2 figures a second": _figure,
}


@contextmanager
def _writer(peer: str, log_dir: str) -> Iterator[Any]:
    writer = None if peer == "no logging" else peers.make(peer, log_dir)
    yield writer
    if writer is not None:
        writer.close()


def measure_here(peer: str, log_dir: str, load: str, seconds: float) -> runner.Figures:
    """The figures of one peer under one load, measured in this process."""
    every, push = LOADS[load]()
    with _writer(peer, log_dir) as writer:
        if writer is not None:
            push(writer, 0)
            writer.flush()
        gaps, iterations, pushing = _spin(writer, every, push, seconds)
    gaps.sort()
    by_length = np.cumsum(gaps[::-1])
    beyond = int(np.searchsorted(by_length, seconds * 1e9 * 1e-3))
    return {
        "p99.9 gap": gaps[::-1][min(beyond, len(gaps) - 1)] / 1e6 if len(gaps) else 0.0,
        "worst gap": gaps[-1] / 1e6 if len(gaps) else 0.0,
        "iterations": iterations,
        "push share": pushing / (seconds * 1e9) * 100,
    }


def _spin(writer: Any, every: float, push: Load, seconds: float) -> tuple[np.ndarray[Any, Any], int, int]:
    """Gaps of more than 5 µs in nanoseconds, how often the loop came round, nanoseconds spent in pushes."""
    clock = time.perf_counter_ns
    gaps = []
    iterations = pushing = step = 0
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
            if writer is not None:
                start = clock()
                push(writer, step)
                now = clock()
                pushing += now - start
    return np.array(gaps, np.int64), iterations, pushing


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures one peer (`--peer`) and prints JSON, or all of them and prints a table for each load."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each writer (default 3)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement (default 5)")
    parser.add_argument("--load", choices=LOADS, help="only this load")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--log-dir", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        figures = measure_here(options.peer, options.log_dir, options.load, options.seconds)
        print(json.dumps(figures))
        return
    print(runner.machine())
    names = ["no logging", *(name for name in peers.installed() if name not in ("empty", "floor"))]
    for load in [options.load] if options.load else LOADS:
        arguments = ["--load", load, "--seconds", str(options.seconds)]
        rows = runner.measure(__name__, names, options.rounds, arguments)
        idle = rows["no logging"]["iterations"]
        for figures in rows.values():
            figures["iterations lost"] = 100 * (1 - figures["iterations"] / idle)
        print(runner.table(f"\n{load}", rows, _UNITS, "torch"))


if __name__ == "__main__":
    main()

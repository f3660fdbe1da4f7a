"""What do `add_image` and `add_figure` cost the calling thread, beside a plain copy of the array?

Each call is timed on its own, with a flush before the next one, so that none meets another's work. Beside each
`add_image` a plain copy of the array is timed that stays until the next one: what it costs depends on where its memory
comes from and on what is in the processor's caches, which encoding the image before has filled.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from . import peers, proof
from .unit import Amount, Figures, Unit


def _images() -> Callable[[int], Any]:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 512, 512), np.uint8)
    return lambda step: pixels


def _figures() -> Callable[[int], Any]:
    from matplotlib.figure import Figure

    def figure(step: int) -> Any:
        made = Figure()
        axes = made.subplots()
        axes.plot(np.sin(np.linspace(0, 9, 500) + step), label="sine")
        axes.legend()
        return made

    return figure


# figure -> (number of the call -> what is logged, method)
_KINDS: dict[str, tuple[Callable[[], Callable[[int], Any]], str]] = {
    "add_image 512x512": (_images, "add_image"),
    "add_figure": (_figures, "add_figure"),
}

_COPY = "the copy of an image 512x512"


def _possible(writer: Any, method: str) -> bool:
    return hasattr(writer, method) and (method != "add_figure" or find_spec("matplotlib") is not None)


def measure(peer: str, log_dir: str, calls: int) -> Figures:
    """Medians of one peer in microseconds a call."""
    writer, figures = peers.make(peer, log_dir), {}
    asked = {name: kind for name, kind in _KINDS.items() if _possible(writer, kind[1])}
    for name, (prepare, method) in asked.items():
        add, value, took = getattr(writer, method), prepare(), list[int]()
        copies = list[int]()
        for step in range(calls + 1):
            given = value(step)
            if isinstance(given, np.ndarray):
                start = time.perf_counter_ns()
                kept = given.copy()
                copies.append(time.perf_counter_ns() - start)
            start = time.perf_counter_ns()
            add(name, given, step)
            took.append(time.perf_counter_ns() - start)
            writer.flush()
        figures[name] = statistics.median(took[1:]) / 1e3
        if copies:
            figures[_COPY] = statistics.median(copies[1:]) / 1e3
            del kept
    writer.close()
    proof.check(peer, log_dir, len(asked) * (calls + 1))
    return figures


UNIT = Unit(
    "media",
    "What do add_image and add_figure cost the caller, beside torch's and beside a copy of the array?",
    measure,
    dict.fromkeys((*_KINDS, _COPY), "µs"),
    {"calls": Amount(30, 3, 1, "calls of each kind")},
)

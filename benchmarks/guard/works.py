"""What is guarded: pieces of tbasync's work, each beside a floor of the same nature that tbasync has no part in.

A machine that is twice as slow, or busy, slows both down, and what the ratio says of tbasync stays. So the floors
are what the work cannot do without: a tuple, a clock and an append for a push; the upper half of every number
counted for a histogram; zlib on the same pixels for an image.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

import tbasync
from tbasync.bench.peers import Floor
from tbasync.encode.histogram import histogram
from tbasync.encode.image import image

Clock = Callable[[], int]
Span = Callable[[], float]  # does a piece of work; nanoseconds of CPU

_CALLS = 4_000
_EVENTS = 20_000
_TAGS = [f"train/metric_{number}" for number in range(20)]


class Work(NamedTuple):
    """A piece of tbasync's work, its floor, and what the floor does."""

    ours: Span
    floor: Span
    beside: str


def _pushes(writer: Any, clock: Clock, calls: int) -> Span:
    """Calls of add_scalar; with the process's clock up to the end of the flush, with the thread's the calls alone."""
    whole = clock is time.process_time_ns

    def span() -> float:
        add, steps = writer.add_scalar, range(calls // len(_TAGS))
        start = clock()
        for step in steps:
            for tag in _TAGS:
                add(tag, 0.5, step)
        if whole:
            writer.flush()
        took = clock() - start
        writer.flush()
        return took / calls

    return span


def _metrics(writer: Any) -> Span:
    values = dict.fromkeys(_TAGS, 0.5)

    def span() -> float:
        log = writer.log_metrics
        start = time.thread_time_ns()
        for step in range(500):
            log(values, step)
        took = time.thread_time_ns() - start
        writer.flush()
        return took / (500 * len(_TAGS))

    return span


def _repeated(call: Callable[[], object], times: int) -> Span:
    def span() -> float:
        start = time.thread_time_ns()
        for _ in range(times):
            call()
        return (time.thread_time_ns() - start) / times

    return span


@contextmanager
def works(log_dir: str) -> Iterator[dict[str, Work]]:
    """Name -> work; the files of one writer go to `log_dir`."""
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal(10_000).astype(np.float32)
    ramp = np.linspace(0, 255, 256).astype(np.uint8)
    pixels = np.broadcast_to(ramp, (3, 256, 256)) ^ rng.integers(0, 8, (3, 256, 256), np.uint8)
    raw = pixels.tobytes()
    floor, bits = Floor(log_dir), numbers.view(np.uint32)
    with tbasync.SummaryWriter(log_dir) as writer:
        yield {
            "push": Work(
                _pushes(writer, time.thread_time_ns, _CALLS),
                _pushes(floor, time.thread_time_ns, _CALLS),
                "tuple, clock, append",
            ),
            "log_metrics, a value": Work(
                _metrics(writer), _metrics(floor), "dict copy, tuple, clock, append"
            ),
            "CPU per event": Work(
                _pushes(writer, time.process_time_ns, _EVENTS),
                _pushes(floor, time.process_time_ns, _EVENTS),
                "tuple, clock, append",
            ),
            "histogram of 10,000": Work(
                _repeated(lambda: histogram("weights", numbers), 20),
                _repeated(lambda: np.bincount(bits >> 16, minlength=65_536), 20),
                "upper halves counted",
            ),
            "image 256x256": Work(
                _repeated(lambda: image("sample", pixels, "CHW"), 2),
                _repeated(lambda: zlib.compress(raw, 1), 2),
                "zlib of the same pixels",
            ),
        }

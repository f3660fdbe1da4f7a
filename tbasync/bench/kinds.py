"""What does a histogram, a PR curve or an image cost the whole process, from the call to the file?

CPU time of all threads, so that it does not matter on which of them a writer encodes: with torch's it is the
caller's, with tbasync's the writer thread's. What is tbasync's beyond its writer thread's own is the caller's
copy, which is told apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from . import peers, proof, work
from .unit import Amount, Figures, Unit

Log = Callable[[Any, int], None]


def _histogram(size: int) -> Log:
    values = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    return lambda writer, step: writer.add_histogram("weights", values, step)


def _pr_curve() -> Log:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 1_000_000), rng.random(1_000_000, np.float32)
    return lambda writer, step: writer.add_pr_curve("classes", labels, scores, step)


def _image(pixels: Any) -> Log:
    return lambda writer, step: writer.add_image("sample", pixels, step)


def _noise() -> Log:
    return _image(np.random.default_rng(0).integers(0, 256, (3, 512, 512), np.uint8))


def _smooth() -> Log:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    return _image(np.stack([np.broadcast_to(ramp, (512, 512))] * 3).copy())


# figure -> (what is logged, the method that it takes, repeats for each that `repeats` asks for)
_KINDS: dict[str, tuple[Callable[[], Log], str, int]] = {
    "histogram of 10,000": (lambda: _histogram(10_000), "add_histogram", 100),
    "histogram of 4 million": (lambda: _histogram(4_000_000), "add_histogram", 2),
    "PR curve of 1 million": (_pr_curve, "add_pr_curve", 4),
    "image 512x512, noise": (_noise, "add_image", 2),
    "image 512x512, smooth": (_smooth, "add_image", 10),
}


ON_THREAD = ", writer thread"


def measure(peer: str, log_dir: str, repeats: int) -> Figures:
    """The figures of one peer in microseconds of CPU; kinds that its package lacks are left out."""
    figures = {}
    for name, (prepare, method, times) in _KINDS.items():
        directory = os.path.join(log_dir, name)
        writer = peers.make(peer, directory)
        if not hasattr(writer, method):
            writer.close()
            continue
        log, calls = prepare(), times * repeats
        log(writer, 0)  # tables and imports are not what is measured
        writer.flush()
        began = work.cpu_seconds()
        thread = writer.stats().worker_cpu_seconds if peer == "tbasync" else 0.0
        for step in range(1, calls + 1):
            log(writer, step)
        writer.flush()
        writer.close()
        figures[name] = (work.cpu_seconds() - began) / calls * 1e6
        if peer == "tbasync":
            figures[name + ON_THREAD] = (writer.stats().worker_cpu_seconds - thread) / calls * 1e6
        proof.check(peer, directory, calls + 1)
    return figures


UNIT = Unit(
    "kinds",
    "What CPU time does a histogram, a PR curve or an image cost the whole process?",
    measure,
    {name + part: "µs" for name in _KINDS for part in ("", ON_THREAD)},
    {"repeats": Amount(5, 1, 1, "how often, times a number for each kind")},
)

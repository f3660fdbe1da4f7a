"""A run of the demo: what it logged, and the TensorBoard that shows it.

The demo runs twice as a process of its own: once through the command line with a real writer, once with a
writer that only notes what it is given, both at a time. The same seed gives the same values, to the last bit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.record_demo import Call
from tests.support.tensorboard_server import TensorBoard

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Shown:
    """What was logged by whom, what the command printed, and the TensorBoard that shows it."""

    writer: str  # as --writer has it
    calls: list[Call]
    output: str
    log_dir: Path
    board: TensorBoard

    def logged(self, method: str) -> dict[str, list[Call]]:
        """Tag, or whatever comes first, -> the calls of `method` with it, in order."""
        by_tag: dict[str, list[Call]] = {}
        for call in self.calls:
            if call.method == method:
                by_tag.setdefault(call.arguments[0], []).append(call)
        return by_tag

    def only(self, method: str) -> Call:
        """The one call of `method`."""
        (call,) = (call for call in self.calls if call.method == method)
        return call


def python(module: str, *arguments: object, deprecated: bool = False) -> str:
    """What `python -m module` prints; it must end well and say nothing on stderr.

    A warning is an error; one of deprecation is none with `deprecated`, as torch's own writer calls what torch
    deprecates. It has one thread for its numbers, for two such processes run at a time.
    """
    warnings = ["-W", "error", *(["-W", "ignore::DeprecationWarning"] if deprecated else [])]
    command = [sys.executable, *warnings, "-m", module, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def single(value: float) -> float:
    """`value` with the 24 bits of a float32: what an event file keeps of a scalar."""
    return float(np.float32(value))


def final_metrics(shown: Shown) -> dict[str, Any]:
    """The metrics of the one trial that the demo logs."""
    metrics: dict[str, Any] = shown.only("add_hparams").given("metric_dict")
    return metrics

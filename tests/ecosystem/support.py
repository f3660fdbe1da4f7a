"""Runs the trainings in processes of their own, each once, and reads what they left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.wrap import runs

ROOT = Path(__file__).resolve().parents[2]

# Nothing may reach for the network, and idle threads of BLAS need not spin.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "TERM": "dumb",
    "COLUMNS": "120",
}


def needs(*packages: str) -> None:
    """Skips the test unless all the packages are installed; imports none of them.

    With NO_SKIPS in the environment, as in CI where they must be there, it fails instead.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        give_up = pytest.fail if "NO_SKIPS" in os.environ else pytest.skip
        give_up(f"{', '.join(missing)} is not installed")


def python(*arguments: str, within: Path, seconds: float = 110, **settings: str) -> str:
    """Runs Python with the package importable from the source, if it is there; returns what it prints."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, **ENVIRONMENT, **settings}
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=within,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


class Trained(NamedTuple):
    """What a training has left.

    Attributes:
        log_dir: where its runs are.
        expected: run -> what should be in it.
    """

    log_dir: Path
    expected: dict[str, Any]


def trained(name: str, directory: Path, **settings: str) -> Trained:
    """Runs `tests.ecosystem.trainings.<name>_training` in a directory."""
    python("-m", f"tests.ecosystem.trainings.{name}_training", within=directory, **settings)
    return Trained(directory, json.loads((directory / "expected.json").read_text()))


def series(noted: list[tuple[str, int, float]]) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) as TensorBoard has it of what a training has noted: in float32, a step's last value."""
    found: dict[str, dict[int, float]] = {}
    for tag, step, value in noted:
        found.setdefault(tag, {})[step] = float(np.float32(value))
    return {tag: list(points.items()) for tag, points in found.items()}


def comparable(log_dir: Path, varying: tuple[str, ...] = ()) -> dict[str, list[runs.Logged]]:
    """All runs below a directory by their place, trials' sub-runs by their order instead of their time.

    Values are in order of step and tag; of those whose tag begins with one of `varying` the content is left out.
    """
    found: dict[str, list[runs.Logged]] = {}
    for run, values in sorted(runs.read(log_dir).items()):
        parent, _, name = run.rpartition("/")
        key = f"{parent}/trial" if name.replace(".", "").isdigit() else run
        found[key] = sorted(
            (value._replace(content=None) if value.tag.startswith(varying) else value for value in values),
            key=lambda value: (value.step, value.tag),
        )
    return found

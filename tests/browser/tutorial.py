"""A tutorial's script, run as its page says, and TensorBoard on what it has logged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.tensorboard_server import TensorBoard, tensorboard

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def tutorial(name: str, log_dir: str, folder: Path) -> Iterator[TensorBoard]:
    """Runs docs/tutorials/`name`.py by `tbasync run` in `folder`, and shows `log_dir` below it.

    Under `tbasync run` a script that logs through tbasync is what it is under python.
    """
    for package in ("torch", "sklearn", "matplotlib", "tensorboardX"):
        pytest.importorskip(package, reason="the tutorials train with torch on scikit-learn's digits")
    script = ROOT / "docs" / "tutorials" / f"{name}.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tbasync", "run", str(script)]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    with tensorboard(Path(log_dir), within=folder) as board:
        yield board

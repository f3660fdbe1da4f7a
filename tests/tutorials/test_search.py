"""The tutorial in the style of tf.summary, as TensorBoard tells of it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("tensorboard")

from tests.support.tensorboard_server import tensorboard

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "tutorials" / "search_and_feature_maps.py"


@pytest.mark.long
def test_what_it_logs(tmp_path: Path) -> None:
    """The learning rate and the pictures by epoch, each batch in five, and all eight trials with their values."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), "--epochs", "2", "--log-dir", "logs"]
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=110, check=True)
    with tensorboard(tmp_path / "logs") as board:
        board.wait_for(lambda: len(board.runs()) == 11)
        board.wait_for(lambda: sum("accuracy" in session["metrics"] for session in board.sessions()) == 8)
        board.wait_for(lambda: board.images("training/images", "feature maps"))
        rates = board.scalars("training/metrics", "learning rate")
        assert rates == [(0, np.float32(0.002)), (1, np.float32(0.006))]
        batches = board.scalars("training/metrics", "loss by batch")
        assert [step for step, _ in batches] == [0, 5, 10, 15, 20, 23, 28, 33, 38, 43]
        assert batches[-1][1] < batches[0][1]
        (_, first), (_, second) = board.images("training/images", "feature maps")
        assert first.shape == (108, 432, 1)
        assert not np.array_equal(first, second)
        assert [step for step, _ in board.histograms("training/metrics", "weights of the first layer")] == [
            0,
            1,
        ]
        sessions = board.sessions()
    values = {tuple(sorted(session["hparams"].items())) for session in sessions}
    assert len(values) == 8
    assert all(math.isfinite(session["metrics"]["accuracy"]) for session in sessions)

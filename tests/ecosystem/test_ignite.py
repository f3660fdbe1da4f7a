"""Ignite's TensorboardLogger, untouched under `install()`."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch.utils.tensorboard")

from ..support.tensorboard_server import tensorboard
from .support import comparable, needs, series, trained

pytestmark = [pytest.mark.slow, pytest.mark.ecosystem]


def test_a_training(tmp_path: Path) -> None:
    """Equal, message for message, to what it logs with torch's writer; TensorBoard has the losses by value."""
    needs("ignite")
    log_dir, expected = trained("ignite", tmp_path)
    logged = comparable(log_dir / "installed")
    tags = {value.tag for values in logged.values() for value in values}
    assert tags >= {"training/loss", "lr/group_0", "grads_norm/weight", "weights/weight"}
    assert logged == comparable(log_dir / "plain")
    with tensorboard(log_dir / "installed") as board:
        for tag, points in series(expected["installed"]["scalars"]).items():
            assert board.wait_for(lambda tag=tag: board.scalars(".", tag)) == points  # type: ignore[misc]

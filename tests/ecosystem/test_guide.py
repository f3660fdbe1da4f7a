"""Every example of docs/integrations.md runs as it stands and leaves a run that TensorBoard shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from ..support.tensorboard_server import tensorboard
from .support import ROOT, needs, python

pytestmark = [pytest.mark.slow, pytest.mark.ecosystem]

TEXT = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)

# By what they import first beside torch: where the run is below `runs`, and how many points each series has.
SHOWN = {
    "lightning": ("line/version_0", {"loss": 8}),
    "transformers": ("line", {"train/loss": 4}),
    "accelerate": ("line", {"loss": 4}),
    "keras": ("line/train", {"epoch_loss": 2, "batch_loss": 4}),
    "ignite": ("line", {"training/loss": 6}),
    "torch": ("line", {"loss": 4}),
    "tbasync": ("line", {"loss": 1000, "tbasync/dropped": 1}),
}


def imported(block: str) -> list[str]:
    """The top-level packages that a block imports, but for the standard library and tbasync itself."""
    names = dict.fromkeys(re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE))
    return [name for name in names if name not in {*sys.stdlib_module_names, "tbasync"}]


def kind(block: str) -> str:
    """Which of `SHOWN` a block is."""
    found = [name for name in SHOWN if name in imported(block)]
    return found[0] if found else "tbasync"


def test_every_block_is_tried() -> None:
    """One block for each framework, and there is no other."""
    assert sorted(map(kind, BLOCKS)) == sorted(SHOWN)


@pytest.mark.parametrize("block", [pytest.param(block, id=kind(block)) for block in BLOCKS])
def test_an_example(block: str, tmp_path: Path) -> None:
    """It ends well; the series that it names are in TensorBoard, with finite values at every step."""
    needs(*imported(block))
    (tmp_path / "example.py").write_text(block, encoding="utf-8")
    python("-W", "ignore", "example.py", within=tmp_path, JAX_PLATFORMS="cpu")
    run, series = SHOWN[kind(block)]
    with tensorboard(tmp_path / "runs") as board:
        for tag, count in series.items():
            points = board.wait_for(lambda tag=tag: board.scalars(run, tag))  # type: ignore[misc]
            assert len(points) == count
            assert np.isfinite([value for _, value in points]).all()

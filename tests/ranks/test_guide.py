"""Every example of docs/ranks.md runs as it stands in a job of two ranks, and leaves what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch")

import tbasync

from ..support.ahead import ahead

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "ranks.md").read_text("utf-8"), re.DOTALL)

# The run that a block names -> its series, and how many points each has; all written by one rank.
LEFT = {
    "runs/exp1": {"loss": 1},
    "runs/exp2": {"loss": 10},
    "runs/ddp": {"loss": 100, "loss/max": 100, "lr": 100},
    "runs/fsdp": {"loss": 100, "grad_norm": 100},
    "runs/lightning": {"loss": 8},
}


def run_of(block: str) -> str:
    """Where it logs to."""
    (run,) = re.findall(r'SummaryWriter\("([^"]+)"', block)
    return str(run)


def test_every_block_is_tried() -> None:
    """One for each run, and there is no other."""
    assert [run_of(block) for block in BLOCKS] == list(LEFT)


def job_of_two(block: str, directory: Path) -> Path:
    """Has torchrun start it twice on the CPU; the directory that it logged to."""
    if "import lightning" in block and find_spec("lightning") is None:
        pytest.skip("lightning is not installed")
    (directory / "train.py").write_text(block, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "train.py"]
    package = str(Path(tbasync.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    settings = {
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout
    return directory / run_of(block)


jobs = ahead("block", job_of_two)


@pytest.mark.long
@pytest.mark.parametrize("block", [pytest.param(block, id=run_of(block)) for block in BLOCKS])
def test_in_a_job_of_two(block: str, jobs: Callable[[str], Path]) -> None:
    """A single event file holds every point."""
    run = jobs(block)
    assert len(list(run.rglob("*tfevents*"))) == 1
    series = tbasync.read(run)
    assert {tag: len(found.steps) for tag, found in series.items()} == LEFT[run_of(block)]

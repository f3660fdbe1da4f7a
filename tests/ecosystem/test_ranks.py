"""Jobs of two ranks: the first one's logger writes, the other's does nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import tbasync

from .support import needs, python

pytestmark = [pytest.mark.slow, pytest.mark.ecosystem]


def points(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) of the scalars of a run, all of its files together."""
    read = tbasync.read(run)
    return {
        tag: list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
        for tag, series in read.items()
        if isinstance(series.values, np.ndarray)
    }


def test_lightning_spawns_its_ranks(tmp_path: Path) -> None:
    """The pickled logger writes to a file of its own, on rank zero alone, and metrics are those of all ranks."""
    needs("lightning")
    python("-m", "tests.ecosystem.trainings.lightning_spawned", within=tmp_path)
    (run,) = (tmp_path / "runs").glob("*/*")
    files = list(run.glob("*tfevents*"))
    assert len(files) == 2, "one of the parent, one of rank zero"
    found = points(run)
    assert found["mean"] == [(0, 2.0), (1, 2.0)]
    assert found["rank"] == [(0, 0.0), (1, 0.0)]
    texts = tbasync.read(run)["from/text_summary"]
    assert sorted(texts.steps.tolist()) == [0, 1, 100]


def test_accelerate_under_torchrun(tmp_path: Path) -> None:
    """One file, with the main process's values."""
    needs("accelerate")
    job = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0"]
    job += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    python(*job, "-m", "tests.ecosystem.trainings.accelerate_ranks", within=tmp_path)
    found = points(tmp_path / "runs" / "job")
    assert found == {"value": [(step, float(step)) for step in range(10)], "direct": [(0, 0.0)]}
    assert len(list((tmp_path / "runs" / "job").glob("*tfevents*"))) == 1

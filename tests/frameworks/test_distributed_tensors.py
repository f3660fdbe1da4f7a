"""DTensors: the local shard is logged or a clear error raised, and no collective is ever issued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync

from ..support.plain_reader import scalars, summaries

torch: Any = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("needs torch.distributed", allow_module_level=True)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Any]:
    """Two ranks, of which this process is the first and nobody the second: a collective would hang."""
    from torch.testing._internal.distributed.fake_pg import FakeStore

    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    try:
        yield torch.distributed.init_device_mesh("cpu", (2,))
    finally:
        torch.distributed.destroy_process_group()


def test_a_shard_is_logged(mesh: Any, tmp_path: Path) -> None:
    """A histogram of a sharded parameter is that of this rank's part, of a replicated one that of all."""
    from torch.distributed.tensor import DTensor, Replicate, Shard

    part, full = torch.arange(6.0), torch.arange(4.0)
    sharded, replicated = (
        DTensor.from_local(local, mesh, [placement], run_check=False)
        for local, placement in ((part, Shard(0)), (full, Replicate()))
    )
    assert sharded.shape == (12,)
    with tbasync.SummaryWriter(tmp_path / "run") as writer:
        writer.add_histogram("sharded", sharded, 1)
        writer.add_histogram("replicated", torch.nn.Parameter(replicated), 1)
        writer.add_scalar("loss", DTensor.from_local(torch.tensor(2.5), mesh, [Replicate()]), 1)
    found = summaries(tmp_path / "run")
    assert [found[tag][0][1].histo.num for tag in ("sharded", "replicated")] == [6, 4]
    assert scalars(tmp_path / "run")["loss"][0].value == 2.5


def test_partial_values_are_refused(mesh: Any, tmp_path: Path) -> None:
    """Their sum would take a collective: the error names the way out, and nothing else is disturbed."""
    from torch.distributed.tensor import DTensor, Partial

    norm = DTensor.from_local(torch.tensor(1.0), mesh, [Partial()])
    with tbasync.SummaryWriter(tmp_path / "run") as writer:
        with pytest.raises(TypeError, match=r"scalar_value .*full_tensor\(\) on every rank"):
            writer.add_scalar("norm", norm, 1)
        with pytest.raises(TypeError, match=r"'norm'.*full_tensor\(\)"):
            writer.log_metrics({"loss": 1.0, "norm": norm}, 1)
        writer.add_scalar("loss", 1.0, 1)
    assert set(scalars(tmp_path / "run")) == {"loss"}


def test_a_shard_is_frozen(mesh: Any, tmp_path: Path) -> None:
    """What an optimiser does to the shard after the call is not logged."""
    from torch.distributed.tensor import DTensor, Shard

    part = torch.full((1000,), 3.0)
    sharded = DTensor.from_local(part, mesh, [Shard(0)])
    with tbasync.SummaryWriter(tmp_path / "run") as writer:
        writer.add_histogram("h", sharded, 1)
        part.zero_()
    histogram = summaries(tmp_path / "run")["h"][0][1].histo
    np.testing.assert_array_equal([histogram.min, histogram.max, histogram.sum], [3, 3, 3000])

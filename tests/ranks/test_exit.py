"""Ranks that end without closing their writers: what they logged is reduced and written all the same."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.plain_reader import scalars

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys, torch.distributed as dist, tbasync
dist.init_process_group("gloo")
writer = tbasync.SummaryWriter(sys.argv[1], ranks=0, reduce="mean")
for step in range(1000): writer.add_scalar("loss", step + dist.get_rank(), step)
dist.barrier()
"""


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.long
def test_a_normal_end_drains_all_ranks(tmp_path: Path) -> None:
    """Two ranks, 1,000 scalars each and no close(): 1,000 means."""
    pytest.importorskip("torch.distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    job = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    ranks = [subprocess.Popen(command, cwd=ROOT, env={**job, "RANK": str(rank)}) for rank in range(2)]
    assert [rank.wait(100) for rank in ranks] == [0, 0]
    assert scalars(tmp_path) == {"loss": [(step, step + 0.5) for step in range(1000)]}

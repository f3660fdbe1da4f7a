"""Memory stays flat, however much is logged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import resource, sys, tbasync
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
writer = tbasync.SummaryWriter(sys.argv[1])
for step in range(20_000): writer.add_scalar("loss", 0.5, step)
writer.flush()
before = peak()
for step in range(int(sys.argv[2])): writer.add_scalar("loss", step / 3, step)
writer.close()
stats = writer.stats()
print(peak() - before, stats.written, stats.pushed, stats.dropped + stats.failed + stats.waiting)
"""


@pytest.mark.slow
def test_two_million_scalars(tmp_path: Path) -> None:
    """With default settings the peak grows by less than 100 MiB, and none is lost."""
    pytest.importorskip("resource")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), "2000000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    growth, written, pushed, other = map(int, done.stdout.split())
    assert written == pushed == 2_020_000
    assert other == 0
    assert growth < 100, f"the peak grew by {growth} MiB"

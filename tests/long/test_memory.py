"""Two million scalars with default settings: memory stays where it was, and all of them are in the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tbasync

COUNT = 2_000_000
SCRIPT = """
import sys
import tbasync

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))

writer = tbasync.SummaryWriter(sys.argv[1])
for step in range(2_000):
    writer.add_scalar("warm up", 0.5, step)
writer.flush()
before = peak()
for step in range(int(sys.argv[2])):
    writer.add_scalar("loss", 0.5, step)
writer.close()
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is told by Linux")
def test_two_million_scalars(tmp_path: Path) -> None:
    """Pushed flat out: the peak of resident memory rises by less than 100 MiB, and none is lost."""
    # A push may have to wait for room here, which is said once.
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path), str(COUNT)]
    risen = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    assert int(risen) < 100
    assert np.array_equal(tbasync.read(tmp_path)["loss"].steps, np.arange(COUNT))

"""What the README shows works as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import tbasync

ROOT = Path(__file__).resolve().parent.parent


def test_the_start_runs(tmp_path: Path) -> None:
    """Every Python block of the README runs by itself and leaves an event file in the folder it names."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    environment = {**os.environ, "PYTHONPATH": str(Path(tbasync.__file__).parent.parent)}
    assert blocks
    for block in blocks:
        command = [sys.executable, "-W", "error", "-c", block]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)
    assert list(tmp_path.glob("runs/first/events.out.tfevents.*"))

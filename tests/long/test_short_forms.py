"""The long tests in a few seconds: that they run, and that what they look for is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks into /proc"),
]


@pytest.mark.parametrize(
    "command", [["kills", "--kills", "6", "--longest", "0.7"], ["soak", "--minutes", "0.03"]], ids=" ".join
)
def test_short_form(command: list[str]) -> None:
    """Exit status 0: nothing wrong; what was found is printed."""
    name, *options = command
    run = [sys.executable, "-m", f"tests.long.{name}", *options]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "with anything wrong" in done.stdout or "0 things wrong" in done.stdout

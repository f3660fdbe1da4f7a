"""The long tests in a few seconds: that they run, and that what they look for is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.ahead import ahead

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks into /proc"),
]


def run(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The program to its end."""
    name, *options = command.split()
    words = [sys.executable, "-m", f"tests.long.{name}", *options]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110)


runs = ahead("command", run)


@pytest.mark.parametrize("command", ["kills --kills 6 --longest 0.7", "soak --minutes 0.03"])
def test_short_form(command: str, runs: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    """Exit status 0: nothing wrong; what was found is printed."""
    done = runs(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "with anything wrong" in done.stdout or "0 things wrong" in done.stdout

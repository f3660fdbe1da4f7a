"""What `import tbasync` costs: its four dependencies and the standard library, and no framework."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

DEPENDENCIES = {"numpy", "PIL", "google", "crc32c"}


def imported_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter imports for `statement`, by -X importtime.

    That also reports what was tried in vain, such as Jython's `org` by pickle, which is left out.
    """
    command = [sys.executable, "-X", "importtime", "-c", statement]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stderr
    lines = (line for line in report.splitlines() if line.startswith("import time:"))
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    return {name for name in names if name in sys.builtin_module_names or find_spec(name)}


def test_import_brings_in_the_dependencies_and_nothing_else() -> None:
    """No torch, JAX, TensorFlow, matplotlib or TensorBoard: only the four and the standard library."""
    beyond = imported_by("import tbasync") - imported_by("pass") - set(sys.stdlib_module_names) - {"tbasync"}
    assert beyond <= DEPENDENCIES


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_command_line_answers_without_the_demos_packages(option: str) -> None:
    """`tbasync --help` imports no network, no data and no rich."""
    statement = f"import sys; sys.argv = ['tbasync', '{option}']; from tbasync.cli import main; main()"
    assert not imported_by(statement) & {"torch", "sklearn", "scipy", "matplotlib", "rich", "tensorboard"}

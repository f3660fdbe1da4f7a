"""What `import tbasync` costs: its four dependencies and the standard library, and no framework; and its layers."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
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


# As docs/design.md has it, from the last to be imported to the first. Those of one row do not import each other.
LAYERS = (
    ("hparams", "wrap"),
    ("summary", "compat", "global_writer"),
    ("writer",),
    ("methods",),
    ("ranks",),
    ("file_writer",),
    ("pipeline",),
    ("encode", "files"),
    ("wire",),
    ("integrations.torch_compile", "integrations.wandb"),
    ("proto", "errors", "rests"),
)


def imports_at_import(path: Path) -> Iterator[str]:
    """The modules or packages of tbasync that a file of it imports when it is imported itself."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            place = [part for part in base if part][1:]
            yield from (".".join([*place, alias.name]) for alias in node.names)


def test_imports_run_one_way() -> None:
    """Each layer imports only those further along, as the design says."""
    depth = {name: row for row, names in enumerate(LAYERS) for name in names}

    def layer(module: str) -> str | None:
        parts = module.split(".")
        return next((name for name in (".".join(parts[:2]), parts[0]) if name in depth), None)

    wrong = []
    for path in (ROOT / "tbasync").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT / "tbasync").with_suffix("").parts)
        own = layer(module)
        for imported in imports_at_import(path) if own else ():
            other = layer(imported)
            if other is None or (other != own and depth[other] <= depth[own]):
                wrong.append((module, imported))
    assert wrong == []

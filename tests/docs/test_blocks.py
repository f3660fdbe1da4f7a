"""What the pages show works as it stands: every Python block is run, here or by a test that is named here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

import tbasync
from tests.support import plain_reader
from tests.support.ahead import ahead

from .pages import PAGES, ROOT, blocks

RUN = (
    "barriers-and-gil.md",
    "cuda.md",
    "existing-scripts.md",
    "hot-loops.md",
    "migrating.md",
    "preemption.md",
    "start.md",
    "tutorials/bad_cases.md",
    "tutorials/graph_and_embedding.md",
    "tutorials/misclassified_digits.md",
    "tutorials/pr_curves.md",
)
ELSEWHERE = {
    "integrations.md": "tests/ecosystem/test_guide.py",
    "ranks.md": "tests/ranks/test_guide.py",
    "remote.md": "tests/remote/test_guide.py",
    "restarts.md": "tests/remote/test_guide.py",
    "tf-style.md": "tests/summary/test_docs.py",
    "tutorials/search_and_feature_maps.md": "tests/summary/test_docs.py",
}


def test_every_block_is_tried() -> None:
    """A page with Python blocks is run here, or by a test that names it."""
    assert sorted([*RUN, *ELSEWHERE]) == [page for page in PAGES if blocks(page)]
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / test).read_text(encoding="utf-8")


def run_blocks(page: str, directory: Path) -> Path:
    """Runs them one after the other in a directory, which is returned, each in a process of its own."""
    tried = 0
    environment = {**os.environ, "PYTHONPATH": str(Path(tbasync.__file__).parent.parent)}
    for block in blocks(page):
        if "torch" in re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE) and not find_spec("torch"):
            continue
        command = [sys.executable, "-W", "error:::__main__", "-W", "error::UserWarning", "-c", block]
        subprocess.run(command, cwd=directory, env=environment, check=True, timeout=60)
        tried += 1
    if not tried:
        pytest.skip("every block of the page needs torch")
    return directory


pages = ahead("page", run_blocks)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_blocks_run(page: str, pages: Callable[[str], Path]) -> None:
    """None fails or leads to a warning of tbasync's, and what they log is there."""
    for directory in {path.parent for path in pages(page).rglob("*tfevents*")}:
        assert len(plain_reader.events(directory)) > 1

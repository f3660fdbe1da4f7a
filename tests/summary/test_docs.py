"""What the pages on the style of tf.summary show works as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tbasync
from tests.support import plain_reader

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("tf-style.md", "tutorials/search_and_feature_maps.md")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_blocks_run(page: str, tmp_path: Path) -> None:
    """Every Python block runs by itself, without a warning, and leaves files that are whole."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    environment = {**os.environ, "PYTHONPATH": str(Path(tbasync.__file__).parent.parent)}
    assert len(blocks) == 3
    for block in blocks:
        command = [sys.executable, "-W", "error", "-c", block]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=60)
    for directory in {path.parent for path in tmp_path.rglob("*tfevents*")}:
        assert len(plain_reader.events(directory)) > 1

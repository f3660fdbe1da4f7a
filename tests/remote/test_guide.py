"""What the guides show works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tbasync import read

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def blocks(name: str) -> list[str]:
    """The Python blocks of a guide."""
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


def test_the_guide_to_remote_stores() -> None:
    """Its block fills a run, in a store that is at hand."""
    (block,) = blocks("remote.md")
    exec(block.replace("s3://", "memory://"), {})
    assert len(read("memory://bucket/runs/exp1")["loss"]) == 1000


def test_the_guide_to_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its blocks hide is hidden."""
    monkeypatch.chdir(tmp_path)
    purge, reset = blocks("restarts.md")
    exec(purge, {})
    assert read("runs/first")["loss"].values.tolist() == [1.0] * 60 + [0.5] * 40
    exec(reset, {})
    run = read("runs/first")
    assert run["epoch/loss"].values[0] == pytest.approx(1 / 3)
    assert len(run["epoch/loss"]) == 100
    assert len(run["loss"]) == 100

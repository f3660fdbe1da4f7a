"""The tutorials, with their own import lines: under `tbasync run` they log what they log under python.

But for those that import tbasync itself, which are tried in files of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch.utils.tensorboard")
pytest.importorskip("tensorboardX")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from tests.wrap import runs

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"

# What each of them shows, by the beginning of the tags; so that an empty run is not mistaken for an equal one.
SHOWN = {
    "bad_cases": {"train/", "valid/", "epoch/", "graph_def"},
    "graph_and_embedding": {"four digits", "loss on", "graph_def"},
    "misclassified_digits": {"digits", "train/", "test/", "confidence/", "wrong/"},
    "pr_curves": {"digits", "training loss", "accuracy", "graph_def", "0", "9"},
}


# Tried in tests/tutorials/test_<name>.py.
ELSEWHERE = {"search_and_feature_maps": "search"}


def test_every_tutorial_is_tried() -> None:
    """A script in the folder that defines a `main` is in this test, or in one of its own."""
    scripts = {path.stem for path in TUTORIALS.glob("*.py") if "def main()" in path.read_text()}
    assert scripts == {*SHOWN, *ELSEWHERE}
    assert all(Path(__file__).with_name(f"test_{name}.py").exists() for name in ELSEWHERE.values())


@pytest.mark.long
@pytest.mark.parametrize("name", SHOWN)
def test_same_as_under_python(name: str, tmp_path: Path) -> None:
    """The same runs, tags, steps and values, the same further files, the same output."""
    plain, ours = tmp_path / "python", tmp_path / "tbasync"
    printed = run([], name, plain), run(["-m", "tbasync", "run"], name, ours)
    assert printed[0] == printed[1]
    logged, expected = runs.read(ours), runs.read(plain)
    assert set(logged) == set(expected)
    for place, values in expected.items():
        assert [value[:2] for value in logged[place]] == [value[:2] for value in values]
        assert logged[place] == values
    assert further_files(ours) == further_files(plain)
    tags = {value.tag for values in logged.values() for value in values}
    assert all(any(tag.startswith(start) for tag in tags) for start in SHOWN[name]), tags
    names = {path.name for path in ours.rglob("*tfevents*")}
    assert all(".t" in name.partition(".tfevents")[2] for name in names), "not tbasync's files"


def further_files(directory: Path) -> dict[str, bytes | None]:
    """The content of what lies beside the event files; not that of an export, which has wall times in it."""
    found = runs.files(directory)
    return {path: None if path.endswith(".json") else content for path, content in found.items()}


def run(launch: list[str], name: str, directory: Path) -> str:
    """What the script prints; it is started in a directory of its own."""
    directory.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, *launch, str(TUTORIALS / f"{name}.py"), "--epochs", "2"]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110, check=True
    ).stdout

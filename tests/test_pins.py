"""The floors that pyproject.toml states are the versions that are tested, and every pin is exact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pins(name: str) -> dict[str, str]:
    """Package -> its line in constraints/`name` without comments."""
    lines = (ROOT / "constraints" / name).read_text().splitlines()
    return {re.split("[=<>~ ]", line)[0]: line for line in lines if line and not line.startswith("#")}


def test_the_lowest_versions_are_the_floors() -> None:
    """constraints/lowest.txt pins the dependencies and the demo's, each at its floor."""
    tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = {name: line.partition("==")[2] for name, line in pins("lowest.txt").items()}
    stated = project["dependencies"] + project["optional-dependencies"]["demo"]
    floors = dict(requirement.split(">=") for requirement in stated)
    assert lowest.keys() - {"pyparsing", "setuptools"} == floors.keys()
    assert [name for name, floor in floors.items() if not f"{lowest[name]}.".startswith(f"{floor}.")] == []


@pytest.mark.parametrize(
    "name", ["lowest.txt", "newest.txt", "remote.txt", "tensorflow.txt", "wandb.txt", "ecosystem.txt"]
)
def test_every_pin_is_exact(name: str) -> None:
    """Each line is one package at one version, with a marker at most: no address, no option, no range."""
    exact = re.compile(r"[a-z0-9-]+==[0-9][0-9A-Za-z.]*( ; python_version .*)?")
    assert [line for line in pins(name).values() if not exact.fullmatch(line)] == []


def test_torch_is_pinned_for_one_python_only() -> None:
    """torch has one line; any other version could bring gigabytes of CUDA."""
    assert pins("newest.txt")["torch"] == 'torch==2.13.0 ; python_version == "3.11"'


def test_the_frameworks_are_pinned_beside_the_rest() -> None:
    """ecosystem.txt is used together with newest.txt, so no package is in both."""
    assert pins("ecosystem.txt").keys() >= {"accelerate", "keras", "lightning", "transformers"}
    assert not pins("ecosystem.txt").keys() & pins("newest.txt").keys()

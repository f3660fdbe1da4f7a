"""Resolve every extra afresh on every supported Python and rewrite constraints/*.txt but lowest.txt and remote.txt.

    python constraints/pin.py      (needs an index, and the interpreters, which .ci/python finds)

pip resolves; this merges its answers into one file: a package that has one version everywhere stands on a
line of its own, the others once for each version with the Pythons it is for. torch is no choice of the
resolver: it is pinned to TORCH, for TORCH_PYTHON only, because any other may bring gigabytes of CUDA.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints" / "newest.txt"
ECOSYSTEM = ROOT / "constraints" / "ecosystem.txt"
TENSORFLOW = ROOT / "constraints" / "tensorflow.txt"
WANDB = ROOT / "constraints" / "wandb.txt"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TORCH, TORCH_PYTHON = "2.13.0", "3.11"
HEADER = f"""\
# Written by constraints/pin.py; do not edit. Every package that any extra of tbasync brings in on Linux (but
# remote-test, see remote.txt), at the newest version that the resolver could take on each Python; torch only on
# Python {TORCH_PYTHON}. What only the `ecosystem` extra brings in is in ecosystem.txt.
"""
ECOSYSTEM_HEADER = f"""\
# Written by constraints/pin.py; do not edit. What the `ecosystem` extra, the frameworks that tbasync is tested with,
# brings in on Python {TORCH_PYTHON} beyond newest.txt, at the newest versions that get on with those.
"""
ALONE_HEADER = f"""\
# Written by constraints/pin.py; do not edit. What {{}}, on Python {TORCH_PYTHON} and in an
# environment of their own.
"""


def resolve(python: str, extras: str, constraints: str) -> dict[str, str]:
    """Name -> version of all that pip would install on `python` ("3.12").

    Args:
        python: the version, of which .ci/python must find an interpreter.
        extras: names of extras, with commas between them.
        constraints: what pip may not deviate from, as in a constraints file.
    """
    interpreter = subprocess.check_output([ROOT / ".ci" / "python", python], text=True).strip()
    with tempfile.TemporaryDirectory() as scratch:
        pip = [f"{scratch}/venv/bin/python", "-m", "pip", "--quiet", "install"]
        report, pins = f"{scratch}/report.json", f"{scratch}/pins.txt"
        Path(pins).write_text(constraints)
        subprocess.run([interpreter, "-m", "venv", f"{scratch}/venv"], check=True)
        subprocess.run([*pip, "--upgrade", "pip"], check=True)
        dry_run = ["--dry-run", "--ignore-installed", "--report", report, "--constraint", pins]
        subprocess.run([*pip, *dry_run, f"{ROOT}[{extras}]", "pip"], check=True)
        found = json.loads(Path(report).read_text())["install"]
    metadata = [item["metadata"] for item in found]
    return {canonical(m["name"]): without_local(m["version"]) for m in metadata if m["name"] != "tbasync"}


def canonical(name: str) -> str:
    """The normalised form of a package's name (PyPA's name normalisation)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def without_local(version: str) -> str:
    """2.13.0+cpu -> 2.13.0: the same release, whatever build of it an index offers."""
    return version.partition("+")[0]


def marker(pythons: list[str]) -> str:
    """The environment marker that is true on exactly `pythons`; empty where that is all of them."""
    if len(pythons) == len(PYTHONS):
        return ""
    if pythons == list(PYTHONS[-len(pythons) :]):
        return f' ; python_version >= "{pythons[0]}"'
    return " ; " + " or ".join(f'python_version == "{python}"' for python in pythons)


def merge(resolved: dict[str, dict[str, str]]) -> list[str]:
    """The lines of the constraints file from {python: {name: version}}."""
    users: dict[tuple[str, str], list[str]] = defaultdict(list)
    for python in PYTHONS:
        for name, version in resolved[python].items():
            users[name, version].append(python)
    return [f"{name}=={version}{marker(users[name, version])}" for name, version in sorted(users)]


def pin_newest() -> None:
    """Rewrites newest.txt."""
    resolved = {}
    for python in PYTHONS:
        extras = "dev,docs,torch" if python == TORCH_PYTHON else "dev,docs"
        resolved[python] = resolve(python, extras, f"torch=={TORCH}\n")
        print(f"Python {python}: {len(resolved[python])} packages")
    TARGET.write_text(HEADER + "\n".join(merge(resolved)) + "\n")


def pin_alone(extra: str, target: Path, what: str) -> None:
    """Rewrites a file that stands alone: its package is particular about what others use too."""
    resolved = resolve(TORCH_PYTHON, extra, "")
    print(f"{what}: {len(resolved)} packages")
    lines = [f"{name}=={version}" for name, version in sorted(resolved.items())]
    target.write_text(ALONE_HEADER.format(what) + "\n".join(lines) + "\n")


def pin_ecosystem() -> None:
    """Rewrites ecosystem.txt, on top of newest.txt as it is."""
    newest = TARGET.read_text()
    resolved = resolve(TORCH_PYTHON, "ecosystem", newest)
    pinned = {line.partition("==")[0] for line in newest.splitlines()}
    lines = [f"{name}=={version}" for name, version in sorted(resolved.items()) if name not in pinned]
    print(f"The ecosystem: {len(lines)} more packages")
    ECOSYSTEM.write_text(ECOSYSTEM_HEADER + "\n".join(lines) + "\n")


def main() -> int:
    pin_newest()
    pin_alone("against-tensorflow", TENSORFLOW, "the tests against TensorFlow need")
    pin_alone("with-wandb", WANDB, "the tests with wandb need")
    pin_ecosystem()
    return 0


if __name__ == "__main__":
    sys.exit(main())

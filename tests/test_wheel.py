"""The built wheel holds what is in the source, and what it claims is true."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tbasync"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built from this source tree."""
    pytest.importorskip("hatchling", reason="building needs hatchling")
    if not SOURCE.is_dir():
        pytest.skip("no source tree: the tests run on an installed wheel")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        yield opened


def test_it_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Every file of the package is in the wheel, py.typed and the schemas too, and no test or tool is."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert names == {str(path.relative_to(ROOT)) for path in files}
    assert "tbasync/py.typed" in names
    assert any(name.startswith("tbasync/proto/") and name.endswith(".proto") for name in names)


def test_its_size(wheel: zipfile.ZipFile) -> None:
    """Less than half a megabyte, as docs/start.md says."""
    assert wheel.filename is not None
    assert Path(wheel.filename).stat().st_size < 500_000


def test_its_metadata(wheel: zipfile.ZipFile) -> None:
    """Licence, command and the oldest Python are those that the project states; it fits every platform."""
    (info,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.10" in metadata
    assert "tbasync = tbasync.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert "Tag: py3-none-any" in wheel.read(f"{info}/WHEEL").decode()

"""Runs in a store, read back by their URL."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tbasync import SummaryWriter, read
from tbasync.files.reader import DamagedFileWarning

from ..support.plain_reader import event_files
from .test_segments import url


def test_what_was_written_is_read(tmp_path: Path, spools: Path) -> None:
    """Values of every kind, and restarts across segments; the copy is gone."""
    with SummaryWriter(url(tmp_path)) as writer:
        for step in range(5):
            writer.add_scalar("loss", step, step)
            writer.flush()
        writer.add_histogram("weights", np.arange(10.0), 1)
        writer.add_text("note", "kept", 1)
        writer.add_scalars("below", {"a": 1.0}, 1)
        writer.purge(3)
    run = read(url(tmp_path))
    assert run["loss"].steps.tolist() == [0, 1, 2]
    assert run["weights"].values[0].num == 10
    assert run["note/text_summary"].values[0] == "kept"
    assert "below" not in run
    assert len(read(url(tmp_path), purge=False)["loss"]) == 5
    assert list(spools.iterdir()) == []


def test_one_file(tmp_path: Path) -> None:
    """A URL may name an event file."""
    with SummaryWriter(url(tmp_path)) as writer:
        writer.add_scalar("loss", 1.0, 1)
        writer.flush()
        writer.add_scalar("loss", 1.0, 2)
    first, _ = event_files(tmp_path)
    assert read(url(first))["loss"].steps.tolist() == [1]


def test_damage_is_told(tmp_path: Path) -> None:
    """As of local files."""
    with SummaryWriter(url(tmp_path)) as writer:
        writer.add_scalar("loss", 1.0, 1)
        writer.add_scalar("loss", 1.0, 2)
    (file,) = event_files(tmp_path)
    data = bytearray(file.read_bytes())
    data[-60] ^= 1
    file.write_bytes(data)
    with pytest.warns(DamagedFileWarning, match=file.name):
        read(url(tmp_path))


def test_nothing_there(tmp_path: Path) -> None:
    """The same error as for a directory."""
    with pytest.raises(FileNotFoundError):
        read(url(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=f"no event files in file://{tmp_path}"):
        read(url(tmp_path))


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra to install."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r"tbasync\[remote\]"):
        read("s3://bucket/run")

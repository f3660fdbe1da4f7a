"""Fixtures of the remote tests; without fsspec there is nothing to test."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from .stores import store

__all__ = ["store"]


@pytest.fixture(autouse=True)
def spools(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where spools are made: an empty directory. Every test has it, or is skipped."""
    pytest.importorskip("fsspec")
    directory = tmp_path_factory.mktemp("spools")
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory

"""A short run of the fuzz harness for event files, by hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.files import records

from .fuzz_event_files import one_input


@pytest.fixture(autouse=True)
def _window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the window's size back, which the harness changes."""
    monkeypatch.setattr(records, "WINDOW", records.WINDOW)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_the_invariant_holds(script: bytes) -> None:
    """Whatever bytes a file holds: read, verify and repair end, and say what the plain rule says."""
    one_input(script)

"""Tables and figures for people, with rich and without."""

from __future__ import annotations

import io
import sys

import pytest

from tbasync.profiling.tables import Table, seconds, show, size

TABLE = Table("A title", ("<name", "calls"), [("add_scalar", "1,000"), ("[odd]", "2")])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.00 ns"),
        (1.5e-9, "1.50 ns"),
        (230e-9, "230 ns"),
        (9.994e-6, "9.99 µs"),
        (12.34e-6, "12.3 µs"),
        (99.96e-6, "100 µs"),
        (1e-3, "1.00 ms"),
        (12.0, "12.0 s"),
        (345.6, "346 s"),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    """Three digits, and the unit that suits them."""
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (5 << 20, "5.0 MiB"), (3 << 30, "3.0 GiB")],
)
def test_sizes(value: int | None, text: str) -> None:
    """Bytes as they are, larger ones with a decimal."""
    assert size(value) == text


def test_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich: columns aligned, text flushed left, numbers right."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    out = io.StringIO()
    show([TABLE, "A line."], out)
    assert out.getvalue() == (
        "A title\nname        calls\n----------  -----\nadd_scalar  1,000\n[odd]           2\n\nA line.\n"
    )


def test_rich() -> None:
    """With rich the same cells are there, brackets included."""
    pytest.importorskip("rich")
    out = io.StringIO()
    show([TABLE, "A [line]."], out)
    for text in ("A title", "name", "calls", "add_scalar", "1,000", "[odd]", "A [line]."):
        assert text in out.getvalue()

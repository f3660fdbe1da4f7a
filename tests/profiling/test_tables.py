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


class Terminal(io.StringIO):
    """A stream that is shown to somebody."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_rich_in_narrow_terminals(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long paths are broken; names, figures and units are whole, and none is missing."""
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    path = "/a/long/path" * 10 + "/x.py:12"
    row = ("SummaryWriter()", "1,500", "70.0 ms", "46.7 µs", "8.96 µs", "422 µs", "67.0 KiB", "12", "3.54 ms")
    headings = ("<method", "calls", "total", "mean", "p50", "p99", "bytes", "device syncs", "tbasync, est.")
    out = Terminal()
    show([Table("Methods", headings, [row]), Table("Lines", ("<line", "total"), [(path, "12.3 ms")])], out)
    methods, lines = out.getvalue().split("Lines")
    assert set(" ".join(row).split()) <= set(methods.split())
    assert "…" not in out.getvalue()
    assert path in "".join(lines.replace("12.3 ms", "").split())
    assert "12.3 ms" in lines


def test_rich() -> None:
    """With rich the same cells are there, brackets included."""
    pytest.importorskip("rich")
    out = io.StringIO()
    show([TABLE, "A [line]."], out)
    for text in ("A title", "name", "calls", "add_scalar", "1,000", "[odd]", "A [line]."):
        assert text in out.getvalue()

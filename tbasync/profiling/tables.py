"""Tables for people: through rich where it is installed, in plain text elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

# Longer ones, paths that is, may be broken.
_LONGEST_WORD = 24


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: what it shows.
        columns: the headings; those that begin with "<" are flushed left, without the "<".
        rows: of as many cells each.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def show(parts: Sequence[Table | str], stream: IO[str]) -> None:
    """Prints tables, and lines of text, with an empty line between any two."""
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table as RichTable
    except ImportError:
        print("\n\n".join(part if isinstance(part, str) else _plain(part) for part in parts), file=stream)
        return
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 120)
    for number, part in enumerate(parts):
        if number:
            console.print()
        if isinstance(part, str):
            console.print(part, markup=False, soft_wrap=True)
            continue
        style: dict[str, Any] = {"title_justify": "left", "title_style": "bold", "box": SIMPLE_HEAD}
        table = RichTable(title=part.title, padding=(0, 1, 0, 0), **style)
        for place, column in enumerate(part.columns):
            # Where it gets narrow, long paths and units go on in the next line; names and figures stay whole.
            words = f"{column.lstrip('<')} {' '.join(row[place] for row in part.rows)}".split()
            width = min(_LONGEST_WORD, max(map(len, words)))
            table.add_column(column.lstrip("<"), justify=_justify(column), overflow="fold", min_width=width)
        for row in part.rows:
            table.add_row(*(cell.replace("[", r"\[") for cell in row))
        console.print(table, crop=False)


def seconds(value: float | None) -> str:
    """A duration with three digits and the unit that suits it."""
    if value is None:
        return "–"
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
    unit, scale = next((pair for pair in units if value >= pair[1]), units[-1])
    number = value / scale
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f} {unit}"


def size(nbytes: int | None) -> str:
    """Bytes in the unit that suits them."""
    if nbytes is None:
        return "–"
    number = float(nbytes)
    for unit in ("B", "KiB", "MiB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def _justify(column: str) -> Literal["left", "right"]:
    return "left" if column.startswith("<") else "right"


def _plain(table: Table) -> str:
    headings = [column.lstrip("<") for column in table.columns]
    widths = [max(map(len, cells)) for cells in zip(headings, *table.rows, strict=True)]
    lines = [_line(headings, table, widths), "  ".join("-" * width for width in widths)]
    lines += [_line(row, table, widths) for row in table.rows]
    return "\n".join([table.title, *lines])


def _line(cells: Sequence[str], table: Table, widths: Sequence[int]) -> str:
    aligned = (
        cell.ljust(width) if _justify(column) == "left" else cell.rjust(width)
        for cell, column, width in zip(cells, table.columns, widths, strict=True)
    )
    return "  ".join(aligned).rstrip()

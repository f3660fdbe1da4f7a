"""The labels of an embedding's points, from a file as the Projector takes them."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TbasyncWarning


@dataclass(frozen=True)
class Labels:
    """What is written at the points.

    Attributes:
        rows: for each point its label, or its labels by column; None for none.
        header: the columns' names, if there are several.
    """

    rows: list[Any] | None = None
    header: list[str] | None = None


def read_labels(directory: str, file: str, points: int) -> Labels:
    """Reads a file of labels: a line for each point, or with tabs in it columns, whose names come first.

    Args:
        directory: where a relative `file` is looked for, before the current directory.
        file: UTF-8 text.
        points: how many lines there must be, the names' not counted.

    Returns:
        No labels, after a warning, if the file cannot be read or has another number of lines.
    """
    beside = os.path.join(directory, file)
    try:
        lines = Path(beside if os.path.exists(beside) else file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        return _without(f"{file!r} cannot be read: {error}")
    rows = [line.split("\t") for line in lines]
    columns = len(rows[0]) if rows else 0
    header = rows.pop(0) if columns > 1 else None
    if len(rows) != points or any(len(row) != columns for row in rows):
        return _without(
            f"{file!r} has {len(rows)} lines of labels, of {columns} columns, for {points} points"
        )
    return Labels(rows if header else [row[0] for row in rows], header)


def _without(why: str) -> Labels:
    message = f"an embedding is logged without its labels: {why}"
    warnings.warn(message, TbasyncWarning, stacklevel=5)
    return Labels()

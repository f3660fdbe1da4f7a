"""The labels of an embedding's points: frozen at the call, printed as metadata.tsv later."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..rests import offer

_PIECE = 1024  # lines encoded at a time: up to about 0.2 ms with the GIL held


@dataclass(frozen=True)
class Labels:
    """The lines of a metadata.tsv.

    Attributes:
        points: how many points have labels.
        lines: a line for each point, behind that of the header if there is one.
    """

    points: int
    lines: Sequence[str]

    @property
    def nbytes(self) -> int:
        """About what they hold."""
        return sum(map(len, self.lines))


def freeze_labels(metadata: Any, metadata_header: Any = None) -> Labels | None:
    """The labels as they are now, each as `str` prints it, which is what torch's writer prints.

    Args:
        metadata: an iterable of a label for each point, of any type; with a header of a row of labels, itself
            an iterable, for each. None is no labels.
        metadata_header: an iterable of the columns' names; None, or an empty one, is no header.

    Raises:
        TypeError: one of these, or a row, is no iterable.
        ValueError: a row is not as long as the header.
    """
    header: list[Any] = []
    if metadata_header is not None:
        header = _listed("metadata_header", metadata_header, "a sequence of the columns' names, or None")
    if metadata is None:
        return None
    accepted = "a row of labels" if header else "a label"
    rows = _listed("metadata", metadata, f"a sequence, with {accepted} for each point, or None")
    if not header:
        return Labels(len(rows), list(map(str, rows)))
    lines = ["\t".join(map(str, _row(place, row, len(header)))) for place, row in enumerate(rows)]
    return Labels(len(rows), ["\t".join(map(str, header)), *lines])


def _row(place: int, row: Any, columns: int) -> list[Any]:
    name = f"metadata[{place}]"
    labels = _listed(name, row, "a row of labels, one for each column of metadata_header")
    if len(labels) != columns:
        raise ValueError(
            f"{name} has {len(labels)} labels for {columns} columns of metadata_header: {reprlib.repr(row)}"
        )
    return labels


def _listed(name: str, value: Any, accepted: str) -> list[Any]:
    try:
        return list(value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name} must be {accepted}, got {kind}: {reprlib.repr(value)}") from None


def tsv(labels: Labels) -> Iterator[bytes]:
    """The file, in pieces."""
    if not labels.lines:
        yield b"\n"
    for start in range(0, len(labels.lines), _PIECE):
        piece = "\n".join(labels.lines[start : start + _PIECE]) + "\n"
        yield piece.encode("utf-8", "backslashreplace")
        offer()

"""The series that the writing rank has met."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .block import Series
from .reports import Style, is_histogram
from .team import REDUCTIONS, Reduction


class KnownSeries:
    """The series that were met, numbered, and how their points are written.

    A series is a run, a tag, and whether it is one of histograms. Ranks may ask for different reductions or
    styles of it: what the writing rank asks for counts, else what the first one does.
    """

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self.forms: list[tuple[tuple[Reduction, ...] | None, Style]] = []
        self._numbers: dict[tuple[str, str, bool], int] = {}
        self._tables: dict[tuple[Series, ...], npt.NDArray[np.intp]] = {}

    def number(self, run: str, tag: str, reduce: tuple[Reduction, ...] | None, style: Style) -> int:
        """The number of a series, new or not."""
        name = run, tag, is_histogram(style)
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append((run, tag))
            self.forms.append((reduce, style))
        return number

    def numbers_of(self, table: tuple[Series, ...]) -> npt.NDArray[np.intp]:
        """The numbers of a table's series: intp (series,)."""
        numbers = self._tables.get(table)
        if numbers is None:
            if len(self._tables) > 1024:
                self._tables.clear()
            given = [self.number(s.run, s.tag, _parsed(s.reductions), s.style) for s in table]
            numbers = self._tables[table] = np.array(given, np.intp)
        return numbers


def _parsed(reductions: str) -> tuple[Reduction, ...] | None:
    """What a call on another rank asked for; None for nothing of its own."""
    names = reductions.split(",") if reductions else ()
    return tuple(name for asked in names for name in REDUCTIONS if name == asked) or None

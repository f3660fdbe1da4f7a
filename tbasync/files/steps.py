"""Do the steps of each tag rise? TensorBoard draws a series in file order, or drops what lies behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..wire.decode import SUMMARY, event, values
from .inspect import Inspected
from .tags import Tags

_MOST_TAGS = 50_000  # tags followed in one file; a real run has some thousands at most
_LONGEST_TAG = 1024  # bytes
_LOWEST = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Backwards:
    """A step below the one before it: index of the record in its batch, tag, and the two steps."""

    index: int
    tag: bytes
    before: int
    after: int


class StepOrder:
    """Follows the step of every tag through a file."""

    def __init__(self) -> None:
        self._tags = Tags(_MOST_TAGS, _LONGEST_TAG)
        self._last = np.full(64, _LOWEST)  # int64, by number of the tag
        self._highest = _LOWEST

    def follow(self, found: Inspected) -> Iterator[Backwards]:
        """Where steps go backwards in a batch, tag by tag."""
        rows, tags, steps = self._columns(found)
        if not len(rows):
            return
        order = np.argsort(rows, kind="stable")
        rows, tags, steps = rows[order], tags[order], steps[order]
        if len(self._tags.names) > len(self._last):
            grown = np.full(2 * len(self._tags.names), _LOWEST)
            grown[: len(self._last)] = self._last
            self._last = grown
        # While all steps rise, each tag's do too: only otherwise need they be told apart.
        if steps[0] < self._highest or (steps[1:] < steps[:-1]).any():
            yield from self._backwards(rows, tags, steps)
        self._highest = max(self._highest, int(steps.max()))
        self._last[tags] = steps  # of several with one index, the last one is kept

    def _backwards(
        self, rows: NDArray[np.int64], tags: NDArray[np.int64], steps: NDArray[np.int64]
    ) -> Iterator[Backwards]:
        order = np.argsort(tags, kind="stable")
        rows, tags, steps = rows[order], tags[order], steps[order]
        before = np.append(_LOWEST, steps[:-1])
        first = np.append(True, tags[1:] != tags[:-1])
        before[first] = self._last[tags[first]]
        for at in np.flatnonzero((steps < before) & (tags != 0)).tolist():
            yield Backwards(int(rows[at]), self._tags.names[tags[at]], int(before[at]), int(steps[at]))

    def _columns(self, found: Inspected) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """int64[n] each, of every value in the batch: index of the record, number of the tag, step."""
        parts = [
            (block.members, self._tags.numbers(block, slot), steps)
            for block in found.blocks
            for steps in [block.steps()]
            for slot in block.layout.slots
        ]
        single = [
            (index, self._tags.number(value.tag), one.step)
            for index, record in found.others
            for one in [event(record)]
            if one.what == SUMMARY
            for value in values(one.body)
        ]
        rows, tags, steps = np.array(single, np.int64).reshape(-1, 3).T
        parts.append((rows, tags, steps))
        rows, tags, steps = (np.concatenate(column) for column in zip(*parts, strict=True))
        return rows, tags, steps

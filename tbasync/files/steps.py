"""Do the steps of each tag rise? TensorBoard draws a series in file order, or drops what lies behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..wire.decode import SUMMARY, event, values
from ..wire.restart import LOWEST_STEP
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
        parts = [part for part in self._parts(found) if len(part[0])]
        if not parts:
            return
        if len(self._tags.names) > len(self._last):
            grown = np.full(2 * len(self._tags.names), _LOWEST)
            grown[: len(self._last)] = self._last
            self._last = grown
        if self._all_rise(found.count, parts):
            for _, tags, steps in parts:
                latest = np.full(len(self._last), _LOWEST)
                latest[tags] = steps  # of several with one index, the last one is kept
                np.maximum(self._last, latest, out=self._last)
        else:
            yield from self._one_by_one(parts)
        self._highest = max(self._highest, *(int(steps.max()) for _, _, steps in parts))

    def _all_rise(self, count: int, parts: list[_Part]) -> bool:
        """Whether no step is below any before it; then no tag's are, and tags need not be told apart."""
        steps, given = np.empty(count, np.int64), np.zeros(count, bool)
        for rows, _, own in parts:
            steps[rows], given[rows] = own, True
        steps = steps[given]
        return bool(steps[0] >= self._highest and (steps[1:] >= steps[:-1]).all())

    def _one_by_one(self, parts: list[_Part]) -> Iterator[Backwards]:
        """Compare each step with the one before it of the same tag."""
        rows, tags, steps = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((rows, tags))
        rows, tags, steps = rows[order], tags[order], steps[order]
        before = np.append(_LOWEST, steps[:-1])
        first = np.append(True, tags[1:] != tags[:-1])
        before[first] = self._last[tags[first]]
        self._last[tags] = steps
        # A series that is reset goes back to the lowest steps, which is what was meant.
        for at in np.flatnonzero((steps < before) & (tags != 0) & (steps > LOWEST_STEP + 1)).tolist():
            yield Backwards(int(rows[at]), self._tags.names[tags[at]], int(before[at]), int(steps[at]))

    def _parts(self, found: Inspected) -> Iterator[_Part]:
        """Of every value in the batch: index of the record, number of the tag, step."""
        for block in found.blocks:
            steps = block.steps()
            for slot in block.layout.slots:
                yield block.members, self._tags.numbers(block, slot), steps
        single = [
            (index, self._tags.number(value.tag), one.step)
            for index, record in found.others
            for one in [event(record)]
            if one.what == SUMMARY
            for value in values(one.body)
        ]
        rows, tags, steps = np.array(single, np.int64).reshape(-1, 3).T
        yield rows, tags, steps


_Part: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]"

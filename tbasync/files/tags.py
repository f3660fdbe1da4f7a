"""Numbers for tags: a tag's bytes -> a small integer, also for a whole column of tags at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..wire.columns import Block, Slot


class Tags:
    """A table of distinct tags.

    Args:
        most: how many tags are numbered; any further one gets number 0, which stands for no tag. It bounds
            the memory that a file with a new tag in every record can take.
        longest: longer tags, in bytes, get number 0 too.
    """

    def __init__(self, most: int | None = None, longest: int | None = None) -> None:
        self.names: list[bytes] = [b""]
        self._most, self._longest = most, longest
        self._numbers: dict[bytes, int] = {}
        self._columns = dict[int, _Column]()

    def number(self, tag: bytes) -> int:
        """The tag's number; a new one for a new tag."""
        known = self._numbers.get(tag)
        if known is not None:
            return known
        if self._most is not None and len(self.names) > self._most:
            return 0
        if self._longest is not None and len(tag) > self._longest:
            return 0
        self._numbers[tag] = number = len(self.names)
        self.names.append(tag)
        return number

    def numbers(self, block: Block, slot: Slot) -> NDArray[np.int64]:
        """int64[n]: the number of each record's tag."""
        start, stop = slot.tag
        cells, width = block.cells(start, stop), stop - start
        if not width or (cells == cells[0]).all():
            return np.full(len(cells), self.number(cells[0].tobytes()))
        return self._columns.setdefault(width, _Column(self, width)).numbers(cells)


class _Column:
    """The numbers of the tags of one width: a hash table that is looked up for a whole column at once.

    A tag's hash selects one of 65,536 places, where the number of one tag of that hash stands; it counts if
    that tag is the same, byte for byte. The others, whose place holds another tag or none, are looked up one
    by one.
    """

    def __init__(self, tags: Tags, width: int) -> None:
        self._tags, self._width, self._words = tags, width, -(-width // 8)
        self._entries = np.zeros(1 << 16, np.int32)  # place -> row of the two below; 0 holds no tag
        self._known = np.zeros((64, self._words), np.uint64)
        self._numbers = np.zeros(64, np.int64)
        self._used = 1

    def numbers(self, cells: NDArray[np.uint8]) -> NDArray[np.int64]:
        """int64[n]: the number of each tag in uint8[n, width]."""
        padded = np.zeros((len(cells), 8 * self._words), np.uint8)
        padded[:, : self._width] = cells
        words = padded.view("<u8")
        hashes = np.zeros(len(cells), np.uint64)
        for word in words.T:
            hashes = (hashes ^ word) * np.uint64(0x9E3779B97F4A7C15)
        places = (hashes >> np.uint64(48)).astype(np.intp)
        entries = self._entries.take(places)
        differs = entries == 0
        for column, word in enumerate(words.T):
            differs |= self._known[:, column].take(entries) != word
        numbers = self._numbers.take(entries)
        for row in np.flatnonzero(differs).tolist():
            numbers[row] = self._one(words[row], int(places[row]))
        return numbers

    def _one(self, words: NDArray[np.uint64], place: int) -> int:
        number = self._tags.number(words.tobytes()[: self._width])
        if number and not self._entries[place]:
            if self._used == len(self._numbers):
                self._known = np.concatenate([self._known, np.zeros_like(self._known)])
                self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
            self._entries[place], self._known[self._used], self._numbers[self._used] = (
                self._used,
                words,
                number,
            )
            self._used += 1
        return number

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
        if width not in self._columns:
            self._columns[width] = _Column(self, width)
        return self._columns[width].numbers(cells)


class _Column:
    """The numbers of the tags of one width: a hash table that is looked up for a whole column at once.

    A tag's hash selects a place, which leads to the entry of one tag of that hash; it counts if that tag is
    the same, byte for byte. The others, whose place leads to another tag or to none, are looked up singly.
    """

    def __init__(self, tags: Tags, width: int) -> None:
        self._tags, self._width = tags, width
        self._places = np.zeros(256, np.int32)  # place -> entry; 0 is the entry of no tag
        self._words = np.zeros((16, -(-width // 8)), np.uint64)  # entry -> tag
        self._numbers = np.zeros(16, np.int64)  # entry -> number
        self._used = 1

    def numbers(self, cells: NDArray[np.uint8]) -> NDArray[np.int64]:
        """int64[n]: the number of each tag in uint8[n, width]."""
        padded = np.zeros((len(cells), 8 * self._words.shape[1]), np.uint8)
        padded[:, : self._width] = cells
        words = padded.view("<u8")
        entries = self._places.take(self._hash(words))
        differs = entries == 0
        for column, word in enumerate(words.T):
            differs |= self._words[:, column].take(entries) != word
        numbers, seen = self._numbers.take(entries), dict[bytes, int]()
        for row in np.flatnonzero(differs).tolist():
            tag = words[row].tobytes()
            if tag not in seen:
                seen[tag] = self._add(tag[: self._width], words[row])
            numbers[row] = seen[tag]
        return numbers

    def _hash(self, words: NDArray[np.uint64]) -> NDArray[np.intp]:
        """The place of each tag: the upper bits of a product, as many as there are places."""
        hashes = np.zeros(len(words), np.uint64)
        for word in words.T:
            hashes = (hashes ^ word) * np.uint64(0x9E3779B97F4A7C15)
        return (hashes >> np.uint64(65 - len(self._places).bit_length())).astype(np.intp)

    def _add(self, tag: bytes, words: NDArray[np.uint64]) -> int:
        """The tag's number; it gets an entry if it is numbered and its place is free."""
        number = self._tags.number(tag)
        if number and self._used == len(self._numbers):
            self._grow()
        place = int(self._hash(words[None])[0])
        if number and not self._places[place]:
            self._places[place] = self._used
            self._words[self._used], self._numbers[self._used] = words, number
            self._used += 1
        return number

    def _grow(self) -> None:
        """Twice the entries, and sixteen places for each."""
        self._words = np.concatenate([self._words, np.zeros_like(self._words)])
        self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._places = np.zeros(16 * len(self._numbers), np.int32)
        self._places[self._hash(self._words[1 : self._used])] = np.arange(1, self._used)

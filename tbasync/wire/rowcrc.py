"""Masked CRC-32C of many short rows at once, for readers.

A call of the C routine costs about 140 ns however short the row, as much as all the rest of checking a
scalar's record. CRC-32C is affine over GF(2): two rows of one length differ in their CRC by the xor, over the
bytes in which they differ, of one table entry each. The records of a training run differ from one another in
a dozen or two bytes, and a table look-up for each of these, for the whole column of rows, replaces the calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from .crc import contributions, mask

LONGEST = 2048  # bytes of a row; longer ones are not gathered
_LONGEST_BY_COLUMN = 256  # bytes of a row beyond which the C routine is faster
_FEWEST_BY_COLUMN = 16  # rows of one length that are worth the fixed cost of some forty numpy calls


class Group(NamedTuple):
    """The rows of one length.

    Attributes:
        members: int64[n], ascending, which of all rows these are.
        words: uint64[n, ceil(length / 8)], little-endian, their bytes; the last word's bytes beyond the length
            are whatever follows. Empty if the length is 0 or above LONGEST.
    """

    length: int
    members: NDArray[np.intp]
    words: NDArray[np.uint64]


def group(data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[Group]:
    """The rows at `starts` by their lengths. `data` must go on for 7 bytes or more behind the last."""
    narrow = lengths.astype(np.uint16) if lengths.size and lengths.max() < 65536 else lengths  # radix sort
    order = np.argsort(narrow, kind="stable")
    edges = np.flatnonzero(np.diff(lengths[order])) + 1
    groups = list[Group]()
    for members in np.split(order, edges):
        if members.size:
            length = int(lengths[members[0]])
            groups.append(Group(length, members, _words(data, starts[members], length)))
    return groups


def _words(data: NDArray[np.uint8], starts: NDArray[np.int64], length: int) -> NDArray[np.uint64]:
    if not 0 < length <= LONGEST:
        return np.empty((len(starts), 0), np.uint64)
    width = -(-length // 8) * 8
    view: NDArray[np.void] = np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
    words: NDArray[np.uint64] = view[starts].view("<u8").reshape(len(starts), width // 8)
    return words


def row_crcs(rows: Group) -> NDArray[np.uint32]:
    """uint32[n], the masked CRC-32C of rows of 1 to 256 bytes."""
    difference = rows.words ^ rows.words[0]
    cells = difference.view(np.uint8)
    varies = np.array([np.bitwise_or.reduce(column) for column in difference.T]).view(np.uint8)[: rows.length]
    crc = np.full(len(cells), crc32c(rows.words[0].tobytes()[: rows.length]), np.uint32)
    table = contributions(_LONGEST_BY_COLUMN)
    for column in np.flatnonzero(varies).tolist():
        crc ^= table[rows.length - 1 - column].take(cells[:, column])
    return mask(crc)


def payloads_match(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64], groups: list[Group]
) -> NDArray[np.bool_]:
    """bool[n]: which payloads in `data` have the CRC that follows them there.

    Args:
        groups: the payloads by length, as `group` gives them.
    """
    every: NDArray[np.uint32] = np.ndarray((len(data) - 3,), "<u4", data, strides=(1,))
    claimed, view = every[starts + lengths], data.data
    actual = np.empty(len(starts), np.uint32)
    for rows in groups:
        if 0 < rows.length <= _LONGEST_BY_COLUMN and len(rows.members) >= _FEWEST_BY_COLUMN:
            actual[rows.members] = row_crcs(rows)
        else:
            crcs = [crc32c(view[at : at + rows.length]) for at in starts[rows.members].tolist()]
            actual[rows.members] = mask(np.array(crcs, np.uint32))
    matches: NDArray[np.bool_] = claimed == actual
    return matches

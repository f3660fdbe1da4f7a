"""Masked CRC-32C of many short rows at once, for readers.

A call of the C routine costs about 140 ns however short the row, as much as all the rest of checking a
scalar's record. CRC-32C is affine over GF(2): two rows of one length differ in their CRC by the xor, over the
bytes in which they differ, of one table entry each. The records of a training run differ from one another in
a dozen or two bytes, and a table look-up for each of these, for the whole column of rows, replaces the calls.
"""

from __future__ import annotations

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from .crc import contributions, mask

LONGEST = 256  # bytes; of longer rows the C routine's own speed outweighs the cost of calling it
FEWEST = 16  # rows of one length that are worth the fixed cost of some forty numpy calls


def rows_at(data: NDArray[np.uint8], starts: NDArray[np.int64], length: int) -> NDArray[np.uint64]:
    """The `length` bytes from each of `starts` on, as words: little-endian uint64[n, ceil(length / 8)].

    The last word's bytes beyond `length` are whatever follows in `data`, which must hold
    `max(starts) + 8 * ceil(length / 8)` bytes.
    """
    width = -(-length // 8) * 8
    view: NDArray[np.void] = np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))
    words: NDArray[np.uint64] = view[starts].view("<u8").reshape(len(starts), width // 8)
    return words


def row_crcs(data: NDArray[np.uint8], starts: NDArray[np.int64], length: int) -> NDArray[np.uint32]:
    """The masked CRC-32C of the rows of `length` bytes, 1 to LONGEST, at `starts`; see `rows_at`."""
    words = rows_at(data, starts, length)
    difference = words ^ words[0]
    column_bytes = difference.view(np.uint8)
    varies = np.array([np.bitwise_or.reduce(column) for column in difference.T]).view(np.uint8)[:length]
    first = int(starts[0])
    crc = np.full(len(starts), crc32c(data[first : first + length].data), np.uint32)
    table = contributions(LONGEST)
    for column in np.flatnonzero(varies).tolist():
        crc ^= table[length - 1 - column].take(column_bytes[:, column])
    return mask(crc)


def payloads_match(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which payloads in `data` have the CRC that follows them; each must lie in `data` with its four bytes.

    `data` must go on for 8 readable bytes beyond the last payload's CRC.
    """
    every: NDArray[np.uint32] = np.ndarray((len(data) - 3,), "<u4", data, strides=(1,))
    claimed, view = every[starts + lengths], data.data
    actual = np.empty(len(starts), np.uint32)
    for length, members in by_length(lengths):
        if 0 < length <= LONGEST and len(members) >= FEWEST:
            actual[members] = row_crcs(data, starts[members], length)
        else:
            crcs = [crc32c(view[at : at + length]) for at in starts[members].tolist()]
            actual[members] = mask(np.array(crcs, np.uint32))
    matches: NDArray[np.bool_] = claimed == actual
    return matches


def by_length(lengths: NDArray[np.int64]) -> list[tuple[int, NDArray[np.intp]]]:
    """Each distinct length with the indices, ascending, of those that have it."""
    narrow = lengths.astype(np.uint16) if lengths.size and lengths.max() < 65536 else lengths  # radix sort
    order = np.argsort(narrow, kind="stable")
    ordered = lengths[order]
    edges = np.flatnonzero(np.diff(ordered)) + 1
    return [(int(lengths[part[0]]), part) for part in np.split(order, edges) if part.size]

"""Which stretches of a buffer are whole records, also where some of it is damaged or missing.

A record, all numbers little-endian (https://www.tensorflow.org/tutorials/load_data/tfrecord):

    uint64 length | uint32 masked CRC of these 8 bytes | `length` bytes of payload | uint32 masked CRC of them

A record is **whole** when both CRCs are right and it is shorter than 2 GiB, protobuf's own limit. Scanning
from a position takes the whole record that starts there, or else the first that starts later, and goes on
behind it: what lies between is damage. This one rule covers a torn tail, a record torn in the middle with
others appended behind it, flipped bits in header or payload, and lost or foreign stretches.

The rule is applied fast where all is well (chains of headers guessed from the records before, or found with
numpy), and one candidate at a time from the first irregularity of a buffer on.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import NamedTuple

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from .crc import contributions, mask, masked_crc
from .rowcrc import Group, group, payloads_match

HEADER, FOOTER = 12, 4
OVERHEAD = HEADER + FOOTER
LONGEST_PAYLOAD = (1 << 31) - 1  # protobuf's limit for a message, in bytes
PADDING = 16  # bytes that a buffer given to `scan` must hold beyond its end; their value does not matter

_TASTE = 32  # records walked one by one to see whether they are small, and what may follow them
_GUESSES = 4  # times in a buffer that it is guessed what follows
_LEAP = (1 << 16) - 1  # longest payload that the search for many headers at once looks for
_SMALL = 192  # bytes of a record on average below which finding headers with numpy pays

_header = struct.Struct("<QI").unpack_from


class Scan(NamedTuple):
    """What `scan` found in a buffer.

    Attributes:
        starts: int64[n], where the payload of each whole record begins, ascending.
        lengths: int64[n], the payloads' lengths in bytes.
        groups: the payloads by length.
        settled: all bytes before this offset are accounted for: in one of the records, or in none.
        is_open: a right header stands at `settled`, of a record that ends beyond the buffer.
        wasted: bytes of candidate payloads whose CRC was computed and found wrong.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    groups: list[Group]
    settled: int
    is_open: bool
    wasted: int


def header_at(data: bytes | memoryview, at: int = 0) -> int | None:
    """The length that the 12 bytes at `at` claim; None when they carry a wrong CRC."""
    length, crc = _header(data, at)
    return int(length) if masked_crc(data[at : at + 8]) == crc else None


NONE = np.empty(0, np.int64)


def scan(
    data: NDArray[np.uint8],
    end: int,
    start: int,
    limit: int,
    patience: int,
    before: NDArray[np.int64] = NONE,
) -> Scan:
    """The whole records of `data[start:end]`, where `data` holds at least `end + PADDING` bytes.

    Args:
        data: uint8, contiguous.
        start: where a record is expected.
        limit: where the file ends, `limit >= end`; a record that claims to end behind it is not whole.
        patience: stop as soon as `wasted` passes this many bytes. It bounds the time that a file made to
            have very many overlapping candidates can take.
        before: lengths of the records before these, whose order is likely to come again. They change how fast
            the records are found, not which.
    """
    starts, lengths, stop = _chain(data, end, start, before)
    groups = group(data, starts, lengths)
    right = payloads_match(data, starts, lengths, groups)
    if not right.all():
        keep = int(right.argmin())
        stop = int(starts[keep]) - HEADER
        starts, lengths = starts[:keep], lengths[:keep]
    elif stop + HEADER > end:
        return Scan(starts, lengths, groups, stop, False, 0)
    elif _may_be_whole(header_at(data.data, stop), limit - stop):
        return Scan(starts, lengths, groups, stop, True, 0)
    found, settled, is_open, wasted = _search(data, end, stop, limit, patience)
    late = np.array(found, np.int64).reshape(-1, 2)
    starts, lengths = np.append(starts, late[:, 0]), np.append(lengths, late[:, 1])
    return Scan(starts, lengths, group(data, starts, lengths), settled, is_open, wasted)


def _may_be_whole(length: int | None, left: int) -> bool:
    """Whether a record of this length, None without a right header, has room in the file's `left` bytes."""
    return length is not None and length <= LONGEST_PAYLOAD and length + OVERHEAD <= left


def find_headers(
    data: NDArray[np.uint8], start: int, end: int, longest: int = LONGEST_PAYLOAD
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every offset from `start` at which 12 bytes before `end` are a right header, and the lengths claimed.

    Only lengths up to `longest` are looked for; below 2**16 that is faster.
    """
    count = end - start - HEADER + 1
    if count <= 0:
        return NONE, NONE
    zero = data[start:end] == 0
    pair = zero[:-1] & zero[1:]
    four = pair[:-2] & pair[2:]
    upper = four[4 : count + 4]  # a length's upper bytes rule out most offsets
    if longest < 1 << 16:
        upper = upper & pair[2 : count + 2]
    if np.count_nonzero(upper) > count >> 3:  # much is zero: a header that is all zeros is not right
        upper = upper & ~(four[:count] & four[8 : count + 8])
    at = np.flatnonzero(upper) + start
    lengths, right = _headers_at(data, at)
    chosen = np.flatnonzero(right & (lengths <= longest))
    return at[chosen], lengths[chosen]


def _headers_at(
    data: NDArray[np.uint8], at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The lengths, modulo 2**32, in the 12 bytes at each offset, and whether these are a right header below that."""
    every: NDArray[np.void] = np.ndarray((len(data) - HEADER + 1,), f"V{HEADER}", data, strides=(1,))
    lengths, upper, claimed = np.ascontiguousarray(every[at].view("<u4").reshape(-1, 3).T)
    low, high = _length_crcs()
    crc = low.take(lengths & np.uint32(0xFFFF))
    if (lengths >> np.uint32(16)).any():
        crc ^= high.take(lengths >> np.uint32(16))
    return lengths.astype(np.int64), (mask(crc) == claimed) & (upper == 0)


def _chain(
    data: NDArray[np.uint8], end: int, start: int, before: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Records that follow one another from `start`, by headers alone: payload starts, lengths, the end."""
    parts, at, go_on = list[NDArray[np.int64]](), start, _leap
    for _ in range(_GUESSES):
        begun = at
        heads, at = _walk(data, end, begun, _TASTE)
        parts.append(heads)
        if len(heads) < _TASTE or at - begun > _TASTE * _SMALL:
            go_on = _walk
            break
        guess = _what_followed(before, np.diff(heads, append=at) - OVERHEAD)
        if not len(guess):
            break
        heads, at = _follow(data, end, at, guess)
        parts.append(heads)
    rest, stop = go_on(data, end, at)
    heads = np.concatenate([*parts, rest])
    ends = np.append(heads[1:], stop)[: len(heads)]
    return heads + HEADER, ends - heads - OVERHEAD, stop


def _walk(
    data: NDArray[np.uint8], end: int, start: int, most: int = 1 << 62
) -> tuple[NDArray[np.int64], int]:
    """`_chain` one header at a time, at most `most` records: their offsets and the end."""
    view, heads, at = data.data, list[int](), start
    while at + HEADER <= end and len(heads) < most:
        length = header_at(view, at)
        if length is None or at + OVERHEAD + length > end:
            break
        heads.append(at)
        at += OVERHEAD + length
    return np.array(heads, np.int64), at


def _what_followed(before: NDArray[np.int64], latest: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lengths that came after the first time that the latest ones came; empty if they never did.

    A training loop logs the same tags in the same order, and what came once is likely to come again.
    """
    sequence, sought = (lengths.astype("<u2").tobytes() for lengths in (before, latest))
    found = sequence.find(sought)
    while found % 2 and found > 0:  # across the bytes of two lengths
        found = sequence.find(sought, found + 1)
    return before[found // 2 + len(latest) :] if found >= 0 else NONE


def _follow(
    data: NDArray[np.uint8], end: int, start: int, guess: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """`_chain` as far as the records have the lengths guessed: their offsets and the end."""
    stops = start + np.cumsum(guess + OVERHEAD)
    stops = stops[: np.searchsorted(stops, end, side="right")]
    heads = np.append(start, stops[:-1])[: len(stops)]
    lengths, right = _headers_at(data, heads)
    good = right & (lengths == guess[: len(heads)])
    count = len(good) if good.all() else int(good.argmin())
    return heads[:count], int(stops[count - 1]) if count else start


def _leap(data: NDArray[np.uint8], end: int, start: int) -> tuple[NDArray[np.int64], int]:
    """`_chain` through all right headers at once: the records' offsets and the end.

    A payload may hold what looks like a header; following each record's end to the next record skips it.
    """
    heads, lengths = find_headers(data, start, end, _LEAP)
    inside = heads + lengths + OVERHEAD <= end
    heads, ends = heads[inside], (heads + lengths + OVERHEAD)[inside]
    breaks = np.append(np.flatnonzero(heads[1:] != ends[:-1]), len(heads) - 1)
    parts, at = [NONE], start
    while True:
        index = int(np.searchsorted(heads, at))
        if index < len(heads) and heads[index] == at:
            last = int(breaks[np.searchsorted(breaks, index)])
            parts.append(heads[index : last + 1])
            at = int(ends[last])
        else:
            lone, stop = _walk(data, end, at, 1)  # a record longer than _LEAP, or the end of the chain
            if not len(lone):
                return np.concatenate(parts), at
            parts.append(lone)
            at = stop


def _search(
    data: NDArray[np.uint8], end: int, start: int, limit: int, patience: int
) -> tuple[list[tuple[int, int]], int, bool, int]:
    """The rule itself, one candidate at a time: (payload start, length) of each, and the rest of a `Scan`."""
    heads, lengths = find_headers(data, start, end)
    view, found, at, wasted = data.data, list[tuple[int, int]](), start, 0
    for head, length in zip(heads.tolist(), lengths.tolist(), strict=True):
        stop = head + OVERHEAD + length
        if head < at or stop > limit:
            continue
        if stop > end:
            return found, head, True, wasted
        claimed = int.from_bytes(view[stop - FOOTER : stop], "little")
        if masked_crc(view[head + HEADER : stop - FOOTER]) == claimed:
            found.append((head + HEADER, length))
            at = stop
        else:
            wasted += length
            if wasted > patience:
                return found, head + 1, False, wasted
    return found, max(at, end - HEADER + 1), False, wasted


@cache
def _length_crcs() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """CRC of the 8 bytes of a length below 2**32: the xor of entries for its lower and its upper 16 bits."""
    table, half = contributions(8), np.arange(1 << 16)
    low = table[7].take(half & 0xFF) ^ table[6].take(half >> 8) ^ np.uint32(crc32c(bytes(8)))
    return low, table[5].take(half & 0xFF) ^ table[4].take(half >> 8)

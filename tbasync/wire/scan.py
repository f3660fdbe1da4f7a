"""Which stretches of a buffer are whole records, also where some of it is damaged or missing.

A record, all numbers little-endian (https://www.tensorflow.org/tutorials/load_data/tfrecord):

    uint64 length | uint32 masked CRC of these 8 bytes | `length` bytes of payload | uint32 masked CRC of them

A record is **whole** when both CRCs are right and it is shorter than 2 GiB, protobuf's own limit. Scanning
from a position takes the whole record that starts there, or else the first that starts later, and goes on
behind it: what lies between is damage. This one rule covers a torn tail, a record torn in the middle with
others appended behind it, flipped bits in header or payload, and lost or foreign stretches.

The rule is applied fast where all is well (chains of headers found with numpy), and one candidate at a time
from the first irregularity of a buffer on.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import NamedTuple

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from .crc import contributions, mask, masked_crc
from .rowcrc import payloads_match

HEADER, FOOTER = 12, 4
OVERHEAD = HEADER + FOOTER
LONGEST_PAYLOAD = (1 << 31) - 1  # protobuf's limit for a message, in bytes
PADDING = 16  # bytes that a buffer given to `scan` must hold beyond its end; their value does not matter

_TASTE = 32  # records walked one by one to see whether they are small
_LEAP = (1 << 16) - 1  # longest payload that the search for many headers at once looks for
_SMALL = 192  # bytes of a record on average below which finding headers with numpy pays

_header = struct.Struct("<QI").unpack_from


class Scan(NamedTuple):
    """What `scan` found in a buffer.

    Attributes:
        starts: int64[n], where the payload of each whole record begins, ascending.
        lengths: int64[n], the payloads' lengths in bytes.
        settled: all bytes before this offset are accounted for: in one of the records, or in none.
        is_open: a right header stands at `settled`, of a record that ends beyond the buffer.
        wasted: bytes of candidate payloads whose CRC was computed and found wrong.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    settled: int
    is_open: bool
    wasted: int


def header_at(data: bytes | memoryview, at: int = 0) -> int | None:
    """The length that the 12 bytes at `at` claim; None when they carry a wrong CRC."""
    length, crc = _header(data, at)
    return int(length) if masked_crc(data[at : at + 8]) == crc else None


def scan(data: NDArray[np.uint8], end: int, start: int, limit: int, patience: int) -> Scan:
    """The whole records of `data[start:end]`, where `data` holds at least `end + PADDING` bytes.

    Args:
        data: uint8, contiguous.
        start: where a record is expected.
        limit: where the file ends, `limit >= end`; a record that claims to end behind it is not whole.
        patience: stop as soon as `wasted` passes this many bytes. It bounds the time that a file made to
            have very many overlapping candidates can take.
    """
    starts, lengths, stop = _chain(data, end, start)
    right = payloads_match(data, starts, lengths)
    if not right.all():
        keep = int(right.argmin())
        stop = int(starts[keep]) - HEADER
        starts, lengths = starts[:keep], lengths[:keep]
    elif stop + HEADER > end:
        return Scan(starts, lengths, stop, False, 0)
    elif _may_be_whole(header_at(data.data, stop), limit - stop):
        return Scan(starts, lengths, stop, True, 0)
    found, settled, is_open, wasted = _search(data, end, stop, limit, patience)
    late = np.array(found, np.int64).reshape(-1, 2)
    return Scan(
        np.concatenate([starts, late[:, 0]]), np.concatenate([lengths, late[:, 1]]), settled, is_open, wasted
    )


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
        return np.empty(0, np.int64), np.empty(0, np.int64)
    zero = data[start:end] == 0
    pair = zero[:-1] & zero[1:]
    four = pair[:-2] & pair[2:]
    upper = four[4 : count + 4]  # a length's upper bytes rule out most offsets
    if longest < 1 << 16:
        upper = upper & pair[2 : count + 2]
    if np.count_nonzero(upper) > count >> 3:  # much is zero: a header that is all zeros is not right
        upper = upper & ~(four[:count] & four[8 : count + 8])
    at = np.flatnonzero(upper) + start
    every: NDArray[np.void] = np.ndarray((len(data) - HEADER + 1,), f"V{HEADER}", data, strides=(1,))
    lengths, _, claimed = np.ascontiguousarray(every[at].view("<u4").reshape(-1, 3).T)
    low, high = _length_crcs()
    crc = low.take(lengths & np.uint32(0xFFFF))
    if longest >= 1 << 16:
        crc ^= high.take(lengths >> np.uint32(16))
    right = np.flatnonzero((mask(crc) == claimed) & (lengths <= longest))
    return at[right], lengths[right].astype(np.int64)


def _chain(data: NDArray[np.uint8], end: int, start: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Records that follow one another from `start`, by headers alone: payload starts, lengths, the end."""
    starts, stop = _walk(data, end, start, _TASTE)
    if len(starts) == _TASTE and stop - start < _TASTE * _SMALL:
        more, stop = _leap(data, end, stop)
    else:
        rest, stop = _walk(data, end, stop, end)
        more = np.array(rest, np.int64)
    heads = np.concatenate([np.array(starts, np.int64), more])
    ends = np.append(heads[1:], stop)[: len(heads)]
    return heads + HEADER, ends - heads - OVERHEAD, stop


def _walk(data: NDArray[np.uint8], end: int, start: int, most: int) -> tuple[list[int], int]:
    """`_chain` one header at a time, at most `most` records: their offsets and the end."""
    view, heads, at = data.data, list[int](), start
    while at + HEADER <= end and len(heads) < most:
        length = header_at(view, at)
        if length is None or at + OVERHEAD + length > end:
            break
        heads.append(at)
        at += OVERHEAD + length
    return heads, at


def _leap(data: NDArray[np.uint8], end: int, start: int) -> tuple[NDArray[np.int64], int]:
    """`_chain` through all right headers at once: the records' offsets and the end.

    A payload may hold what looks like a header; following each record's end to the next record skips it.
    """
    heads, lengths = find_headers(data, start, end, _LEAP)
    inside = heads + lengths + OVERHEAD <= end
    heads, ends = heads[inside], (heads + lengths + OVERHEAD)[inside]
    breaks = np.append(np.flatnonzero(heads[1:] != ends[:-1]), len(heads) - 1)
    parts, at = [np.empty(0, np.int64)], start
    while True:
        index = int(np.searchsorted(heads, at))
        if index < len(heads) and heads[index] == at:
            last = int(breaks[np.searchsorted(breaks, index)])
            parts.append(heads[index : last + 1])
            at = int(ends[last])
        else:
            lone, stop = _walk(data, end, at, 1)  # a record longer than _LEAP, or the end of the chain
            if not lone:
                return np.concatenate(parts), at
            parts.append(np.array(lone, np.int64))
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

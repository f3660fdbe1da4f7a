"""Framing: which stretches of a buffer are whole records, against the rule written down plainly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.wire import scan as module
from tbasync.wire.scan import PADDING, Scan, find_headers, header_at, scan

from .event_bytes import header, masked, record, scalar
from .rule import whole_records

ENDLESS = 1 << 62


def scanned(
    data: bytes,
    start: int = 0,
    limit: int | None = None,
    patience: int = ENDLESS,
    before: np.ndarray = module.NONE,
) -> Scan:
    """`scan` of all of `data`, with a padding that would mislead it if it looked there."""
    buffer = np.frombuffer(data + record(b"")[:PADDING].ljust(PADDING, b"\0"), np.uint8)
    return scan(buffer, len(data), start, len(data) if limit is None else limit, patience, before)


def found(result: Scan) -> list[tuple[int, int]]:
    """(payload start, length) of each record."""
    return list(zip(result.starts.tolist(), result.lengths.tolist(), strict=True))


A, B = record(b"a whole record"), record(scalar("loss", 0.5, 7))
TABLE = [
    ("nothing", b"", 0, 0),
    ("two records", A + B, 2, len(A + B)),
    ("an empty record", record(b"") + A, 2, 16 + len(A)),
    ("5 bytes of a header", A + B[:5], 1, len(A)),
    ("a header but for one byte", A + B[:11], 1, len(A)),
    ("a header and no more", A + B[:12], 1, None),
    ("half a payload", A + B[:20], 1, None),
    ("a payload without its CRC", A + B[:-4], 1, None),
    ("all but the last byte", A + B[:-1], 1, None),
    ("zeros behind a record, as after a power cut", A + bytes(40), 1, None),
    ("a length of 2**63", A + header(1 << 63) + B, 2, len(A + B) + 12),
    ("a length of 2**64 - 1", A + header((1 << 64) - 1) + B, 2, len(A + B) + 12),
    ("a claim of a gigabyte", A + header(1 << 30) + B, 2, len(A + B) + 12),
    ("a torn record, and others behind it", A[:20] + A + B, 2, len(A[:20] + A + B)),
    ("a header whose length was changed", b"\x0f" + A[1:] + B, 1, len(A + B)),
    ("a byte missing", A[:15] + A[16:] + B, 1, len(A + B) - 1),
    ("a wrong payload CRC", A[:-1] + b"\0" + B, 1, len(A + B)),
    ("a record within a record", record(B) + A, 2, len(record(B) + A)),
    ("a record within a damaged one", record(B)[:-1] + b"\0" + A, 2, len(record(B) + A)),
]


@pytest.mark.parametrize(("name", "data", "count", "settled"), TABLE, ids=[row[0] for row in TABLE])
def test_table(name: str, data: bytes, count: int, settled: int | None) -> None:
    """Each of the worst places gives the records that are whole, and goes as far as can be told."""
    result = scanned(data)
    assert len(result.starts) == count
    assert found(result) == whole_records(data)
    if settled is not None:
        assert result.settled == settled
    assert result.settled >= len(data) - 11
    assert not result.is_open


@pytest.mark.parametrize("cut", range(len(A + B) + 1))
def test_every_cut_of_a_growing_file(cut: int) -> None:
    """Two records cut at each byte: what is there is found, and the rest is taken up where it was left."""
    data = A + B
    first = scanned(data[:cut], limit=len(data))
    assert first.settled == sum(len(one) for one in (A, B)[: len(first.starts)])
    assert first.is_open == (cut - first.settled >= 12)
    rest = scanned(data[first.settled :])
    assert found(first) + [(at + first.settled, n) for at, n in found(rest)] == whole_records(data)


pieces = st.one_of(
    st.builds(record, st.binary(max_size=40)),
    st.builds(lambda n: record(scalar("loss", n / 3, n)) * (n % 50), st.integers(0, 2000)),
    st.builds(lambda n: record(bytes(n)), st.integers(0, 700)),
    st.builds(lambda data: record(record(data)), st.binary(max_size=10)),
    st.builds(header, st.sampled_from([0, 1, 30, 300, 70_000, 1 << 31, 1 << 32, 1 << 63])),
    st.builds(lambda data: data + masked(data), st.binary(max_size=20)),
    st.binary(max_size=30),
    st.builds(bytes, st.integers(0, 60)),
)


@given(
    st.lists(pieces, max_size=12),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_damage_anywhere_equals_the_rule(parts: list[bytes], flips: list[tuple[int, int]]) -> None:
    """Whole records are found as the plain rule finds them, whatever lies between them."""
    data = bytearray(b"".join(parts))
    for at, change in flips:
        if data:
            data[at % len(data)] ^= change
    assert found(scanned(bytes(data))) == whole_records(bytes(data))


@given(st.lists(pieces, max_size=8), st.integers(1, 400))
@settings(max_examples=100, deadline=None)
def test_buffer_by_buffer_equals_the_rule(parts: list[bytes], size: int) -> None:
    """A file scanned in buffers of any size holds the records that it holds in one."""
    data, at, skip, records = b"".join(parts), 0, 0, list[tuple[int, int]]()
    expected = [(start, length) for start, length in whole_records(data) if length + 16 <= size]
    while at < len(data):
        end = min(len(data), at + size)
        result = scanned(data[at:end], skip, limit=len(data) - at)
        records += [(start + at, length) for start, length in found(result)]
        if result.is_open and not result.settled:  # longer than the buffer
            length = header_at(data, at)
            assert length is not None
            whole = data[at + 12 : at + 16 + length] == data[at + 12 : at + 12 + length] + masked(
                data[at + 12 : at + 12 + length]
            )
            at, skip = (at + 16 + length, 0) if whole else (at, 1)
        elif end == len(data):
            break
        else:
            assert result.settled > 0 or size < 12
            at, skip = at + max(result.settled, 1 if size < 12 else 0), 0
    assert records == expected


def test_many_small_and_few_large_records_together() -> None:
    """Records far beyond the length that the search for many headers looks for do not end a chain."""
    small, large = record(scalar("loss", 1.0, 3)), record(bytes(70_000))
    data = (small * 500 + large) * 3 + small * 40
    assert found(scanned(data)) == whole_records(data)


def test_guesses_change_nothing() -> None:
    """Whatever came before is taken for a hint: right, wrong, long or short, the records found are the same."""
    period = [record(bytes(length)) for length in (5, 9, 9, 30, 7)]
    regular = period * 60
    odd = [*regular[:133], record(bytes(300)), *regular[133:], record(bytes(70_000)), *regular]
    for pieces in (regular, odd, [*odd, b"junk"], [*odd[:150], b"junk", *odd[150:]], [*odd, B[:20]]):
        data = b"".join(pieces)
        expected = whole_records(data)
        for hint in (regular, odd, odd[7:], odd[:140], period * 3, [record(bytes(256 + 5))] * 40, []):
            before = np.array([len(one) - 16 for one in hint], np.int64)
            assert found(scanned(data, before=before)) == expected


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 60)), max_size=3),
    st.integers(0, 40),
)
@settings(max_examples=60, deadline=None)
def test_guesses_of_periods_change_nothing(
    period: list[int], changes: list[tuple[int, int]], shift: int
) -> None:
    """Records of periodic lengths, with some changed or put in, are found with and without what came before."""
    lengths = period * (160 // len(period))
    for at, length in changes:
        lengths.insert(at % len(lengths), length)
    data = b"".join(record(bytes(length)) for length in lengths)
    for before in (lengths, lengths[shift:], period * 80):
        assert found(scanned(data, before=np.array(before, np.int64))) == whole_records(data)


def test_what_looks_like_a_header_is_skipped() -> None:
    """Right headers within payloads are no records, in the fast way through many small ones as well."""
    data = record(header(4) + header(20)) * 200
    result = scanned(data)
    assert len(result.starts) == 200
    assert found(result) == whole_records(data)


def test_patience_ends_the_search() -> None:
    """Overlapping candidates are checksummed up to the limit given, and no further."""
    data = header(2000) * 400 + bytes(2100)
    result = scanned(data, patience=10_000)
    assert 10_000 < result.wasted <= 12_000
    assert not result.starts.size
    assert scanned(data).wasted == 2000 * 400


def test_an_open_record_is_where_the_buffer_ends() -> None:
    """A right header of a record beyond the buffer, but within the file, is left to the caller."""
    result = scanned(A + header(5000) + bytes(100), limit=10_000)
    assert (result.settled, result.is_open) == (len(A), True)
    damaged = scanned(b"\1" + A[1:] + header(5000) + bytes(100), limit=10_000)
    assert (damaged.settled, damaged.is_open) == (len(A), True)


def test_a_record_longer_than_protobuf_allows_is_never_open() -> None:
    """A right header of 2 GiB or more, in a file that has room for it, begins no record."""
    for length in ((1 << 31) - 1, 1 << 31, 1 << 40):
        result = scanned(A + header(length) + B, limit=1 << 50)
        assert result.is_open == (length < 1 << 31)
        assert len(result.starts) == (1 if result.is_open else 2)


@given(st.lists(st.integers(0, (1 << 31) - 1), max_size=30), st.integers(0, 11))
@settings(max_examples=50, deadline=None)
def test_headers_of_all_lengths_are_found(lengths: list[int], shift: int) -> None:
    """The search for headers finds each, at any alignment; the faster one those below 2**16."""
    data = b"\xff" * shift + b"".join(header(length) + b"\xff" for length in lengths)
    buffer = np.frombuffer(data + bytes(PADDING), np.uint8)
    places = [shift + 13 * index for index in range(len(lengths))]
    at, claimed = find_headers(buffer, 0, len(data))
    assert (at.tolist(), claimed.tolist()) == (places, lengths)
    at, claimed = find_headers(buffer, 0, len(data), module._LEAP)
    short = [(place, length) for place, length in zip(places, lengths, strict=True) if length < 1 << 16]
    assert list(zip(at.tolist(), claimed.tolist(), strict=True)) == short

"""The CRC of many rows at once, against the CRC of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.wire import rowcrc

from .event_bytes import masked


def buffer_of(rows: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The rows with the CRCs behind them, and where each starts."""
    pieces, starts, at = [], [], 0
    for row in rows:
        starts.append(at)
        pieces.append(row + masked(row))
        at += len(row) + 4
    return np.frombuffer(b"".join(pieces) + bytes(16), np.uint8), np.array(starts, np.int64)


@given(st.integers(1, 256), st.integers(1, 40), st.integers(0, 2**32), st.booleans())
@settings(max_examples=60, deadline=None)
def test_rows_equal_single_crcs(length: int, count: int, seed: int, alike: bool) -> None:
    """The CRCs of rows, random or nearly alike, are those of each row alone."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 256, (count, length), np.uint8)
    if alike:
        rows[:] = rows[0]
        rows[:, random.integers(length)] = random.integers(0, 256, count)
    data, starts = buffer_of([row.tobytes() for row in rows])
    (grouped,) = rowcrc.group(data, starts, np.full(count, length))
    assert rowcrc.row_crcs(grouped).astype("<u4").tobytes() == b"".join(masked(row.tobytes()) for row in rows)


@given(st.lists(st.integers(0, 40), max_size=80), st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_is_found(lengths: list[int], data: st.DataObject) -> None:
    """Of payloads of any lengths, exactly those with a flipped bit, there or in the CRC, do not match."""
    rows = [bytes([index % 251]) * length for index, length in enumerate(lengths)]
    buffer, starts = buffer_of(rows)
    buffer = buffer.copy()
    wrong = data.draw(st.sets(st.integers(0, max(len(rows) - 1, 0)), max_size=len(rows)))
    for row in wrong:
        at = int(starts[row]) + data.draw(st.integers(0, len(rows[row]) + 3))
        buffer[at] ^= 1 << data.draw(st.integers(0, 7))
    sizes = np.array(lengths, np.int64)
    match = rowcrc.payloads_match(buffer, starts, sizes, rowcrc.group(buffer, starts, sizes))
    assert set(np.flatnonzero(~match).tolist()) == wrong


def test_no_rows() -> None:
    """No payloads at all give an empty answer."""
    none = np.empty(0, np.int64)
    assert rowcrc.group(np.zeros(16, np.uint8), none, none) == []
    assert rowcrc.payloads_match(np.zeros(16, np.uint8), none, none, []).shape == (0,)

"""The rule for whole records, word for word as scan's docstring states it and with no thought of speed."""

from __future__ import annotations

import struct

from tbasync.wire.fields import Malformed, validate

from .event_bytes import header, masked


def whole_records(data: bytes) -> list[tuple[int, int]]:
    """(payload start, payload length) of each whole record."""
    found, at = list[tuple[int, int]](), 0
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        stop = at + 12 + length
        if (
            length < 1 << 31
            and data[at : at + 12] == header(length)
            and stop + 4 <= len(data)
            and data[stop : stop + 4] == masked(data[at + 12 : stop])
        ):
            found.append((at + 12, length))
            at = stop + 4
        else:
            at += 1
    return found


def is_event(payload: bytes) -> bool:
    """Whether the payload passes the walk."""
    try:
        validate(payload, 0, len(payload))
    except Malformed:
        return False
    return True


def intact(data: bytes) -> list[bytes]:
    """The bytes of each whole record that is an event, framing included."""
    return [
        data[start - 12 : start + length + 4]
        for start, length in whole_records(data)
        if is_event(data[start : start + length])
    ]

"""Event files made by hand, byte by byte, so that the readers' tests depend on no writer."""

from __future__ import annotations

import struct

from crc32c import crc32c

from tbasync.wire.message import delimited, key, varint


def masked(data: bytes) -> bytes:
    """TFRecord's masked CRC of `data`, as its four bytes."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def header(length: int) -> bytes:
    """A right header that claims this length."""
    claimed = struct.pack("<Q", length)
    return claimed + masked(claimed)


def record(payload: bytes) -> bytes:
    """The payload as a whole record."""
    return header(len(payload)) + payload + masked(payload)


def event(step: int = 0, wall_time: float = 0.0, rest: bytes = b"") -> bytes:
    """A serialized Event; numbers that are 0 are left out, as protobuf leaves them out."""
    time = key(1, 1) + struct.pack("<d", wall_time) if wall_time else b""
    return time + (key(2, 0) + varint(step) if step else b"") + rest


def version(wall_time: float = 1.0, text: bytes = b"brain.Event:2") -> bytes:
    """The event that begins a file."""
    return event(0, wall_time, delimited(3, text))


def scalar(tag: str, value: float, step: int = 0, wall_time: float = 1.5) -> bytes:
    """An event with one scalar, as torch's writer writes it."""
    inner = delimited(1, tag.encode()) + key(2, 5) + struct.pack("<f", value)
    return event(step, wall_time, delimited(5, delimited(1, inner)))


def value(tag: str, rest: bytes, metadata: bytes = b"") -> bytes:
    """A Summary.Value of any kind, as a field of its Summary."""
    return delimited(1, delimited(1, tag.encode()), rest, delimited(9, metadata) if metadata else b"")


def plugin(name: str, content: bytes = b"") -> bytes:
    """A SummaryMetadata that names a plugin."""
    return delimited(1, delimited(1, name.encode()), delimited(2, content) if content else b"")


def session_start(step: int) -> bytes:
    """The event that `purge_step` writes."""
    return event(step, 2.0, delimited(7, b"\x08\x01"))

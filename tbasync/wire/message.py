"""Protobuf's wire format, as far as the hot encoders need it: varints and length-delimited fields.

Format: https://protobuf.dev/programming-guides/encoding/ . Kinds that are off the hot path use the
message classes of `tbasync.proto`; these helpers are for bytes that already exist as numpy buffers,
where a message object per element would cost more than the work itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


@lru_cache(4096)  # sizes, keys and steps, which come again and again
def varint(value: int) -> bytes:
    """`value` as a base-128 varint; negative integers as protobuf's int64 does (two's complement)."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def key(field: int, wire_type: int) -> bytes:
    """The key that precedes a field's payload: the field's number and its wire type."""
    return varint(field << 3 | wire_type)


def delimited(field: int, *payload: bytes) -> bytes:
    """A length-delimited field (string, bytes, message or packed repeated) of the joined `payload`."""
    return b"".join((key(field, LENGTH), varint(sum(map(len, payload))), *payload))


def nested(field: int, parts: Sequence[bytes]) -> list[bytes]:
    """`delimited` in parts: messages around megabytes are then joined once, not once a level.

    That join also lets other threads run: CPython gives up the GIL in joins of `bytes` of more than 1 MiB.
    """
    return [key(field, LENGTH) + varint(sum(map(len, parts))), *parts]

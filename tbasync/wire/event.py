"""The Event message: a wall time, a step and one thing that happened.

Field numbers: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto .
Fields are written in the order of their numbers, as protobuf's own serializers write them.
"""

from __future__ import annotations

import struct

from .message import delimited, key, varint

FILE_VERSION = b"brain.Event:2"

# Field numbers of what an event may carry.
FILE_VERSION_FIELD, GRAPH_DEF, SUMMARY, SESSION_LOG, TAGGED_RUN_METADATA, SOURCE_METADATA = 3, 4, 5, 7, 8, 10

_WALL_TIME = struct.Struct("<Bd")
_STEP_KEY = key(2, 0)


def event(wall_time: float, step: int, field: int, payload: bytes) -> bytes:
    """One event that carries `payload`, the serialized message or string of `field`.

    Args:
        wall_time: seconds since the epoch.
        step: -2**63 <= step < 2**63; 0 is left out, as protobuf does with a default.
        field: one of the field numbers above.
        payload: the field's content without its key and length.
    """
    head = _WALL_TIME.pack(0x09, wall_time)
    if step:
        head += _STEP_KEY + varint(step)
    return head + delimited(field, payload)


def first_event(wall_time: float) -> bytes:
    """The event that opens every event file: the format's version and who writes it."""
    writer = delimited(1, b"tbasync")
    version = event(wall_time, 0, FILE_VERSION_FIELD, FILE_VERSION)
    return version + delimited(SOURCE_METADATA, writer)

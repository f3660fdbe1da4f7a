"""The Event message: a wall time, a step and one thing that happened.

Field numbers: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto .
Fields are written in the order of their numbers, as protobuf's own serializers write them.
"""

from __future__ import annotations

import struct

from .message import delimited, key, varint

FILE_VERSION = b"brain.Event:2"

# Field numbers of what an event may carry.
_FILE_VERSION, GRAPH_DEF, SUMMARY, SESSION_LOG, TAGGED_RUN_METADATA, SOURCE_METADATA = 3, 4, 5, 7, 8, 10

_WALL_TIME = struct.Struct("<Bd")
_STEP_KEY = key(2, 0)
_SESSION_START = key(1, 0) + varint(1)  # SessionLog.status = START


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
    version = event(wall_time, 0, _FILE_VERSION, FILE_VERSION)
    return version + delimited(SOURCE_METADATA, writer)


def purge_events(wall_time: float, step: int) -> list[bytes]:
    """The two events that make TensorBoard hide everything it has read from `step` on.

    Readers of format 1 look at the version's step, readers of format 2 at the session's start
    (tensorboard/backend/event_processing/plugin_event_accumulator.py), so both are written.
    """
    return [
        event(wall_time, step, _FILE_VERSION, FILE_VERSION),
        event(wall_time, step, SESSION_LOG, _SESSION_START),
    ]

"""An Event and the values in its Summary, taken apart; for messages that passed `fields.validate`.

The rules for what stands in a message more than once are protobuf's: of numbers and texts the last one
counts, messages are merged (which is what parsing their bytes joined together does), and setting one member
of a oneof clears the others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .fields import signed, varint, walk

# Field numbers of Event's oneof `what` and of Summary.Value's oneof `value`.
FILE_VERSION, GRAPH, SUMMARY, LOG_MESSAGE, SESSION_LOG, TAGGED_RUN_METADATA, META_GRAPH = range(3, 10)
SIMPLE, OLD_HISTOGRAM, IMAGE, HISTOGRAM, AUDIO, NODE_NAME, TENSOR, METADATA = range(2, 10)
SESSION_START = 1  # SessionLog.START

_EVENT_MESSAGES = frozenset((SUMMARY, LOG_MESSAGE, SESSION_LOG, TAGGED_RUN_METADATA))
_VALUE_MESSAGES = frozenset((IMAGE, HISTOGRAM, AUDIO, TENSOR))
_VALUES = frozenset((SIMPLE, OLD_HISTOGRAM, IMAGE, HISTOGRAM, AUDIO, TENSOR))
_double = struct.Struct("<d").unpack_from


@dataclass(slots=True)
class Event:
    """One event: `what` is the field number of what it holds, 0 for nothing, `body` that field's payload."""

    wall_time: float = 0.0
    step: int = 0
    what: int = 0
    body: bytes = b""


@dataclass(slots=True)
class Value:
    """One value of a Summary: `kind` is the field number of what it holds, 0 for none; `body` its payload."""

    tag: bytes = b""
    node_name: bytes = b""
    metadata: bytes = b""
    kind: int = 0
    body: bytes = b""


def event(data: bytes) -> Event:
    """The event whose serialized form is `data`."""
    found, body = Event(), list[bytes]()
    for number, _, start, stop in walk(data):
        if number == 1:
            found.wall_time = _double(data, start)[0]
        elif number == 2:
            found.step = signed(varint(data, start, stop))
        elif number <= META_GRAPH:
            if number != found.what or number not in _EVENT_MESSAGES:
                body.clear()
            found.what = number
            body.append(data[start:stop])
    found.body = b"".join(body)
    return found


def values(summary: bytes) -> Iterator[Value]:
    """The values of a serialized Summary, in order."""
    return (_value(summary[start:stop]) for number, _, start, stop in walk(summary) if number == 1)


def _value(data: bytes) -> Value:
    found, body, metadata = Value(), list[bytes](), list[bytes]()
    for number, _, start, stop in walk(data):
        if number in _VALUES:
            if number != found.kind or number not in _VALUE_MESSAGES:
                body.clear()
            found.kind = number
            body.append(data[start:stop])
        elif number == 1:
            found.tag = data[start:stop]
        elif number == NODE_NAME:
            found.node_name = data[start:stop]
        elif number == METADATA:
            metadata.append(data[start:stop])
    found.body, found.metadata = b"".join(body), b"".join(metadata)
    return found


def plugin_of(metadata: bytes) -> tuple[str, bytes, int]:
    """The plugin's name and content and the data class in a serialized SummaryMetadata."""
    plugin = b"".join(metadata[start:stop] for number, _, start, stop in walk(metadata) if number == 1)
    name, content = last_field(plugin, 1), last_field(plugin, 2)
    data_class = last_field(metadata, 4)
    return name.decode(), content, varint(data_class, 0, len(data_class))


def last_field(message: bytes, field: int) -> bytes:
    """The payload of a `field` that is no message; the last one's if there are several, empty without any."""
    found = b""
    for number, _, start, stop in walk(message):
        if number == field:
            found = message[start:stop]
    return found


def is_session_start(session_log: bytes) -> bool:
    """Whether a serialized SessionLog says that a session starts."""
    status = last_field(session_log, 1)
    return varint(status, 0, len(status)) == SESSION_START

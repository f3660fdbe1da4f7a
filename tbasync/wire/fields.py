"""Is this an Event? A bounded walk over protobuf's wire format, and the fields of what passed it.

Format: https://protobuf.dev/programming-guides/encoding/ . The walk needs no memory that grows with its
input and no recursion, where a protobuf library builds objects many times the message's size. It is as strict
as the strictest reader that a message will meet: what passes is accepted by Google's parsers and by
TensorBoard's data server (https://docs.rs/prost), which unlike Google's refuses known fields of a wrong wire
type and numbers beyond 64 bits.

Field numbers and types are those of TensorFlow's event.proto, summary.proto, tensor.proto and their imports.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Protocol, TypeAlias, overload

import numpy as np

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
DEEPEST = 100  # messages and groups inside one another, the limit of all known parsers
_PIECE = 1 << 20  # bytes of a long field that are looked at together


class Source(Protocol):
    """What can be walked: bytes, a memoryview of bytes, or a stretch of a file that behaves like one."""

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> bytes | memoryview: ...


class Malformed(ValueError):
    """A message breaks the wire format or its schema; `at` is the offset of the offending field's key."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


class Message:
    """The fields of a message type.

    Args:
        fields: field number -> "varint", "double", "float", "string" or "bytes"; their plural for a repeated
            number, packed or not; or another Message, singular and repeated alike.
    """

    def __init__(self, fields: Mapping[int, str | Message]) -> None:
        self.numbers = frozenset(fields)
        self.by_key: dict[int, str | Message] = {}
        for number, kind in fields.items():
            self.add(number, kind)

    def add(self, number: int, kind: str | Message) -> None:
        """A further field; for types that hold themselves."""
        self.numbers |= {number}
        wire = _WIRE.get(kind, LENGTH) if isinstance(kind, str) else LENGTH
        self.by_key[number << 3 | wire] = kind
        if kind in _PACKABLE:
            self.by_key[number << 3 | LENGTH] = kind


_WIRE = {
    **dict.fromkeys(("varint", "varints"), VARINT),
    **dict.fromkeys(("double", "doubles"), FIXED64),
    **dict.fromkeys(("float", "floats"), FIXED32),
}
_PACKABLE = frozenset(("varints", "doubles", "floats"))

_SHAPE = Message({2: Message({1: "varint", 2: "string"}), 3: "varint"})
_RESOURCE = Message(
    {
        **dict.fromkeys((1, 2, 3, 5), "string"),
        4: "varint",
        6: Message({1: "varint", 2: _SHAPE}),
    }
)
_VARIANT = Message({1: "string", 2: "bytes"})
TENSOR = Message(
    {
        **dict.fromkeys((1, 3), "varint"),
        2: _SHAPE,
        **dict.fromkeys((4, 18), "bytes"),
        8: "bytes",
        **dict.fromkeys((5, 9), "floats"),
        **dict.fromkeys((6, 12), "doubles"),
        **dict.fromkeys((7, 10, 11, 13, 16, 17), "varints"),
        14: _RESOURCE,
        15: _VARIANT,
    }
)
_VARIANT.add(3, TENSOR)
IMAGE = Message({1: "varint", 2: "varint", 3: "varint", 4: "bytes"})
AUDIO = Message({1: "float", 2: "varint", 3: "varint", 4: "bytes", 5: "string"})
HISTOGRAM = Message({**dict.fromkeys(range(1, 6), "double"), 6: "doubles", 7: "doubles"})
METADATA = Message({1: Message({1: "string", 2: "bytes"}), 2: "string", 3: "string", 4: "varint"})
VALUE = Message(
    {
        1: "string",
        2: "float",
        3: "bytes",
        4: IMAGE,
        5: HISTOGRAM,
        6: AUDIO,
        7: "string",
        8: TENSOR,
        9: METADATA,
    }
)
SUMMARY = Message({1: VALUE})
EVENT = Message(
    {
        1: "double",
        2: "varint",
        3: "string",
        4: "bytes",
        5: SUMMARY,
        6: Message({1: "varint", 2: "string"}),
        7: Message({1: "varint", 2: "string", 3: "string"}),
        8: Message({1: "string", 2: "bytes"}),
        9: "bytes",
        10: Message({1: "string"}),
    }
)

_Open: TypeAlias = "tuple[Message | None, int, int]"  # of an enclosing message: type, end, open group


def validate(data: Source, start: int, end: int, message: Message = EVENT) -> None:
    """Raise Malformed unless `data[start:end]` is a `message`; in linear time and constant memory."""
    stack: list[_Open] = []
    fields: Message | None = message  # None inside an unknown group, where anything goes
    group = 0  # the number of the group that must be closed, 0 in a message
    at = start
    while True:
        if at == end:
            if group:
                raise Malformed(at, "a group is not closed")
            if not stack:
                return
            fields, end, group = stack.pop()
            continue
        here = at
        key = data[at]
        at += 1
        if key >= 0x80:
            key, at = _number(data, here, end, 5)
        kind = fields.by_key.get(key) if fields is not None else None
        if kind is None:
            _check_unknown(here, key, fields)
        wire = key & 7
        if wire == LENGTH:
            size, at = _length(data, here, at, end)
            if isinstance(kind, Message):
                _descend(stack, here, (fields, end, group))
                fields, end, group = kind, at + size, 0
                continue
            if kind is not None and kind != "bytes":
                _check_content(data, here, at, at + size, kind)
            at += size
        elif wire == START_GROUP:
            _descend(stack, here, (fields, end, group))
            fields, group = None, key >> 3
        elif wire == END_GROUP:
            if key >> 3 != group:
                raise Malformed(here, "a group is closed that was not opened")
            fields, end, group = stack.pop()
        else:
            at = _after_number(data, here, at, end, key)


def walk(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message that passed `validate`, without groups: (number, wire type, start, stop).

    `data[start:stop]` is the payload: a varint's or fixed number's bytes, or what a length announced.
    """
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        at += 1
        if key >= 0x80:
            key, at = _number(data, at - 1, end, 5)
        wire = key & 7
        if wire == LENGTH:
            size = data[at]
            at += 1
            if size >= 0x80:
                size, at = _number(data, at - 1, end, 5)
        elif wire == VARINT:
            size = 1
            while data[at + size - 1] >= 0x80:
                size += 1
        elif wire == START_GROUP:
            at = _after_group(data, at)
            continue
        else:
            size = 8 if wire == FIXED64 else 4
        yield key >> 3, wire, at, at + size
        at += size


def varint(data: bytes, start: int, stop: int) -> int:
    """The unsigned number in the varint `data[start:stop]`."""
    value = 0
    for byte in data[start:stop][::-1]:
        value = value << 7 | byte & 0x7F
    return value


def signed(value: int) -> int:
    """The int64 or int32 whose two's complement, as protobuf writes it, is the varint `value`."""
    return value - (1 << 64) if value >> 63 else value


def _after_group(data: bytes, at: int) -> int:
    """The offset behind the end of the group whose content begins at `at`."""
    depth = 1
    while depth:
        key, at = _number(data, at, len(data), 5)
        wire = key & 7
        if wire == LENGTH:
            size, at = _number(data, at, len(data), 5)
            at += size
        elif wire == VARINT:
            at = _number(data, at, len(data), 10)[1]
        else:
            at += {FIXED32: 4, FIXED64: 8}.get(wire, 0)
            depth += {START_GROUP: 1, END_GROUP: -1}.get(wire, 0)
    return at


def _number(data: Source, at: int, end: int, most: int) -> tuple[int, int]:
    """The varint of at most `most` bytes and 64 bits at `at`, and where it ends."""
    value = shift = 0
    for index in range(at, min(at + most, end)):
        byte = data[index]
        if byte < 0x80:
            value |= byte << shift
            if value >> 64:
                raise Malformed(at, "a number has more than 64 bits")
            return value, index + 1
        value |= (byte & 0x7F) << shift
        shift += 7
    if at + most > end:
        raise Malformed(at, "a number runs past the end of its message")
    raise Malformed(at, f"a number takes more than {most} bytes")


def _check_unknown(here: int, key: int, fields: Message | None) -> None:
    """Raise Malformed for a key that no message has, or that is a known field's of these with a wrong wire type."""
    number, wire = key >> 3, key & 7
    if number == 0 or key >> 32:
        raise Malformed(here, "there is no field of that number")
    if fields is not None and number in fields.numbers and wire != END_GROUP:
        raise Malformed(here, f"field {number} has wire type {wire}, which is not its own")


def _length(data: Source, here: int, at: int, end: int) -> tuple[int, int]:
    """How long the payload is whose length stands at `at`, and where it begins."""
    size = data[at] if at < end else 0x80
    if size < 0x80:  # as nearly all are, for whom a further call would take as long as this one
        at += 1
    else:
        size, at = _number(data, at, end, 5)
    if size > end - at:
        raise Malformed(here, "a field is longer than the message that holds it")
    return size, at


def _descend(stack: list[_Open], here: int, enclosing: _Open) -> None:
    """Remember the enclosing message on the way into another, or into a group."""
    if len(stack) >= DEEPEST:
        raise Malformed(here, f"messages are nested more than {DEEPEST} deep")
    stack.append(enclosing)


def _after_number(data: Source, here: int, at: int, end: int, key: int) -> int:
    """The offset behind the varint or fixed number at `at`."""
    wire = key & 7
    if wire == VARINT:
        return _number(data, at, end, 10)[1]
    if wire not in (FIXED32, FIXED64):
        raise Malformed(here, f"there is no wire type {wire}")
    at += 4 if wire == FIXED32 else 8
    if at > end:
        raise Malformed(here, f"field {key >> 3} runs past the end of its message")
    return at


def _check_content(data: Source, here: int, start: int, stop: int, kind: str) -> None:
    """Raise Malformed unless the payload is one that a field of this `kind` can have."""
    if kind == "string":
        _check_text(data, here, start, stop)
    elif (stop - start) % {"doubles": 8, "floats": 4}.get(kind, 1):
        raise Malformed(here, "packed numbers end in the middle of one")
    elif kind == "varints":
        _check_varints(data, here, start, stop)


def _check_text(data: Source, here: int, start: int, stop: int) -> None:
    """Raise Malformed unless the bytes are UTF-8."""
    try:
        if stop - start <= _PIECE:
            str(data[start:stop], "utf-8")
            return
        decoder = codecs.getincrementaldecoder("utf-8")()
        for at in range(start, stop, _PIECE):
            decoder.decode(data[at : min(at + _PIECE, stop)])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        raise Malformed(here, "a text is not UTF-8") from None


def _check_varints(data: Source, here: int, start: int, stop: int) -> None:
    """Raise Malformed unless the bytes are whole varints of at most 64 bits."""
    begun = 0  # bytes of a varint that the pieces before have begun
    for at in range(start, stop, _PIECE):
        piece = np.frombuffer(data[at : min(at + _PIECE, stop)], np.uint8)
        last = np.flatnonzero(piece < 0x80)
        sizes = np.diff(last, prepend=-1 - begun)
        if (sizes > 10).any() or (piece[last[sizes == 10]] > 1).any():
            raise Malformed(here, "a packed number has more than 64 bits")
        begun = len(piece) - 1 - int(last[-1]) if last.size else begun + len(piece)
    if begun:
        raise Malformed(here, "packed numbers end in the middle of one")

"""The walk over protobuf's wire format: what it accepts, and that real parsers accept it too."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tbasync.wire import fields
from tbasync.wire.fields import DEEPEST, Malformed, Message, signed, validate, varint, walk
from tbasync.wire.message import delimited

from .event_bytes import event, plugin, scalar, value, version

UNKNOWN = b"\xa3\x06"  # the start of a group of a number that Event does not have
END = b"\xa4\x06"


def nested(depth: int) -> bytes:
    """An event of `depth` messages inside one another: tensors in variants in tensors."""
    inner = b""
    for _ in range((depth - 3) // 2):
        inner = delimited(15, delimited(3, inner))
    return delimited(5, delimited(1, delimited(8, inner)))


VALID = [
    ("nothing at all", b""),
    ("a scalar", scalar("loss", 1.0, 5)),
    ("a file version", version()),
    ("a negative step", event(-1)),
    ("a step of ten bytes", b"\x10" + b"\xff" * 9 + b"\x01"),
    ("a number with needless bytes", b"\x10\x81\x80\x00"),
    ("a key with needless bytes", b"\x90\x80\x80\x80\x00\x05"),
    ("a length with needless bytes", b"\x1a\x81\x80\x80\x80\x00a"),
    ("an unknown field", b"\xf8\xff\xff\xff\x0f\x01"),
    ("an unknown group", UNKNOWN + b"\x08\x01\x12\x01a" + b"\x0d1234" + b"\x0912345678" + END),
    ("groups to the limit", UNKNOWN * DEEPEST + END * DEEPEST),
    ("messages to the limit", nested(99)),
    ("NUL in a text", b"\x1a\x01\x00"),
    ("text beyond ASCII", delimited(3, "Größe 损失 🔥".encode())),
    ("packed doubles", delimited(5, value("h", delimited(5, delimited(6, bytes(16)))))),
    ("doubles not packed", delimited(5, value("h", delimited(5, b"\x31" + bytes(8))))),
    ("packed numbers", delimited(5, value("t", delimited(8, delimited(10, b"\x01\xff\x01\x05"))))),
    ("metadata", delimited(5, value("t", b"", plugin("text", b"\xff")))),
]
INVALID = [
    ("field number 0", b"\x00\x01", "no field of that number"),
    ("field number beyond 29 bits", b"\x90\x80\x80\x80\x10\x05", "no field of that number"),
    ("wire type 6", b"\x5e\x01", "no wire type 6"),
    ("wire type 7", b"\x5f\x01", "no wire type 7"),
    ("a key of six bytes", b"\x90\x80\x80\x80\x80\x00\x05", "takes more than 5 bytes"),
    ("a length of six bytes", b"\x1a\x81\x80\x80\x80\x80\x00a", "takes more than 5 bytes"),
    ("a number of eleven bytes", b"\x10" + b"\xff" * 10 + b"\x01", "takes more than 10 bytes"),
    ("a number beyond 64 bits", b"\x10" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
    ("a number cut short", b"\x10\x80", "runs past the end"),
    ("a key and no more", b"\x10", "runs past the end"),
    ("a double cut short", b"\x09" + bytes(7), "runs past the end"),
    ("a float cut short", delimited(5, delimited(1, b"\x15123")), "runs past the end"),
    ("a length cut short", b"\x1a", "runs past the end"),
    ("a text longer than its message", b"\x1a\x05abcd", "longer than the message"),
    ("a gigabyte's claim", b"\x22\xff\xff\xff\xff\x03", "longer than the message"),
    ("a claim of 2**35", b"\x22\xff\xff\xff\xff\x7f", "longer than the message"),
    ("a value longer than its summary", b"\x2a\x02\x0a\x05abcde", "longer than the message"),
    ("a text that is not UTF-8", b"\x1a\x01\xff", "not UTF-8"),
    ("half a surrogate pair", b"\x1a\x03\xed\xa0\x80", "not UTF-8"),
    ("a tag that is not UTF-8", delimited(5, delimited(1, b"\x0a\x01\x80")), "not UTF-8"),
    ("a character cut short", b"\x1a\x02a\xc3", "not UTF-8"),
    ("the end of no group", b"\x14", "was not opened"),
    ("the end of another group", UNKNOWN + b"\xac\x06", "was not opened"),
    ("a group without end", UNKNOWN, "is not closed"),
    ("a group across its message", b"\x2a\x02" + UNKNOWN + END, "is not closed"),
    ("a step that is a float", b"\x15abcd", "wire type 5"),
    ("a summary that is a number", b"\x28\x01", "wire type 0"),
    ("a known number as a group", b"\x13\x14", "wire type 3"),
    ("groups beyond the limit", UNKNOWN * (DEEPEST + 1) + END * (DEEPEST + 1), "more than 100 deep"),
    ("messages beyond the limit", nested(101), "more than 100 deep"),
    ("doubles cut short", delimited(5, value("h", delimited(5, delimited(6, bytes(9))))), "middle of one"),
    ("floats cut short", delimited(5, value("t", delimited(8, delimited(5, bytes(6))))), "middle of one"),
    ("numbers cut short", delimited(5, value("t", delimited(8, delimited(10, b"\x80")))), "middle of one"),
    (
        "a packed number beyond 64 bits",
        delimited(5, value("t", delimited(8, delimited(10, b"\xff" * 9 + b"\x02")))),
        "more than 64 bits",
    ),
]


@pytest.mark.parametrize(("name", "data"), VALID, ids=[row[0] for row in VALID])
def test_valid(name: str, data: bytes) -> None:
    """Each of these is an event, by the walk and by Google's parser."""
    validate(data, 0, len(data))
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    event_pb2.Event.FromString(data)


@pytest.mark.parametrize(("name", "data", "reason"), INVALID, ids=[row[0] for row in INVALID])
def test_invalid(name: str, data: bytes, reason: str) -> None:
    """Each of these is refused, with the reason and the place."""
    with pytest.raises(Malformed, match=reason) as caught:
        validate(b"??" + data, 2, 2 + len(data))
    assert 2 <= caught.value.at <= 2 + len(data)


SEEDS = [data for _, data in VALID] + [data for _, data, _ in INVALID]


@st.composite
def almost_events(draw: st.DrawFn) -> bytes:
    """Events and what is nearly one, with some bytes changed, removed or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        stop = min(len(data), at + draw(st.integers(0, 2)))
        data[at:stop] = draw(st.binary(max_size=3))
    return bytes(data)


@given(st.one_of(almost_events(), st.binary(max_size=60)))
@example(b"\xa3\x06\x00\x01\xa4\x06")
@settings(max_examples=600, deadline=None)
def test_what_passes_is_read_by_protobuf(data: bytes) -> None:
    """What the walk accepts parses; what it refuses does not, but for three things that prost refuses too."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    message = pytest.importorskip("google.protobuf.message")
    try:
        event_pb2.Event.FromString(data)
        parses = True
    except message.DecodeError:
        parses = False
    reason = refused(data)
    if reason is None:
        assert parses
    else:
        stricter = ("which is not its own", "more than 64 bits", "no field of that number")
        assert not parses or reason.endswith(stricter)


def refused(data: bytes) -> str | None:
    """Why the walk refuses the message; None if it does not."""
    try:
        validate(data, 0, len(data))
    except Malformed as flaw:
        return str(flaw)
    return None


def _is_repeated(field: Any) -> bool:
    # `label` is deprecated in the newest protobuf, and its successor unknown to the oldest.
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == field.LABEL_REPEATED)


def test_the_schema_is_tensorboards() -> None:
    """Every field of Event and of all that it holds has the number and the type of TensorBoard's protos."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    seen = set[str]()

    def compare(message: Message, descriptor: object) -> None:
        if descriptor.full_name in seen:  # type: ignore[attr-defined]
            return
        seen.add(descriptor.full_name)  # type: ignore[attr-defined]
        known = {field.number: field for field in descriptor.fields}  # type: ignore[attr-defined]
        assert message.numbers == set(known)
        for number, field in known.items():
            kinds = {key & 7: kind for key, kind in message.by_key.items() if key >> 3 == number}
            if field.message_type is not None:
                assert set(kinds) == {fields.LENGTH}
                compare(kinds[fields.LENGTH], field.message_type)
                continue
            wire, name = WIRE[field.type]
            repeats = _is_repeated(field) and wire != fields.LENGTH
            assert set(kinds) == ({wire, fields.LENGTH} if repeats else {wire}), (descriptor, number)
            assert set(kinds.values()) == {name + "s" if repeats else name}

    compare(fields.EVENT, event_pb2.Event.DESCRIPTOR)
    assert len(seen) >= 17


# Number of a type in descriptor.proto -> wire type and the walk's name for it
WIRE = {
    1: (fields.FIXED64, "double"),
    2: (fields.FIXED32, "float"),
    9: (fields.LENGTH, "string"),
    12: (fields.LENGTH, "bytes"),
    **dict.fromkeys((3, 4, 5, 8, 13, 14), (fields.VARINT, "varint")),
}


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_steps_survive(step: int) -> None:
    """Every int64 comes back from its varint."""
    ((_, _, start, stop),) = walk(event(step)) if step else ((0, 0, 0, 0),)
    assert signed(varint(event(step), start, stop)) == step


def test_walk_skips_groups() -> None:
    """Unknown groups, also nested ones, are no fields."""
    group = UNKNOWN + UNKNOWN + b"\x12\x02ab\x08\x80\x01\x0d1234\x0912345678" + END + END
    assert [
        (number, stop - start) for number, _, start, stop in walk(b"\x10\x05" + group + b"\x1a\x01a")
    ] == [
        (2, 1),
        (3, 1),
    ]


@pytest.mark.parametrize("unit", [b"\x0a\x00", b"\x2a\x00", UNKNOWN + END, b"\x10\x80\x80\x00", b"\x5a\x00"])
def test_many_tiny_fields_cost_time_and_no_memory(unit: bytes) -> None:
    """Masses of empty fields, each an object to a parser, are walked in constant memory and linear time."""
    content = unit * (200_000 // len(unit))
    data = delimited(5, content) if unit == b"\x0a\x00" else content
    tracemalloc.start()
    begun = time.process_time()
    validate(data, 0, len(data))
    assert time.process_time() - begun < 5
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_large_content_is_looked_at_in_pieces() -> None:
    """Texts and packed numbers longer than a piece are checked as a whole, also where pieces meet."""
    piece = fields._PIECE
    text = b"a" * (piece - 1) + "é".encode() + b"b" * piece
    validate(delimited(3, text), 0, len(text) + 5)
    for cut in (piece - 1, piece, 2 * piece):
        with pytest.raises(Malformed, match="UTF-8"):
            validate(delimited(3, text[:cut] + b"\xff" + text[cut:]), 0, len(text) + 6)
    numbers = b"\x01" * (piece - 5) + b"\xff" * 9 + b"\x01" * piece

    def packed(content: bytes) -> bytes:
        return delimited(5, value("t", delimited(8, delimited(10, content))))

    validate(packed(numbers), 0, len(packed(numbers)))
    for wrong in (numbers[: piece - 5] + b"\xff" + numbers[piece - 5 :], numbers[: piece + 2]):
        with pytest.raises(Malformed, match=r"64 bits|middle of one"):
            validate(packed(wrong), 0, len(packed(wrong)))

"""Scalars by column, against the same records taken apart one by one."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.wire import columns as module
from tbasync.wire import decode
from tbasync.wire.columns import Columns, layout_of, scalar_tensor
from tbasync.wire.fields import Malformed, validate
from tbasync.wire.message import delimited, key
from tbasync.wire.rowcrc import group
from tbasync.wire.scan import PADDING

from .event_bytes import event, plugin, record, scalar, value, version

int64 = st.integers(-(1 << 63), (1 << 63) - 1)
steps = st.one_of(
    st.integers(0, 300), st.sampled_from([127, 128, 16383, 16384, -1, 2**63 - 1, -(2**63)]), int64
)
tags = st.one_of(st.sampled_from(["a", "loss", "train/loss", "größe"]), st.text(max_size=6))
floats = st.floats(width=32)


def float_tensor(number: float) -> bytes:
    """A scalar as torch's writer writes it with `new_style`."""
    return delimited(8, b"\x08\x01" + delimited(5, struct.pack("<f", number)))


def double_tensor(number: float) -> bytes:
    """The same with `double_precision`."""
    return delimited(8, b"\x08\x02" + delimited(6, struct.pack("<d", number)))


simple = st.builds(lambda number: key(2, 5) + struct.pack("<f", number), floats)
payloads = st.one_of(simple, st.builds(float_tensor, floats), st.builds(double_tensor, st.floats()))
one_value = st.builds(value, tags, payloads, st.sampled_from([b"", plugin("scalars")]))
scalars = st.builds(
    lambda step, time, inner: event(step, time, delimited(5, *inner)),
    steps,
    st.floats(),
    st.lists(one_value, min_size=1, max_size=3),
)
others = st.one_of(
    st.just(version()),
    st.just(b""),
    st.binary(min_size=1, max_size=40),
    st.builds(
        lambda number: event(1, 1.0, delimited(5, value("i", delimited(4, bytes(number))))), st.just(3)
    ),
)


def expected(payload: bytes) -> list[tuple] | None:
    """What one record says, by `decode`; None if it is no event of scalars."""
    try:
        validate(payload, 0, len(payload))
    except Malformed:
        return None
    one = decode.event(payload)
    return [(one.step, one.wall_time, v.tag, *stored(v), v.metadata) for v in decode.values(one.body)]


def stored(one: decode.Value) -> tuple[bool, str, bytes]:
    """Whether a value is a tensor, and the type and bytes of its number."""
    if one.kind == decode.TENSOR and (place := scalar_tensor(one.body, 0, len(one.body))):
        return True, place[1], one.body[slice(*place[0])]
    return one.kind == decode.TENSOR, "<f4", one.body


def split(records: list[bytes], columns: Columns) -> tuple[dict[int, list[tuple]], list[int]]:
    """What `Columns` makes of the records, as `expected` says it, by index; and the indices left over."""
    data = b"".join(map(record, records))
    lengths = np.array([len(one) for one in records], np.int64)
    starts = np.cumsum(lengths + 16) - lengths - 4
    blocks, rest = columns.split(group(np.frombuffer(data + bytes(PADDING), np.uint8), starts, lengths))
    found = dict[int, list[tuple]]()
    for block in blocks:
        for row, (index, step, time) in enumerate(
            zip(block.members.tolist(), block.steps().tolist(), block.wall_times().tolist(), strict=True)
        ):
            found[index] = []
            for slot in block.layout.slots:
                number = slot.tensor, slot.dtype, block.numbers(slot)[row].tobytes()
                tag = bytes(block.cells(*slot.tag)[row])
                found[index].append((step, time, tag, *number, slot.metadata))
    return found, rest.tolist()


@given(
    st.lists(st.one_of(scalars, others), max_size=8), st.integers(1, 12), st.randoms(use_true_random=False)
)
@settings(max_examples=100, deadline=None)
def test_columns_say_what_the_records_say(kinds: list[bytes], times: int, random: object) -> None:
    """Every record is decoded by column as it is one by one, or is left over; damage is never passed."""
    records = [bytearray(one) for one in kinds * times]
    for one in records:  # other wall times, steps and values; or no events any more
        if len(one) > 9 and random.random() < 0.7:  # type: ignore[attr-defined]
            one[random.randrange(len(one))] ^= 1 << random.randrange(8)  # type: ignore[attr-defined]
    columns = Columns()
    for _ in range(2):  # the second time with layouts already known
        found, rest = split([bytes(one) for one in records], columns)
        assert sorted([*found, *rest]) == list(range(len(records)))
        for index, values in found.items():
            said = expected(bytes(records[index]))
            assert said is not None
            assert repr(values) == repr(said)  # repr, because NaN is not equal to itself


def test_a_run_is_all_columns() -> None:
    """Ordinary scalars, of several tags and widths of step, leave nothing over."""
    records = [
        scalar(tag, step / 7, step, 1e9 + step) for step in range(1, 301) for tag in ("a", "b", "loss")
    ]
    found, rest = split(records, Columns())
    assert rest == []
    assert len(found) == 900


NO_LAYOUT = [
    ("no event", b"\x16\x01"),
    ("nothing", b""),
    ("a file version", version()),
    ("a step alone", event(5, 1.0)),
    ("an empty summary", event(5, 1.0, delimited(5, b""))),
    ("two steps", event(5, 1.0) + scalar("a", 1.0, 6)),
    ("two summaries", scalar("a", 1.0) + delimited(5, b"")),
    ("an unknown field", scalar("a", 1.0) + b"\x58\x01"),
    ("a summary with an unknown field", delimited(5, value("a", b"\x15" + bytes(4)), b"\x1a\x00")),
    ("a value without tag", delimited(5, delimited(1, b"\x15" + bytes(4)))),
    ("a tag alone", delimited(5, value("a", b""))),
    ("a value twice", delimited(5, value("a", (b"\x15" + bytes(4)) * 2))),
    ("a scalar and an image", delimited(5, value("a", b"\x15" + bytes(4)), value("b", delimited(4, b"")))),
    ("a tensor of two", delimited(5, value("a", delimited(8, b"\x08\x01" + delimited(5, bytes(8)))))),
    (
        "a tensor with a shape",
        delimited(5, value("a", delimited(8, b"\x08\x01\x12\x02\x12\x00\x2a\x04" + bytes(4)))),
    ),
    ("an integer tensor", delimited(5, value("a", delimited(8, b"\x08\x03\x3a\x01\x05")))),
    ("a float in a double tensor", delimited(5, value("a", delimited(8, b"\x08\x02\x2a\x04" + bytes(4))))),
    ("an old node name", delimited(5, value("a", b"\x15" + bytes(4) + delimited(7, b"n")))),
]


@pytest.mark.parametrize(("name", "data"), NO_LAYOUT, ids=[row[0] for row in NO_LAYOUT])
def test_records_without_layout(name: str, data: bytes) -> None:
    """What is not an event of scalars, each field once, has no layout and is left over."""
    assert layout_of(data) is None
    assert split([data] * 20, Columns())[1] == list(range(20))


def test_layouts_are_bounded() -> None:
    """A file with a new layout in every record makes no more of them than are kept, the latest ones."""
    columns = Columns()
    for start in range(0, 1000, 100):
        numbers = [f"{number:04}".encode() for number in range(start, start + 100)]
        inner = [value("t", key(2, 5) + bytes(4), delimited(2, name)) for name in numbers]
        found, rest = split([event(1, 1.0, delimited(5, one)) for one in inner] * 8, columns)
        assert len(found) + len(rest) == 800
        assert len(found) >= 8
    (layouts,) = columns._layouts.values()
    assert len(layouts) <= module._MOST_LAYOUTS
    assert b"09" in layouts[0].words.tobytes()


def test_many_layouts_of_one_length() -> None:
    """Tags beyond ASCII, each a layout of its own, are read by column too, once there are enough of each."""
    tags = [f"größe/{number:02}/损失" for number in range(40)]
    columns = Columns()
    for start in range(1, 100, 33):
        records = [scalar(tag, 0.5, step) for step in range(start, start + 33) for tag in tags]
        found, rest = split(records, columns)
    assert rest == []
    assert len(found) == 33 * 40

"""Scalars by column: for any batch, the very bytes of protobuf's serializer in TFRecord framing."""

from __future__ import annotations

import math
import struct
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.proto import Event, Summary
from tbasync.wire import scalars as wire
from tbasync.wire.record import record
from tbasync.wire.scalars import SMALL_BATCH, ScalarEncoder, Series, scalar_record, tag_of

from ..support.plain_reader import masked, split

Row = tuple[Series, float, int, float]

LIMIT = 2**63
STEPS = st.one_of(
    st.integers(-LIMIT, LIMIT - 1),
    st.integers(0, 63).flatmap(
        lambda bits: st.integers(-1, 1).map(lambda near: min(2**bits + near, LIMIT - 1))
    ),
    st.sampled_from([0, 1, 127, 128, -1, -LIMIT, LIMIT - 1]),
)
VALUES = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, math.nan, -math.nan, math.inf, 1e300, -1e300, 1e-46])
)
TAGS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.integers(0, 600).map(lambda size: "t" * size),
    st.sampled_from(["", "loss", "a/b", "\0", "é" * 100, "😀" * 50, "t" * 199, "t" * 200, "t" * 201]),
)
# A time of exactly 0 is written and not left out (see the module), so it is not among these.
TIMES = st.one_of(st.floats(1e9, 2e9), st.floats().filter(lambda time: time != 0), st.just(-0.0))
ROWS = st.lists(st.tuples(TAGS, VALUES, STEPS, TIMES), min_size=SMALL_BATCH, max_size=3 * SMALL_BATCH)


def by_protobuf(tag: str, value: float, step: int, time: float) -> bytes:
    """One scalar as protobuf and the format's description have it."""
    event = Event(wall_time=time, step=step)
    # Out of float32's range protobuf's runtimes differ; C casts, and so does TensorBoard's.
    with np.errstate(all="ignore"):
        event.summary.value.add(tag=tag, simple_value=float(np.float32(value)))
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def encode(encoder: ScalarEncoder, rows: list[Row]) -> bytes:
    tags, values, steps, times = zip(*rows, strict=True)
    return encoder.encode(tags, values, steps, times)


@settings(max_examples=25)
@given(batches=st.lists(ROWS, min_size=1, max_size=3))
def test_batches_are_protobufs_bytes(batches: list[list[Row]]) -> None:
    """Tags of any length and script, steps of every width, any value and time, one encoder for all batches."""
    encoder = ScalarEncoder()
    for rows in batches:
        assert encode(encoder, rows) == b"".join(by_protobuf(*row) for row in rows)


@settings(max_examples=100)
@given(tag=TAGS, value=VALUES, step=STEPS, time=TIMES)
def test_the_plain_way_is_protobufs_bytes_too(tag: str, value: float, step: int, time: float) -> None:
    """The path of few records and of long tags writes the same bytes as the one by column."""
    assert scalar_record(tag, value, step, time) == by_protobuf(tag, value, step, time)


@pytest.mark.parametrize("count", [1, SMALL_BATCH - 1, SMALL_BATCH, SMALL_BATCH + 1, 1024])
def test_batch_sizes_around_the_change_of_method(count: int) -> None:
    """One record, or just as many as make columns worth while."""
    rows = [("loss", step / 3, step, 1.6e9 + step * 1e-6) for step in range(count)]
    assert encode(ScalarEncoder(), rows) == b"".join(by_protobuf(*row) for row in rows)


def test_steps_of_every_varint_width() -> None:
    """One batch with every width of a step, in both methods."""
    steps = [0, *(2 ** (7 * k) - 1 for k in range(1, 9)), *(2 ** (7 * k) for k in range(1, 10) if 7 * k < 63)]
    steps += [LIMIT - 1, -LIMIT, -1, -128]
    rows = [(tag, 1.5, step, 1.6e9) for step in steps for tag in ("a", "a much longer tag", "")]
    assert encode(ScalarEncoder(), rows) == b"".join(by_protobuf(*row) for row in rows)


def test_wall_times_that_share_nothing() -> None:
    """Times whose highest bytes differ within one batch (the usual batch spans a fraction of a second)."""
    rows = [("t", 1.0, 1, time) for time in (1.6e9, -1.6e9, 1e-300, 1e300, math.inf, -math.inf, 5e-324) * 5]
    assert encode(ScalarEncoder(), rows) == b"".join(by_protobuf(*row) for row in rows)


@settings(max_examples=25)
@given(rows=ROWS, lengths=st.lists(st.integers(0, 600), min_size=1, max_size=4))
def test_series_given_as_bytes(rows: list[Row], lengths: list[int]) -> None:
    """Summaries of other kinds that end with the number, long and short, mixed with plain scalars."""
    encoder, expected, mixed = ScalarEncoder(), b"", []
    for place, (tag, value, step, time) in enumerate(rows):
        if place % 3:
            mixed.append((tag, value, step, time))
            expected += by_protobuf(tag, value, step, time)
            continue
        summary = Summary(value=[Summary.Value(tag="n" * lengths[place % len(lengths)])])
        summary.value[0].tensor.tensor_content = bytes(4)
        series = summary.SerializeToString()[:-4]
        mixed.append((series, value, step, time))
        with np.errstate(all="ignore"):
            summary.value[0].tensor.tensor_content = np.float32(value).tobytes()
        expected += record(Event(wall_time=time, step=step, summary=summary).SerializeToString())
        assert tag_of(series) == summary.value[0].tag
        assert tag_of(tag) == tag
    assert encode(encoder, mixed) == expected


def test_a_time_of_zero_is_written_and_reads_back() -> None:
    """The one difference from protobuf's bytes; the message is the same."""
    for rows in ([("t", 1.0, 1, 0.0)], [("t", 1.0, 1, 0.0)] * 100):
        for payload in split(encode(ScalarEncoder(), rows)):
            assert Event.FromString(payload) == Event.FromString(split(by_protobuf(*rows[0]))[0])


def test_a_signalling_nan_is_a_nan() -> None:
    """Bits that raise the processor's invalid flag when cast raise nothing here, whatever numpy is told."""
    (signalling,) = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0001))
    with np.errstate(all="raise"):
        payloads = split(encode(ScalarEncoder(), [("t", signalling, 1, 1.6e9), ("t", 1e300, 1, 1.6e9)] * 50))
    values = [Event.FromString(payload).summary.value[0].simple_value for payload in payloads]
    assert all(map(math.isnan, values[::2]))
    assert set(values[1::2]) == {math.inf}


@pytest.mark.parametrize("count", [1, 100])
def test_a_lone_surrogate_costs_the_batch(count: int) -> None:
    """UTF-8 has no bytes for it: UnicodeEncodeError, after which the encoder works as before."""
    encoder = ScalarEncoder()
    good = [("good", 1.0, step, 1.6e9) for step in range(100)]
    with pytest.raises(UnicodeEncodeError):
        encode(encoder, [*good[:count], ("bad \ud800", 1.0, 1, 1.6e9)])
    assert encode(encoder, good) == b"".join(by_protobuf(*row) for row in good)


def test_what_breaks_off_the_learning_of_tags_spoils_nothing() -> None:
    """Want of memory, or an exception thrown in by another thread, at each line of it: what follows is whole."""
    code = wire._Tags._learn.__code__
    first = [("known", 1.0, step, 1.6e9) for step in range(SMALL_BATCH)]
    more = [(f"new {step}" * (step % 7 + 1), 1.0, step, 1.6e9) for step in range(SMALL_BATCH)]
    for place in range(100):
        encoder = ScalarEncoder()
        encode(encoder, first)
        left = [place]

        def trace(frame: FrameType, event: str, argument: object, left: list[int] = left) -> Any:
            if frame.f_code is not code:
                return None
            if event == "line":
                left[0] -= 1
                if left[0] == -1:
                    raise MemoryError
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            encode(encoder, more)
        except MemoryError:
            pass
        finally:
            sys.settrace(before)
        for rows in (more, first):
            assert encode(encoder, rows) == b"".join(by_protobuf(*row) for row in rows)
        if left[0] >= 0:
            assert place > 10
            return
    pytest.fail("the learning of tags has no end")


def test_a_step_beyond_int64_costs_the_batch() -> None:
    """OverflowError and no bytes."""
    with pytest.raises(OverflowError):
        encode(ScalarEncoder(), [("t", 1.0, LIMIT, 1.6e9)] * 100)


def test_tags_without_end_do_not_grow_the_templates_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder forgets what it knows of tags now and then, and its bytes stay right."""
    monkeypatch.setattr(wire, "_MOST_TAGS", 100)
    encoder = ScalarEncoder()
    for batch in range(10):
        rows = [(f"tag {batch} {row}", 1.0, row, 1.6e9) for row in range(60)]
        assert encode(encoder, rows) == b"".join(by_protobuf(*row) for row in rows)
        assert len(encoder._tags.ids) <= 160


def test_tensorboards_reader_reads_the_batch(tmp_path: Path) -> None:
    """Its event file loader, which checks every CRC, finds each record."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    rows = [(f"tag {row % 7}", row / 4, row - 500, 1.6e9 + row / 7) for row in range(1000)]
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(record(Event(wall_time=1.0, file_version="brain.Event:2").SerializeToString()))
    with path.open("ab") as file:
        file.write(encode(ScalarEncoder(), rows))
    found = list(loader.LegacyEventFileLoader(str(path)).Load())[1:]
    assert [
        (e.summary.value[0].tag, e.summary.value[0].simple_value, e.step, e.wall_time) for e in found
    ] == rows

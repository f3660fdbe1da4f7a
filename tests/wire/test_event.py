"""Varints, events, records and their checksums, beside protobuf's and the RFC's own."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from tbasync.proto import Event, SessionLog, SourceMetadata, Summary
from tbasync.wire import crc, record
from tbasync.wire.event import FILE_VERSION, SUMMARY, event, first_event
from tbasync.wire.message import delimited, key, varint
from tbasync.wire.restart import purge_events

from ..support.plain_reader import masked, split

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(INT64)
def test_varints_are_those_of_an_int64_field(value: int) -> None:
    """Negative numbers take ten bytes, as two's complement of 64 bits does."""
    assert key(2, 0) + varint(value) == Event(step=value).SerializeToString() or value == 0


@pytest.mark.parametrize(("value", "data"), [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02")])
def test_varints_of_the_documentation(value: int, data: str) -> None:
    """The encoding guide's examples."""
    assert varint(value) == bytes.fromhex(data)


@given(INT64, st.floats().filter(lambda time: time != 0 and time == time), st.binary(max_size=300))
def test_events_are_protobufs_bytes(step: int, time: float, text: bytes) -> None:
    """Any step, time and payload."""
    summary = Summary()
    summary.value.add(tag="t", node_name=text.hex())
    expected = Event(wall_time=time, step=step, summary=summary).SerializeToString()
    assert event(time, step, SUMMARY, summary.SerializeToString()) == expected


def test_the_first_event_names_version_and_writer() -> None:
    """What every file begins with."""
    first = Event.FromString(first_event(12.5))
    assert first == Event(
        wall_time=12.5, file_version="brain.Event:2", source_metadata=SourceMetadata(writer="tbasync")
    )


@pytest.mark.parametrize("step", [0, 1, -5, 2**63 - 1])
def test_purge_events_speak_to_both_formats_readers(step: int) -> None:
    """The version's step and a session's start, twice: TensorBoard takes the first in a run for its beginning."""
    version, session, again = map(Event.FromString, purge_events(12.5, step))
    assert session == again
    assert version == Event(wall_time=12.5, step=step, file_version=FILE_VERSION.decode())
    assert session == Event(wall_time=12.5, step=step, session_log=SessionLog(status=SessionLog.START))


@given(st.binary(max_size=300))
def test_a_record_is_framed_as_described(data: bytes) -> None:
    """Length, its checksum, data, its checksum."""
    framed = record.record(data)
    assert split(framed) == [data]
    assert framed[:12] == record.header(len(data)) == record.headers(512)[len(data)].tobytes()


def test_masked_crcs_of_arrays_are_those_of_single_ones() -> None:
    """The vectorised mask, with its wrapping arithmetic, is the plain one."""
    data = [bytes([k]) * k for k in range(256)]
    crcs = np.array([crc32c(item) for item in data], np.uint32)
    assert (
        crc.mask(crcs).tolist() == [crc.masked_crc(item) for item in data] == [masked(item) for item in data]
    )


def test_the_crc_is_castagnolis() -> None:
    """The examples of RFC 3720, appendix B.4: 32 zeros, 32 ones, counting up."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(st.binary(min_size=1, max_size=60), st.data())
def test_contributions_are_what_a_byte_changes(template: bytes, draw: st.DataObject) -> None:
    """A CRC with one byte changed is the template's xor the table's entry, at every distance."""
    place = draw.draw(st.integers(0, len(template) - 1))
    byte = draw.draw(st.integers(0, 255))
    zeroed = template[:place] + b"\0" + template[place + 1 :]
    changed = template[:place] + bytes([byte]) + template[place + 1 :]
    table = crc.contributions(64)
    assert crc32c(changed) == crc32c(zeroed) ^ int(table[len(template) - 1 - place, byte])


def test_the_tables_cannot_be_written() -> None:
    """They are shared by all writers of the process."""
    for table in (crc.contributions(8), record.headers(8)):
        with pytest.raises(ValueError, match="read-only"):
            table[0, 0] = 1


def test_delimited_joins_its_payload() -> None:
    """Several parts are one field."""
    assert delimited(1, b"ab", b"", b"c") == b"\x0a\x03abc"
    assert struct.unpack("<I", record.record(b"")[-4:]) == (masked(b""),)

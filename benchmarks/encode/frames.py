"""From a summary to its message's bytes, and to its record in an event file, by each writer's own means."""

from __future__ import annotations

import io
import os
import struct
from typing import Any

import crc32c
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboardX.proto.event_pb2 import Event as EventX
from tensorboardX.record_writer import RecordWriter as RecordWriterX

from tbasync.wire.message import delimited

_NULL = RecordWriterX(os.devnull)
_MOMENT = {"wall_time": 1.7e9, "step": 7}


def tbasync_record(summary: bytes) -> bytes:
    """wall_time=1, step=2 and summary=5 of an `Event`, between its length and two masked CRCs."""
    event = struct.pack("<BdBB", 0x09, 1.7e9, 0x10, 7) + delimited(5, summary)
    length = struct.pack("<Q", len(event))
    return b"".join((length, _masked_crc(length), event, _masked_crc(event)))


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c.crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def torch_record(summary: Any) -> None:
    """TensorBoard's record writer, which torch uses: its CRC is a loop in Python."""
    RecordWriter(io.BytesIO()).write(Event(summary=summary, **_MOMENT).SerializeToString())


def tensorboardx_record(summary: Any) -> None:
    """tensorboardX's record writer: its CRC is crc32c's where that is installed, as here."""
    _NULL.write(EventX(summary=summary, **_MOMENT).SerializeToString())


MESSAGE = {
    "tbasync": lambda summary: summary,
    "torch": lambda summary: summary.SerializeToString(),
    "tensorboardX": lambda summary: summary.SerializeToString(),
}
RECORD = {"tbasync": tbasync_record, "torch": torch_record, "tensorboardX": tensorboardx_record}

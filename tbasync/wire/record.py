"""TFRecord framing: how one event becomes one record of the file.

A record is the data's length as uint64, the masked CRC32C of those eight bytes, the data, and the
masked CRC32C of the data; all integers little-endian
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
import numpy.typing as npt

from .crc import masked_crc

HEADER_SIZE = 12
FOOTER_SIZE = 4

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")


def header(length: int) -> bytes:
    """The twelve bytes before `length` bytes of data."""
    packed = _LENGTH.pack(length)
    return packed + _CRC.pack(masked_crc(packed))


def record(data: bytes) -> bytes:
    """`data` as one whole record."""
    return b"".join((header(len(data)), data, _CRC.pack(masked_crc(data))))


@cache
def headers(lengths: int) -> npt.NDArray[np.uint8]:
    """The headers of data of 0, 1, … lengths - 1 bytes: a read-only uint8 array of shape (lengths, 12)."""
    table = np.frombuffer(b"".join(map(header, range(lengths))), np.uint8)
    return table.reshape(lengths, HEADER_SIZE)

"""Scalars that are no plain `simple_value`: the new style, and those with a title and a description."""

from __future__ import annotations

import struct

import numpy as np

from ..wire.message import delimited, key, varint
from .result import Encoded

_DT_FLOAT, _DT_DOUBLE = 1, 2  # tensorboard/compat/proto/types.proto
_PLUGIN = delimited(9, delimited(1, delimited(1, b"scalars")))  # Value.metadata.plugin_data.plugin_name


def scalar_tensor(tag: str, value: float, double_precision: bool) -> Encoded:
    """A scalar in the new style: a TensorProto of one float, or of one double."""
    if double_precision:
        tensor = key(1, 0) + varint(_DT_DOUBLE) + delimited(6, struct.pack("<d", value))
    else:
        tensor = key(1, 0) + varint(_DT_FLOAT) + delimited(5, _float32(value))
    return Encoded(delimited(1, delimited(1, tag.encode()), delimited(8, tensor), _PLUGIN))


def described_scalar(tag: str, value: float, display_name: str, summary_description: str) -> Encoded:
    """A scalar with tensorboardX's title and description, in the old style."""
    metadata = delimited(1, delimited(1, b"scalars"))
    metadata += delimited(2, display_name.encode()) + delimited(3, summary_description.encode())
    parts = (delimited(1, tag.encode()), b"\x15", _float32(value), delimited(9, metadata))
    return Encoded(delimited(1, *parts))


def _float32(value: float) -> bytes:
    with np.errstate(over="ignore"):
        return np.float32(value).tobytes()

"""Scalars that are no plain `simple_value`: the new style, and those with a title and a description."""

from __future__ import annotations

import struct

import numpy as np

from ..wire.message import delimited, key, varint
from .result import Encoded

_DT_FLOAT, _DT_DOUBLE = 1, 2  # tensorboard/compat/proto/types.proto
_SCALARS = delimited(1, delimited(1, b"scalars"))  # SummaryMetadata.plugin_data.plugin_name
_DATA_CLASS = key(4, 0) + varint(1)  # SummaryMetadata.data_class: DATA_CLASS_SCALAR


def check_described(display_name: object, summary_description: object) -> None:
    """Raises TypeError unless title and description are each a str or None."""
    for name, value in (("display_name", display_name), ("summary_description", summary_description)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a str or None, got {type(value).__name__}: {value!r}")


def scalar_tensor(tag: str, value: float, double_precision: bool) -> Encoded:
    """A scalar in the new style: a TensorProto of one float, or of one double."""
    if double_precision:
        tensor = key(1, 0) + varint(_DT_DOUBLE) + delimited(6, struct.pack("<d", value))
    else:
        tensor = key(1, 0) + varint(_DT_FLOAT) + delimited(5, _float32(value))
    return Encoded(delimited(1, delimited(1, tag.encode()), delimited(8, tensor), delimited(9, _SCALARS)))


def described_scalar(tag: str, value: float, display_name: str, summary_description: str) -> Encoded:
    """A scalar with tensorboardX's title and description, in the old style.

    TensorBoard's data server, its default loader, forgets both unless plugin and data class stand beside
    them, which tensorboardX leaves out.
    """
    told = delimited(2, display_name.encode()) + delimited(3, summary_description.encode())
    metadata = delimited(9, _SCALARS, told, _DATA_CLASS)
    parts = (delimited(1, tag.encode()), b"\x15", _float32(value), metadata)
    return Encoded(delimited(1, *parts))


def _float32(value: float) -> bytes:
    with np.errstate(over="ignore"):
        return np.float32(value).tobytes()

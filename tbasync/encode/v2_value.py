"""What all summaries in TensorBoard's second style share: a tensor, and metadata that name the plugin.

`tf.summary` writes every kind so, and TensorBoard turns older forms into this one when it reads them (its
`summary_v2` modules say what each plugin expects). TensorFlow stores numbers as `tensor_content`, the array's
bytes, and strings as `string_val`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ..wire.message import VARINT, delimited, key, nested, varint
from .result import Encoded

_CONTENT = 4  # TensorProto.tensor_content


@lru_cache(maxsize=1024)
def metadata(plugin: str, description: str | None = None, content: bytes = b"") -> bytes:
    """A serialized `SummaryMetadata`.

    Args:
        plugin: the name of TensorBoard's plugin that shows the summary.
        description: Markdown, shown with it.
        content: the plugin's own data, a serialized message.
    """
    plugin_data = delimited(1, plugin.encode()) + (delimited(2, content) if content else b"")
    return delimited(1, plugin_data) + (delimited(3, description.encode()) if description else b"")


def check_description(description: object) -> str | None:
    """`description` if it is a str, or None if it is None or empty; else raises TypeError."""
    if description is None or isinstance(description, str):
        return description or None
    raise TypeError(f"description must be a str or None, got {type(description).__name__}: {description!r}")


@lru_cache(maxsize=256)
def _head(dtype: int, shape: tuple[int, ...]) -> bytes:
    """A TensorProto's element type and shape; a size of zero is, as protobuf has it, not written."""
    sizes = (delimited(2, *((key(1, VARINT), varint(size)) if size else ())) for size in shape)
    return key(1, VARINT) + varint(dtype) + delimited(2, *sizes)


def content(pieces: Sequence[bytes]) -> list[bytes]:
    """The field with an array's bytes; absent, as protobuf has it, if there are none."""
    return nested(_CONTENT, pieces) if any(pieces) else []


def summary(
    tag: str, told: bytes, dtype: int, shape: Sequence[int], elements: Sequence[bytes]
) -> list[bytes]:
    """A Summary of one tensor, as pieces to be joined. The elements come last.

    Args:
        tag: the series' name.
        told: the serialized metadata; empty for none.
        dtype: a number of `DataType`.
        shape: the tensor's dimensions.
        elements: the TensorProto's fields after the shape, from `content` or `tensor_value.strings`.
    """
    name = delimited(1, tag.encode()) if tag else b""
    before = delimited(9, told) if told else b""
    tensor = nested(8, [_head(dtype, tuple(shape)), *elements])
    return nested(1, [name, before, *tensor])


def encoded(tag: str, told: bytes, dtype: int, shape: Sequence[int], elements: Sequence[bytes]) -> Encoded:
    """`summary`, joined."""
    return Encoded(b"".join(summary(tag, told, dtype, shape, elements)))

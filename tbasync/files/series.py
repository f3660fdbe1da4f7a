"""The series of a run: what was logged under one tag, as one kind of value."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..wire.decode import AUDIO, HISTOGRAM, IMAGE, SIMPLE, TENSOR, last_field, plugin_of
from .collect import DOUBLE_TENSOR, FLOAT_TENSOR, Collector, Rows
from .values import Values, audio, histogram, image, tensor, text

KINDS = ("scalar", "histogram", "image", "audio", "text", "tensor")
_SCALAR_CLASS = 1  # DATA_CLASS_SCALAR of summary.proto


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the first value of a tag says of the tag: display name, description, and the plugin's own data."""

    plugin: str
    content: bytes = field(repr=False)
    data_class: int
    display_name: str
    description: str = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Series:
    """What was logged under one tag, in the order of the files.

    Attributes:
        kind: "scalar", "histogram", "image", "audio", "text" or "tensor".
        plugin: the dashboard that shows it, such as "pr_curves"; empty if the file does not say.
        steps: int64[n].
        wall_times: float64[n], seconds since 1970.
        values: of scalars, float32[n], or float64[n] if any was written in double precision. Of other kinds a
            sequence whose elements are decoded when they are asked for: `Histogram`, `Image`, `Audio`, str,
            or numpy.ndarray.
    """

    tag: str
    kind: str
    plugin: str
    steps: NDArray[np.int64]
    wall_times: NDArray[np.float64]
    values: Any

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<{self.summary()}>"

    def summary(self) -> str:
        """One line: kind, tag, how many values, of which steps, and the last scalar."""
        count = len(self)
        line = f"{self.kind} {self.tag!r}: {count:,} value{'s' * (count != 1)}"
        if count:
            low, high = int(self.steps.min()), int(self.steps.max())
            line += f", step {low:,}" if low == high else f", steps {low:,} to {high:,}"
        if count and self.kind == "scalar":
            line += f", last {self.values[-1]:.6g}"
        return line


def metadata_of(stored: bytes) -> Metadata:
    """The Metadata in a serialized SummaryMetadata."""
    plugin, content, data_class = plugin_of(stored)
    name, description = last_field(stored, 2).decode(), last_field(stored, 3).decode()
    return Metadata(plugin, content, data_class, name, description)


def series_of(collected: Collector, rows: Rows) -> Iterator[Series]:
    """Every series in the rows, by the order in which the tags first appear.

    Args:
        rows: those to take, by tag, and in the file's order within a tag.
    """
    if not len(rows.tag):
        return
    starts = np.append(0, np.flatnonzero(np.diff(rows.tag)) + 1)
    stops = np.append(starts[1:], len(rows.tag))
    for which in np.argsort(rows.record[starts], kind="stable").tolist():
        own = Rows._make(column[starts[which] : stops[which]] for column in rows)
        number = int(own.tag[0])
        metadata = metadata_of(collected.metadata.get(number, b""))
        yield from _of_tag(collected.tags.names[number].decode(), metadata, own, collected.objects)


def _of_tag(tag: str, metadata: Metadata, rows: Rows, objects: list[bytes]) -> Iterator[Series]:
    """The series of one tag, one for each kind of value under it: as a rule there is one."""
    numbers, scalar, double = _scalars(metadata, rows, objects)
    if scalar.any():
        chosen = numbers[scalar].astype(np.float64 if double else np.float32)
        yield Series(tag, "scalar", metadata.plugin, rows.step[scalar], rows.wall_time[scalar], chosen)
    is_text = metadata.plugin == "text"
    kinds: dict[str, tuple[tuple[int, ...], Callable[[bytes], Any]]] = {
        "histogram": ((HISTOGRAM,), histogram),
        "image": ((IMAGE,), image),
        "audio": ((AUDIO,), audio),
        "text" if is_text else "tensor": (_TENSORS, text if is_text else tensor),
    }
    for kind, (stored_as, decode) in kinds.items():
        own = rows.take(np.isin(rows.kind, stored_as) & ~scalar)
        if len(own.tag):
            values = Values(_payloads(own, objects), decode)
            yield Series(tag, kind, metadata.plugin, own.step, own.wall_time, values)


def _scalars(
    metadata: Metadata, rows: Rows, objects: list[bytes]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], bool]:
    """float64[n], the numbers; bool[n], which rows are scalars; and whether any needs double precision."""
    scalar = rows.kind == SIMPLE
    if metadata.plugin != "scalars" and metadata.data_class != _SCALAR_CLASS:
        return rows.number, scalar, False
    numbers, double = rows.number.copy(), bool((rows.kind == DOUBLE_TENSOR).any())
    scalar |= np.isin(rows.kind, (FLOAT_TENSOR, DOUBLE_TENSOR))
    others = np.flatnonzero(rows.kind == TENSOR).tolist()  # of other types, or with dimensions of size 1
    for row in others:
        number = _number(objects[rows.place[row]])
        if number is not None:
            numbers[row], scalar[row], double = number, True, True
    return numbers, scalar, double


def _number(stored: bytes) -> float | None:
    """The number in a serialized TensorProto of one element; None if there is not exactly one real number."""
    try:
        elements = tensor(stored)
    except ValueError:
        return None
    return float(elements.ravel()[0]) if elements.size == 1 and elements.dtype.kind in "fiub" else None


def _payloads(rows: Rows, objects: list[bytes]) -> Sequence[bytes]:
    """The serialized value of each row; of a tensor that was read by column, an equal one."""
    if (rows.place >= 0).all():
        return [objects[place] for place in rows.place.tolist()]
    return [
        objects[place] if place >= 0 else _SINGLE[kind] + struct.pack(_FORMAT[kind], number)
        for place, kind, number in zip(
            rows.place.tolist(), rows.kind.tolist(), rows.number.tolist(), strict=True
        )
    ]


_TENSORS = (TENSOR, FLOAT_TENSOR, DOUBLE_TENSOR)
# A TensorProto of one number: its data type, and key and length of the packed field that holds the number.
_SINGLE = {FLOAT_TENSOR: b"\x08\x01\x2a\x04", DOUBLE_TENSOR: b"\x08\x02\x32\x08"}
_FORMAT = {FLOAT_TENSOR: "<f", DOUBLE_TENSOR: "<d"}

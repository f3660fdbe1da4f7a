"""What a tag's values are, in Python: histograms, images, audio, text and tensors from their serialized form.

Nothing is decoded before it is looked at, nothing is unpickled, and no shape that a file claims costs memory:
one number that stands for a whole tensor becomes a view that repeats it.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ..wire.fields import signed, varint, walk

T = TypeVar("T", covariant=True)

_STRING, _BFLOAT16, _HALF, _BOOL = 7, 14, 19, 10
# DataType of types.proto -> the dtype, and the field that holds it when `tensor_content` does not
_DTYPES: dict[int, tuple[str, int]] = {
    1: ("<f4", 5),
    2: ("<f8", 6),
    3: ("<i4", 7),
    4: ("u1", 7),
    5: ("<i2", 7),
    6: ("i1", 7),
    8: ("<c8", 9),
    9: ("<i8", 10),
    _BOOL: ("?", 11),
    11: ("i1", 7),
    12: ("u1", 7),
    13: ("<i4", 7),
    _BFLOAT16: ("<u2", 13),
    15: ("<i2", 7),
    16: ("<u2", 7),
    17: ("<u2", 7),
    18: ("<c16", 12),
    _HALF: ("<f2", 13),
    22: ("<u4", 16),
    23: ("<u8", 17),
}
_MOST_DIMENSIONS = 32  # what every numpy can have
_FIXED = {5: "<f4", 6: "<f8", 9: "<f4", 12: "<f8"}  # fields of fixed-width numbers; the others are varints


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """A histogram of `num` values. Bucket i holds those above `bucket_limit[i - 1]`, up to `bucket_limit[i]`.

    Attributes:
        bucket_limit, bucket: float64[n], upper edges and counts.
    """

    min: float
    max: float
    num: float
    sum: float
    sum_squares: float
    bucket_limit: NDArray[np.float64] = field(repr=False)
    bucket: NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image, PNG or GIF as a rule, with the height, width and colour space the file claims."""

    height: int
    width: int
    colorspace: int
    data: bytes = field(repr=False)

    def pixels(self) -> NDArray[np.uint8]:
        """uint8[height, width] or [height, width, channels], decoded by Pillow; an animation's first frame.

        Raises:
            PIL.UnidentifiedImageError: the data is no image.
        """
        import PIL.Image

        with PIL.Image.open(io.BytesIO(self.data)) as image:
            return np.asarray(image)


@dataclass(frozen=True, slots=True)
class Audio:
    """An encoded clip (WAV as a rule): samples a second, channels, frames, MIME type."""

    sample_rate: float
    num_channels: int
    length_frames: int
    content_type: str
    data: bytes = field(repr=False)


class Values(Sequence[T]):
    """The values of one series, each decoded when it is asked for."""

    def __init__(self, stored: Sequence[bytes], decode: Callable[[bytes], T]) -> None:
        self._stored, self._decode = stored, decode

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Values[T]: ...
    def __getitem__(self, index: int | slice) -> T | Values[T]:
        if isinstance(index, slice):
            return Values(self._stored[index], self._decode)
        return self._decode(self._stored[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._decode, self._stored)

    def __repr__(self) -> str:
        count = len(self)
        return f"<{count} value{'s' * (count != 1)}, {sum(map(len, self._stored)):,} bytes>"


def histogram(data: bytes) -> Histogram:
    """The histogram in a serialized HistogramProto."""
    numbers, limits, counts = dict.fromkeys(range(1, 6), 0.0), list[bytes](), list[bytes]()
    for number, _, start, stop in walk(data):
        if number <= 5:
            numbers[number] = struct.unpack_from("<d", data, start)[0]
        elif number <= 7:
            (limits if number == 6 else counts).append(data[start:stop])
    edges, buckets = (np.frombuffer(b"".join(parts), "<f8") for parts in (limits, counts))
    low, high, num, total, squares = numbers.values()
    return Histogram(low, high, num, total, squares, bucket_limit=edges, bucket=buckets)


def image(data: bytes) -> Image:
    """The image in a serialized Summary.Image."""
    numbers, encoded = {1: 0, 2: 0, 3: 0}, b""
    for number, _, start, stop in walk(data):
        if number in numbers:
            numbers[number] = _int32(data, start, stop)
        elif number == 4:
            encoded = data[start:stop]
    return Image(numbers[1], numbers[2], numbers[3], encoded)


def audio(data: bytes) -> Audio:
    """The clip in a serialized Summary.Audio."""
    rate, counts, clip, kind = 0.0, {2: 0, 3: 0}, b"", b""
    for number, _, start, stop in walk(data):
        if number == 1:
            rate = struct.unpack_from("<f", data, start)[0]
        elif number in counts:
            counts[number] = signed(varint(data, start, stop))
        elif number == 4:
            clip = data[start:stop]
        elif number == 5:
            kind = data[start:stop]
    return Audio(rate, counts[2], counts[3], kind.decode(), clip)


def text(data: bytes) -> str | NDArray[np.object_]:
    """The text in a serialized TensorProto: a str, or an array of str if there is not exactly one.

    Bytes that are not UTF-8 are replaced by U+FFFD.
    """
    words = tensor(data)
    if words.dtype != object:
        raise ValueError(f"a text is stored as a tensor of {words.dtype}, not of strings")
    if words.size == 1:
        return str(words.ravel()[0].decode("utf-8", "replace"))
    return np.array([word.decode("utf-8", "replace") for word in words.flat], object).reshape(words.shape)


def tensor(data: bytes) -> NDArray[Any]:
    """The array in a serialized TensorProto, of its shape; read-only, strings as an array of bytes objects.

    bfloat16 becomes float32, of the same values; quantized integers the integers they are stored as.

    Raises:
        ValueError: the type is none of numpy's, or the elements do not fill the shape.
    """
    kind, shape, content, parts, texts = 0, list[int](), b"", dict[int, list[bytes]](), list[bytes]()
    for number, _, start, stop in walk(data):
        if number == 1:
            kind = varint(data, start, stop)
        elif number == 2:
            shape += _shape(data[start:stop])
        elif number == 4:
            content = data[start:stop]
        elif number == 8:
            texts.append(data[start:stop])
        else:
            parts.setdefault(number, []).append(data[start:stop])
    if kind == _STRING:
        elements: NDArray[Any] = np.empty(len(texts), object)
        elements[:] = texts
    elif kind in _DTYPES:
        elements = _elements(kind, content, parts)
    else:
        raise ValueError(f"a tensor of DataType {kind}, which has no numpy equivalent")
    return _shaped(elements, shape)


def _elements(kind: int, content: bytes, parts: dict[int, list[bytes]]) -> NDArray[Any]:
    """The numbers of a tensor, flat: those of `tensor_content`, or of the field for its type."""
    dtype, number = _DTYPES[kind]
    if content:
        size = np.dtype(dtype).itemsize
        if len(content) % size:
            raise ValueError(
                f"a tensor's content of {len(content)} bytes is not made of {size}-byte elements"
            )
        elements: NDArray[Any] = np.frombuffer(content, dtype)
    else:
        stored = b"".join(parts.get(number, ()))
        if number in _FIXED:
            narrow = np.frombuffer(stored, _FIXED[number])
            if len(narrow) % (2 if number in (9, 12) else 1):
                raise ValueError("a complex tensor has an odd number of parts")
            elements = narrow.view(dtype)
        else:
            elements = _small(_varints(stored), dtype, kind)
    return (elements.astype("<u4") << 16).view("<f4") if kind == _BFLOAT16 else elements


def _small(numbers: NDArray[np.uint64], dtype: str, kind: int) -> NDArray[Any]:
    """Varints as the type they stand for; a half is stored as its bits."""
    if kind == _HALF:
        return numbers.astype("<u2").view("<f2")
    return numbers.view("<i8").astype(dtype)


def _varints(data: bytes) -> NDArray[np.uint64]:
    """uint64[n]: the numbers in packed varints that passed validation."""
    bits = np.frombuffer(data, np.uint8)
    last = np.flatnonzero(bits < 0x80)
    first = np.append(0, last[:-1] + 1)[: len(last)]
    place = np.arange(len(bits)) - np.repeat(first, last - first + 1)
    parts = (bits & np.uint8(0x7F)).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, first) if len(first) else parts


def _shaped(elements: NDArray[Any], shape: list[int]) -> NDArray[Any]:
    """The elements in the claimed shape. A single one, where more are claimed, stands for all."""
    if len(shape) > _MOST_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"a tensor has {len(shape)} dimensions, of sizes {shape[:_MOST_DIMENSIONS]}")
    if math.prod(shape) == len(elements):
        found = elements.reshape(shape)
    elif len(elements) == 1:
        found = np.broadcast_to(elements[0], shape)
    else:
        raise ValueError(f"a tensor of shape {shape} has {len(elements)} elements")
    found.flags.writeable = False
    return found


def _shape(data: bytes) -> list[int]:
    """The sizes in a serialized TensorShapeProto."""
    sizes = list[int]()
    for number, _, start, stop in walk(data):
        if number == 2:
            size = 0
            for inner, _, first, last in walk(data[start:stop]):
                if inner == 1:
                    size = signed(varint(data, start + first, start + last))
            sizes.append(size)
    return sizes


def _int32(data: bytes, start: int, stop: int) -> int:
    """An int32's varint: protobuf keeps its lower 32 bits."""
    value = varint(data, start, stop) & 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value

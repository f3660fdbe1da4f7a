"""Values decoded: tensors of every type against TensorBoard's own conversion, and hostile ones."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tbasync.files.values import Image, Values, audio, histogram, image, tensor, text
from tbasync.wire.fields import AUDIO, HISTOGRAM, IMAGE, TENSOR, Malformed, Message, validate
from tbasync.wire.message import delimited, key, varint

DTYPES = ["f4", "f8", "f2", "i1", "u1", "i2", "u2", "i4", "i8", "c8", "c16", "?", "u4", "u8"]


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4))
    ),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_tensors_equal_tensorboards(array: np.ndarray, as_content: bool) -> None:
    """A tensor of any type, as content or as numbers, is the array that TensorBoard makes of it."""
    util = pytest.importorskip("tensorboard.util.tensor_util")
    if array.dtype in (np.uint32, np.uint64):  # TensorBoard reads these from content alone
        proto = util.make_tensor_proto(array.astype(np.int64).reshape(-1)[:1])
        proto = type(proto)(dtype={4: 22, 8: 23}[array.dtype.itemsize], tensor_content=array.tobytes())
        for size in array.shape:
            proto.tensor_shape.dim.add(size=size)
        if array.size == 0:
            return
    else:
        proto = util.make_tensor_proto(
            array if as_content else array.tolist(),
            dtype=None if as_content else array.dtype,
            shape=array.shape,
        )
    found = tensor(proto.SerializeToString())
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_integers_of_every_width(numbers: list[int]) -> None:
    """int64 numbers come back from packed varints, whatever their width."""
    data = b"\x08\x09" + shape(len(numbers)) + delimited(10, b"".join(map(varint, numbers)))
    assert tensor(data).tolist() == numbers


def shape(*sizes: int) -> bytes:
    """A TensorShapeProto as TensorProto's field."""
    return delimited(2, *(delimited(2, key(1, 0) + varint(size)) for size in sizes))


def test_strings_and_unpacked_numbers() -> None:
    """Strings are an array of bytes objects; numbers that are not packed are read too."""
    strings = tensor(b"\x08\x07" + shape(2, 1) + delimited(8, b"a\0") + delimited(8, b""))
    assert strings.tolist() == [[b"a\0"], [b""]]
    loose = b"\x08\x03" + shape(3) + b"\x38\x05\x38\x06" + delimited(7, b"\x07")
    assert tensor(loose).tolist() == [5, 6, 7]


def test_bfloat16_becomes_float32() -> None:
    """bfloat16, which numpy lacks, becomes the same number in float32."""
    bits = np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16
    by_value = b"\x08\x0e" + shape(2) + delimited(13, b"".join(varint(int(bit)) for bit in bits))
    by_content = b"\x08\x0e" + shape(2) + delimited(4, bits.astype("<u2").tobytes())
    assert tensor(by_value).tolist() == tensor(by_content).tolist() == [1.5, -2.0]


def test_one_number_stands_for_many_and_costs_nothing() -> None:
    """A tensor of a claimed trillion equal numbers is a view of one."""
    tracemalloc.start()
    found = tensor(b"\x08\x01" + shape(1 << 20, 1 << 20) + delimited(5, b"\0\0\x80\x3f"))
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
    assert found.shape == (1 << 20, 1 << 20)
    assert found[5, 7] == 1.0


FLOATS = b"\x08\x01" + delimited(5, bytes(8))
WRONG = [
    ("an unknown type", b"\x08\x7f", "DataType 127"),
    ("no type", b"", "DataType 0"),
    ("a resource", b"\x08\x14" + delimited(14, b""), "DataType 20"),
    ("too few", FLOATS + shape(3), "has 2 elements"),
    ("too many", FLOATS + shape(1), "has 2 elements"),
    ("none", b"\x08\x01", "has 0 elements"),
    ("a negative size", FLOATS + shape(-2), "-2"),
    (
        "beyond memory's addresses",
        b"\x08\x01" + shape(1 << 62, 1 << 62) + delimited(5, bytes(4)),
        "more than memory",
    ),
    ("a thousand dimensions", FLOATS + shape(*[2] * 1000), "1000 dimensions"),
    ("content of half a number", b"\x08\x01" + shape(1) + delimited(4, b"\0\0\0"), "4-byte elements"),
    ("half a complex number", b"\x08\x08" + shape(1) + delimited(9, bytes(12)), "odd number"),
]


@pytest.mark.parametrize(("name", "data", "message"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_tensors(name: str, data: bytes, message: str) -> None:
    """A tensor that is none is a ValueError that says why, and no memory."""
    with pytest.raises(ValueError, match=message):
        tensor(data)


def test_texts() -> None:
    """One string is a str, several an array of str; what is not UTF-8 is marked; numbers are no text."""
    assert text(b"\x08\x07" + shape(1) + delimited(8, "größe".encode())) == "größe"
    several = text(b"\x08\x07" + shape(2) + delimited(8, b"a") + delimited(8, b"\xff"))
    assert isinstance(several, np.ndarray)
    assert several.tolist() == ["a", "�"]
    with pytest.raises(ValueError, match="not of strings"):
        text(FLOATS + shape(2))


def test_images_that_are_none() -> None:
    """Bytes that no image decoder knows raise its error when pixels are asked for, and not before."""
    import PIL

    one = image(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x22\x04junk")
    assert (one.height, one.data) == (-1, b"junk")
    with pytest.raises(PIL.UnidentifiedImageError):
        one.pixels()


def test_an_image_reads_back() -> None:
    """A PNG's pixels come back."""
    import PIL.Image

    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    data = io.BytesIO()
    PIL.Image.fromarray(pixels).save(data, "PNG")
    assert np.array_equal(Image(2, 4, 3, data.getvalue()).pixels(), pixels)


def test_values_are_a_lazy_sequence() -> None:
    """Values decode what is asked for, index, slice and iterate as a list does, and say how much they are."""
    decoded = list[bytes]()

    def decode(data: bytes) -> int:
        decoded.append(data)
        return len(data)

    values = Values([b"a", b"bb", b"ccc"], decode)
    assert (len(values), values[-1], decoded) == (3, 3, [b"ccc"])
    assert isinstance(values[1:], Values)
    assert list(values[1:]) == [2, 3]
    assert list(values) == [1, 2, 3]
    assert 2 in values
    assert repr(values) == "<3 values, 6 bytes>"
    with pytest.raises(IndexError):
        values[3]


@pytest.mark.parametrize(
    ("message", "decode"),
    [(TENSOR, tensor), (IMAGE, image), (AUDIO, audio), (HISTOGRAM, histogram), (TENSOR, text)],
)
@given(data=st.binary(max_size=60), number=st.integers(1, 20), wire=st.sampled_from([0, 1, 2, 5]))
@settings(max_examples=150, deadline=None)
def test_whatever_is_valid_decodes_or_is_refused(
    message: Message, decode: object, data: bytes, number: int, wire: int
) -> None:
    """Any message that passes the walk is decoded, or is a ValueError; unknown fields change nothing."""
    candidate = key(number, wire) + data
    try:
        validate(candidate, 0, len(candidate), message)
    except Malformed:
        return
    try:
        decode(candidate)  # type: ignore[operator]
    except ValueError:
        assert decode in (tensor, text)

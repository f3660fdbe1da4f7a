"""Tensor summaries, and the packed integers under them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tbasync.encode.tensor import check_tensor, tensor
from tbasync.proto import Summary, TensorProto
from tbasync.wire.varints import packed_varints

_SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
# The types that torch writes so that they can be read; see test_mended_types for the other two.
_SAME_AS_TORCH = [
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "bool",
    "complex64",
    "complex128",
]
_ALL = [*_SAME_AS_TORCH, "uint8", "uint16", "uint32", "uint64", "float16"]


def _arrays(dtypes: list[str]) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return st.sampled_from(dtypes).flatmap(lambda dtype: hnp.arrays(np.dtype(dtype), _SHAPES))


def _read(summary: bytes) -> TensorProto:
    return Summary.FromString(summary).value[0].tensor


@given(array=_arrays(_SAME_AS_TORCH))
def test_equals_torch(torch: Any, torch_summary: Any, array: np.ndarray[Any, Any]) -> None:
    """Every type that torch writes readably gives the bytes of torch's message."""
    theirs = torch_summary.tensor_proto("a/b", torch.tensor(array))
    assert tensor("a/b", array).summary == theirs.SerializeToString()


@given(array=_arrays(["uint8", "float16"]))
def test_mended_types_differ_in_one_list_only(
    torch: Any, torch_summary: Any, array: np.ndarray[Any, Any]
) -> None:
    """uint8 and float16 equal torch's but for the list of elements, which torch misplaces or inflates."""
    theirs = torch_summary.tensor_proto("t", torch.tensor(array))
    ours = Summary.FromString(tensor("t", array).summary)
    expected = Summary.FromString(theirs.SerializeToString())
    for message in (ours, expected):
        for field in ("half_val", "int_val", "uint32_val"):
            message.value[0].tensor.ClearField(field)
    assert ours == expected


@given(array=_arrays([name for name in _ALL if name not in ("uint32", "uint64")]))
def test_tensorboard_reads_every_element(array: np.ndarray[Any, Any]) -> None:
    """TensorBoard's own make_ndarray gives the array back, bit for bit."""
    util = pytest.importorskip("tensorboard.util.tensor_util")
    theirs = pytest.importorskip("tensorboard.compat.proto.summary_pb2").Summary
    message = theirs.FromString(tensor("t", array).summary).value[0].tensor
    with warnings.catch_warnings():
        # TensorBoard reads complex numbers through a Python complex, which numpy warns of for NaN payloads.
        warnings.simplefilter("ignore", RuntimeWarning)
        read = util.make_ndarray(message)
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    np.testing.assert_array_equal(read, array)


@given(array=hnp.arrays(np.float16, _SHAPES))
def test_float16_is_written_as_its_bits(array: np.ndarray[Any, Any]) -> None:
    """half_val holds the 16 bits of each float16, NaNs and signed zeros too."""
    assert list(_read(tensor("t", array).summary).half_val) == array.view(np.uint16).reshape(-1).tolist()


@given(bits=hnp.arrays(np.uint16, _SHAPES))
def test_bfloat16_comes_as_bits_or_as_float32(bits: np.ndarray[Any, Any]) -> None:
    """Both ways to hand over a bfloat16 array give the same summary, with its bits in half_val."""
    as_float = np.asarray(np.left_shift(bits, 16, dtype=np.uint32)).view(np.float32)
    summary = tensor("t", bits, "bfloat16").summary
    assert tensor("t", as_float, "bfloat16").summary == summary
    assert list(_read(summary).half_val) == bits.reshape(-1).tolist()
    assert [dim.size for dim in _read(summary).tensor_shape.dim] == list(bits.shape)


def test_torch_bfloat16_values(torch: Any) -> None:
    """The float32 copy of a torch bfloat16 tensor, which holds its values exactly, gives torch's bits."""
    values = torch.tensor([1.0, -2.5, float("inf"), 3e38, 1e-40], dtype=torch.bfloat16)
    expected = (values.view(torch.int16).numpy().view(np.uint16)).tolist()
    assert list(_read(tensor("t", values.float().numpy(), "bfloat16").summary).half_val) == expected


@pytest.mark.parametrize("layout", ["F", "step", "reversed", "big-endian", "broadcast"])
def test_any_memory_layout(layout: str) -> None:
    """Elements are read in row-major order whatever the array's strides and byte order."""
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {
        "F": np.asfortranarray(base),
        "step": np.repeat(base, 2, axis=1)[:, ::2],
        "reversed": base[::-1, ::-1].copy()[::-1, ::-1],
        "big-endian": base.astype(">f4"),
        "broadcast": np.broadcast_to(base[:1], (4, 6)),
    }
    array = arrays[layout]
    for dtype in ("float32", "int32"):
        expected = tensor("t", np.array(array, dtype=dtype, order="C")).summary
        assert tensor("t", array.astype(dtype, order="K"), dtype).summary == expected


def test_large_arrays_in_pieces() -> None:
    """Arrays of many pieces come back whole, fixed-size elements and varints."""
    floats = np.arange(200_000, dtype=np.float64) / 7
    assert np.array_equal(_read(tensor("t", floats).summary).double_val, floats)
    integers = (np.arange(30_001, dtype=np.int64) - 15_000) << 20
    assert np.array_equal(_read(tensor("t", integers).summary).int64_val, integers)


@given(
    values=st.sampled_from(["bool", "uint8", "int8", "int32", "uint32", "int64", "uint64"]).flatmap(
        lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(max_dims=2, max_side=40))
    )
)
def test_varints_equal_protobufs(values: np.ndarray[Any, Any]) -> None:
    """Packed varints are those that protobuf writes for the same integers."""
    reference = TensorProto()
    field = reference.uint64_val if values.dtype == np.uint64 else reference.int64_val
    field.extend(int(value) for value in values.flat)
    assert reference.SerializeToString().endswith(b"".join(packed_varints(values)))


@pytest.mark.parametrize("bits", range(64))
def test_varints_at_every_length(bits: int) -> None:
    """Each power of two and its neighbours, where varints change length, alone and mixed."""
    values = np.array([(1 << bits) - 1, 1 << bits, 0], dtype=np.uint64)
    reference = TensorProto(uint64_val=values.tolist()).SerializeToString()
    assert reference.endswith(b"".join(packed_varints(values)))
    assert b"".join(packed_varints(np.array([], np.int64))) == b""


@pytest.mark.parametrize("dtype", ["complex32", "qint8", "float8_e4m3fn", "object", "str160", "datetime64"])
def test_check_refuses_types_that_cannot_be_read(dtype: str) -> None:
    """An element type without a place in TensorBoard's files is refused by name."""
    with pytest.raises(TypeError, match=f"elements of type {dtype}; accepted are bfloat16, bool"):
        check_tensor(dtype, 10)


def test_check_refuses_what_protobuf_cannot_hold() -> None:
    """2 GiB are refused, as in torch's writer; a byte less passes."""
    check_tensor("float32", (1 << 31) - 1)
    with pytest.raises(ValueError, match="tensor has 2147483648 bytes"):
        check_tensor("float32", 1 << 31)

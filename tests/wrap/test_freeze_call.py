"""Frozen calls: equal to what was given, and sharing nothing with it that can change."""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tbasync.compat.freeze_call import FrozenCall

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.binary().map(bytearray),
    st.sets(st.integers()),
    st.lists(st.floats(allow_nan=False)).map(np.array),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.lists(inner).map(deque),
        st.dictionaries(st.text(), inner),
        st.dictionaries(st.text(), inner).map(OrderedDict),
    ),
    max_leaves=20,
)


def mutables(value: Any) -> list[int]:
    """The identities of all that can change in a value."""
    if isinstance(value, (list, deque, tuple)):
        inside = [found for element in value for found in mutables(element)]
        return inside if isinstance(value, tuple) else [id(value), *inside]
    if isinstance(value, dict):
        return [id(value), *(found for element in value.values() for found in mutables(element))]
    return [id(value)] if isinstance(value, (bytearray, set, np.ndarray)) else []


def same(one: Any, other: Any) -> bool:
    """Equal in value and in type, to any depth."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and np.array_equal(one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple, deque)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@settings(max_examples=50)
@given(st.lists(VALUES).map(tuple), st.dictionaries(st.text(), VALUES))
def test_equal_and_independent(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    """The copy is equal in values and types, and no mutable object of it is one of the original's."""
    frozen = FrozenCall(arguments, options)
    assert same(frozen.arguments, arguments)
    assert same(frozen.options, options)
    assert not set(mutables((frozen.arguments, frozen.options))) & set(mutables((arguments, options)))


def test_types_that_look_like_containers() -> None:
    """Named tuples, default dicts and other subclasses stay what they are."""
    Point = namedtuple("Point", "x y")
    counts: Any = defaultdict(int, a=1)
    frozen = FrozenCall((Point([1], 2), counts), {})
    point, frozen_counts = frozen.arguments
    assert (type(point), point.x, point.y) == (Point, [1], 2)
    assert (type(frozen_counts), frozen_counts["missing"]) == (defaultdict, 0)
    assert "missing" not in counts


def test_what_contains_itself() -> None:
    """A list in itself, and one list twice, keep their shape."""
    loop: list[Any] = [1]
    loop.append(loop)
    shared = [2]
    frozen_loop, first, second = FrozenCall((loop, shared, shared), {}).arguments
    assert frozen_loop[1] is frozen_loop
    assert frozen_loop is not loop
    assert first is second
    assert first is not shared


def test_tensors() -> None:
    """Tensors are copied without their history, in their dtype and shape, a view as what it shows."""
    torch = pytest.importorskip("torch")
    whole = torch.arange(12.0, requires_grad=True).reshape(3, 4)
    parameter = torch.nn.Parameter(whole.detach())
    for tensor in (whole, whole[:, ::2], whole.bfloat16(), torch.tensor(3), parameter):
        (frozen,) = FrozenCall((tensor,), {}).arguments
        assert (frozen.dtype, frozen.shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(frozen, tensor)
        assert not frozen.requires_grad
        assert frozen.data_ptr() != tensor.data_ptr()


def test_images_and_messages() -> None:
    """PIL images and protobuf messages are copied; what cannot be told is kept by reference."""
    from google.protobuf.struct_pb2 import Struct

    image, message, model = Image.new("L", (2, 2)), Struct(), object()
    message.update({"key": 1})
    frozen_image, frozen_message, frozen_model = FrozenCall((image, message, model), {}).arguments
    image.putpixel((0, 0), 9)
    message.update({"key": 2})
    assert frozen_image.getpixel((0, 0)) == 0
    assert frozen_message["key"] == 1
    assert frozen_model is model


def test_bytes_are_counted() -> None:
    """Arrays count for what they hold, each once, however deep."""
    array = np.zeros(100)
    assert FrozenCall((array, [array, {"a": np.zeros(10, np.float32)}]), {}).nbytes == 840
    assert FrozenCall((1, "a"), {"b": None}).nbytes == 0
    assert copy.copy(array).nbytes == 800


@pytest.mark.gpu
def test_device_tensors_are_complete_when_waited_for() -> None:
    """A tensor that the caller's stream is still computing is copied on that stream, and waited for."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    with torch.cuda.stream(torch.cuda.Stream()):
        tensor = torch.ones(1 << 22, device="cuda")
        for _ in range(100):
            tensor = tensor * 1.01
        expected = tensor.clone()
        call = FrozenCall((tensor,), {})
        tensor.zero_()
        torch.cuda.current_stream().synchronize()
    call.wait()
    assert torch.equal(call.arguments[0], expected)

"""Frozen calls: equal to what was given, and sharing nothing with it that can change."""

from __future__ import annotations

import array
import copy
import os
import threading
import time
from collections import OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
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
@pytest.mark.long
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


def frozen(value: Any) -> Any:
    """A value as the argument of a frozen call."""
    return FrozenCall((value,), {}).arguments[0]


@pytest.mark.parametrize("shape", [(), (2,), (2, 2), (0,)])
def test_arrays_of_objects(shape: tuple[int, ...]) -> None:
    """Their elements are frozen, too, however many dimensions there are."""
    values = np.empty(shape, object)
    for place in np.ndindex(shape):
        values[place] = [np.zeros(2)]
    was = frozen(values)
    for place in np.ndindex(shape):
        values[place][0] += 1
        values[place].append("more")
    assert was.shape == shape
    assert all(len(was[place]) == 1 and not was[place][0].any() for place in np.ndindex(shape))


def test_arrays_with_objects_among_their_fields() -> None:
    """Fields of objects, nested and of several elements, are frozen; masks stay, and an array in itself."""
    records = np.zeros(2, [("list", "O"), ("size", "f4"), ("inner", [("pair", "O", (2,))])])
    records["list"][0], records["inner"]["pair"][1, 0] = [1], [2]
    was = frozen(records)
    records["list"][0].append(9)
    records["inner"]["pair"][1, 0].append(9)
    records["size"] = 5
    assert (was["list"][0], was["inner"]["pair"][1, 0], was["size"].tolist()) == ([1], [2], [0, 0])
    masked = frozen(np.ma.array([[1], [2]], object, mask=[[0], [1]]))
    assert masked.mask.tolist() == [[False], [True]]
    loop = np.empty(1, object)
    loop[0] = loop
    assert frozen(loop)[0] is not loop


VIEWS = {
    "bytes": memoryview(bytearray(b"abc")),
    "read-only": memoryview(b"abc"),
    "characters": memoryview(bytearray(8)).cast("c"),
    "numbers": memoryview(bytearray(16)).cast("d"),
    "shaped": memoryview(np.arange(6, dtype="f4").reshape(2, 3)),
    "strided": memoryview(np.arange(6))[::2],
    "empty": memoryview(bytearray()),
    "fields": memoryview(np.zeros(2, [("a", "f4"), ("b", "i2")])),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_of_memory(name: str) -> None:
    """A view's copy has its format, shape and bytes, may be written to as it may, and shares nothing."""
    view = VIEWS[name]
    was, before = frozen(view), view.tobytes()
    assert type(was) is memoryview
    assert (was.format, was.shape, was.readonly) == (view.format, view.shape, view.readonly)
    if view.nbytes and not view.readonly:
        memory = np.asarray(view)
        memory[...] = np.frombuffer(bytes(len(before)) if any(before) else b"1" * len(before), memory.dtype)[
            0
        ]
    assert was.tobytes() == before
    assert FrozenCall((view,), {}).nbytes == view.nbytes


def test_other_buffers() -> None:
    """Arrays of the standard library are copied and counted."""
    values = array.array("d", [1, 2])
    call = FrozenCall((values,), {})
    values[0] = 9
    assert (call.arguments[0], call.nbytes) == (array.array("d", [1, 2]), 16)


@dataclass
class Plain:
    values: list[int]
    table: Any = None
    cache: Any = field(default=None, init=False, compare=False)


@dataclass(frozen=True)
class Frozen:
    values: list[int]


@dataclass(frozen=True, slots=True)
class Slotted:
    values: list[int]


@dataclass
class Guarded:
    values: list[int]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self):
            raise AttributeError(f"{name} is set already")
        super().__setattr__(name, value)


@pytest.mark.parametrize(
    "cls", [Plain, Frozen, Slotted, Guarded, lambda values: SimpleNamespace(values=values)]
)
def test_dataclasses(cls: Any) -> None:
    """An instance is rebuilt from frozen fields, whatever its class thinks of assignments; the original stays."""
    value = cls([1])
    was = frozen(value)
    value.values.append(2)
    assert (type(was), was.values, value.values) == (type(value), [1], [1, 2])


def test_what_a_dataclass_holds_besides() -> None:
    """Attributes that are no fields, arrays within, itself; but a model that happens to be one is passed on."""
    value: Any = Plain([1], {"array": np.zeros(1)})
    value.extra, value.cache = [np.zeros(1)], value
    was = frozen(value)
    value.extra[0] += 1
    value.table["array"] += 1
    assert (was.extra[0].item(), was.table["array"].item(), was.cache is was) == (0, 0, True)

    @dataclass(eq=False)
    class Model:
        weights: Any

        def __call__(self) -> None: ...

    model = Model(np.zeros(1))
    assert frozen([model, Plain, Model])[:3] == [model, Plain, Model]


def test_other_mappings_and_sequences() -> None:
    """Read-only views of mappings, and the standard library's bases for containers of one's own."""
    inner: dict[str, Any] = {"list": [1]}
    was_proxy, was_user, was_list = frozen((MappingProxyType(inner), UserDict(inner), UserList([inner])))
    inner["list"].append(2)
    inner["more"] = 1
    assert (type(was_proxy), dict(was_proxy)) == (MappingProxyType, {"list": [1]})
    assert (type(was_user), dict(was_user)) == (UserDict, {"list": [1]})
    assert (type(was_list), list(was_list)) == (UserList, [{"list": [1]}])


class Pair(tuple[Any, ...]):
    """A tuple with an attribute and with arguments of its own."""

    note: Any

    def __new__(cls, first: Any, second: Any) -> Pair:
        return super().__new__(cls, (first, second))


def test_subclasses_of_tuples() -> None:
    """They stay what they are, with their attributes, whatever their constructors take."""
    Point = namedtuple("Point", "x y")

    class Strict(Point):
        def __new__(cls, point: str) -> Any:
            return super().__new__(cls, *map(int, point.split()))

    pair = Pair([1], 2)
    pair.note = ["n"]
    was, was_point = frozen((pair, Strict("1 2")))
    pair[0].append(9)
    pair.note.append(9)
    assert (type(was), tuple(was), was.note) == (Pair, ([1], 2), ["n"])
    assert (type(was_point), was_point) == (Strict, (1, 2))
    for immutable in (time.localtime(0), os.stat("/")):
        assert frozen(immutable) is immutable


def test_tuples_of_torch() -> None:
    """Sizes and the named results of functions are tuples that only torch can make."""
    torch = pytest.importorskip("torch")
    size, result = torch.Size((1, 2)), torch.max(torch.eye(2), 0)
    was_size, was = frozen((size, result))
    result.values.zero_()
    assert (type(was_size), was_size) == (torch.Size, (1, 2))
    assert (type(was), was.values.tolist()) == (torch.return_types.max, [1, 1])


class AttributeDict(dict[str, Any]):
    """The usual recipe: its items are its attributes."""

    def __init__(self, **items: Any) -> None:
        super().__init__(**items)
        self.__dict__ = self


def test_dicts_with_attributes() -> None:
    """Attributes are frozen as items are."""
    value = AttributeDict(a=[1])
    was = frozen(value)
    value["a"].append(2)
    assert (type(was), was, was.a) == (AttributeDict, {"a": [1]}, [1])


class Strange:
    """Fails at whatever is done to it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError(protocol)


class StrangeList(list[Any], Strange):
    """A list that cannot be copied."""


@dataclass
class StrangeRecord(Strange):
    """A dataclass that cannot be copied."""

    values: list[int]


class ReadOnlyDict(dict[str, Any]):
    """A dict that takes nothing once it is made."""

    def __setitem__(self, name: str, value: Any) -> None:
        raise TypeError("read-only")


class Liar:
    """Passes for something that it is not, and fails when it is asked."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("class")


class AnswersAll:
    """Has every attribute, as a framework's dummy or a mock has."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def nested(depth: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def released() -> memoryview:
    """A view that cannot be looked at any more."""
    view = memoryview(b"abc")
    view.release()
    return view


UNCOPYABLE: dict[str, Callable[[], Any]] = {
    "object": Strange,
    "list": lambda: StrangeList([1]),
    "dataclass": lambda: StrangeRecord([1]),
    "dict": lambda: ReadOnlyDict(a=[1]),
    "liar": Liar,
    "mock": AnswersAll,
    "released view": released,
    "lock": threading.Lock,
    "generator": lambda: (number for number in range(3)),
}


@pytest.mark.parametrize("name", UNCOPYABLE)
def test_what_cannot_be_copied_is_passed_on(name: str) -> None:
    """Nothing is raised; the value itself is passed on, and what stands beside it is copied all the same."""
    value, beside = UNCOPYABLE[name](), [1]
    call = FrozenCall((value, beside), {"key": value})
    beside.append(2)
    assert call.arguments[0] is value
    assert call.options["key"] is value
    assert call.arguments[1] == [1]


def test_nested_without_end() -> None:
    """What is nested deeper than Python can follow is copied as deep as it goes."""
    deep = nested(100_000)
    was = frozen(deep)
    assert (type(was), was is deep) == (list, False)


def test_memory_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """To be out of memory is no failure of one value's: it is raised."""

    class Huge(np.ndarray[Any, Any]):
        def copy(self, *_: Any) -> Any:
            raise MemoryError

    with pytest.raises(MemoryError):
        frozen([np.zeros(1).view(Huge)])


def test_a_copy_is_not_taken_for_another() -> None:
    """Values that exist only while they are looked at, and so may have one identity in turn, are told apart."""

    proxies = frozen([MappingProxyType({"k": [number]}) for number in range(50)])
    assert [proxy["k"] for proxy in proxies] == [[number] for number in range(50)]


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

"""The schemas against TensorBoard's own: field by field, and bytes both ways."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from tbasync import proto

pytest.importorskip("tensorboard")

_TENSORBOARD = (
    "compat.proto.event_pb2",
    "compat.proto.config_pb2",
    "plugins.audio.plugin_data_pb2",
    "plugins.custom_scalar.layout_pb2",
    "plugins.histogram.plugin_data_pb2",
    "plugins.hparams.plugin_data_pb2",
    "plugins.image.plugin_data_pb2",
    "plugins.mesh.plugin_data_pb2",
    "plugins.pr_curve.plugin_data_pb2",
    "plugins.projector.projector_config_pb2",
    "plugins.scalar.plugin_data_pb2",
    "plugins.text.plugin_data_pb2",
)
# What the schemas leave out on purpose; readers keep it as unknown fields.
_OMITTED = {"GraphDef.debug_info"}


def _modules() -> Iterator[ModuleType]:
    yield from (proto, proto.hparams, proto.mesh, proto.projector)


def _messages() -> Iterator[Any]:
    """Descriptors of every message of the schemas, nested ones and map entries too."""

    def walk(descriptor: Any) -> Iterator[Any]:
        yield descriptor
        for nested in descriptor.nested_types:
            yield from walk(nested)

    for module in _modules():
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, Message):
                yield from walk(value.DESCRIPTOR)


def _enums() -> Iterator[Any]:
    for module in _modules():
        for name in module.__all__:
            if hasattr(getattr(module, name), "Value") and not isinstance(getattr(module, name), type):
                yield getattr(module, name).DESCRIPTOR
    for message in _messages():
        yield from message.enum_types


def _theirs(name: str) -> str:
    return name.replace("tbasync", "tensorboard", 1)


def _pool() -> Any:
    for module in _TENSORBOARD:
        importlib.import_module(f"tensorboard.{module}")
    return descriptor_pool.Default()


def _fields(descriptor: Any) -> dict[str, tuple[object, ...]]:
    """Name -> what the wire and the API make of a field: number, type, repeated, oneof, type's name."""

    def repeated(field: Any) -> bool:
        if hasattr(field, "is_repeated"):
            return bool(field.is_repeated)
        return bool(field.label == field.LABEL_REPEATED)

    def type_name(field: Any) -> str | None:
        kind = field.message_type or field.enum_type
        return _theirs(kind.full_name) if kind else None

    def oneof(field: Any) -> str | None:
        return field.containing_oneof.name if field.containing_oneof else None

    return {f.name: (f.number, f.type, repeated(f), oneof(f), type_name(f)) for f in descriptor.fields}


_ALL = sorted({d.full_name: d for d in _messages()}.items())


@pytest.mark.parametrize("ours", [d for _, d in _ALL], ids=[name for name, _ in _ALL])
def test_fields_equal_tensorboards(ours: Any) -> None:
    """Every field that TensorBoard's message has is there, with its number, type, label and oneof."""
    theirs = _fields(_pool().FindMessageTypeByName(_theirs(ours.full_name)))
    kept = {name: field for name, field in theirs.items() if f"{ours.name}.{name}" not in _OMITTED}
    assert kept.items() <= _fields(ours).items()


@pytest.mark.parametrize("ours", list(_enums()), ids=lambda d: d.full_name)
def test_enums_equal_tensorboards(ours: Any) -> None:
    """Every enum has TensorBoard's names, with its numbers."""
    theirs = _pool().FindEnumTypeByName(_theirs(ours.full_name))
    assert {(v.name, v.number) for v in theirs.values} <= {(v.name, v.number) for v in ours.values}


def _sample(field: Any, count: int) -> Any:
    """A value that is no default and differs with `count`, for a field that holds no message."""
    if field.enum_type:
        return field.enum_type.values[-1 - count % 2].number or field.enum_type.values[-1].number
    if field.type == field.TYPE_BYTES:
        return b"\x00\xff" + bytes([count])
    if field.type == field.TYPE_BOOL:
        return True
    if field.type == field.TYPE_STRING:
        return f"ü{count}"
    if field.type in (field.TYPE_INT32, field.TYPE_INT64):
        return -1 - count
    return 1 + count


def _fill(message: Any, depth: int) -> None:
    """Sets every field, messages down to `depth`; the last member of a oneof wins."""
    wellknown: dict[str, Any] = {
        "google.protobuf.ListValue": {"values": [{}]},
        "google.protobuf.Value": {"string_value": "ü"},
    }
    if message.DESCRIPTOR.full_name in wellknown:
        message.MergeFrom(type(message)(**wellknown[message.DESCRIPTOR.full_name]))
        return
    for count, field in enumerate(message.DESCRIPTOR.fields if depth >= 0 else ()):
        value = getattr(message, field.name)
        if isinstance(value, Message):
            value.SetInParent()
            _fill(value, depth - 1)
        elif hasattr(value, "items"):
            key, entry = field.message_type.fields
            if entry.message_type is None:
                value[_sample(key, count + 5)] = _sample(entry, count)
            else:
                _fill(value["k" if key.type == key.TYPE_STRING else 7], depth - 1)
        elif hasattr(value, "add"):
            _fill(value.add(), depth - 1)
            value.add()
        elif hasattr(value, "extend"):
            value.extend([_sample(field, count), _sample(field, count + 1)])
        else:
            setattr(message, field.name, _sample(field, count))


_TOP = [
    (module, name)
    for module in _modules()
    for name in module.__all__
    if isinstance(getattr(module, name), type) and issubclass(getattr(module, name), Message)
]


def _same(ours: type[Message]) -> type[Message]:
    """TensorBoard's class for ours."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(_theirs(ours.DESCRIPTOR.full_name)))


@pytest.mark.parametrize(("module", "name"), _TOP, ids=[f"{m.__name__}.{n}" for m, n in _TOP])
def test_bytes_pass_both_ways(module: ModuleType, name: str) -> None:
    """A message with every field set reads as TensorBoard's, with nothing unknown to it, and back."""
    ours = getattr(module, name)()
    _fill(ours, 3)
    theirs = _same(type(ours))()
    data = ours.SerializeToString(deterministic=True)
    theirs.ParseFromString(data)
    theirs.DiscardUnknownFields()
    assert theirs.SerializeToString(deterministic=True) == data
    back = type(ours).FromString(theirs.SerializeToString())
    back.DiscardUnknownFields()
    assert back == ours


def _oneof_members() -> list[tuple[type[Message], Any]]:
    kinds: list[type[Message]] = [proto.Event, proto.Summary.Value, proto.AttrValue]
    return [(kind, field) for kind in kinds for oneof in kind.DESCRIPTOR.oneofs for field in oneof.fields]


@pytest.mark.parametrize(("kind", "field"), _oneof_members(), ids=lambda x: getattr(x, "name", ""))
def test_each_member_of_a_oneof_is_read_by_name(kind: type[Message], field: Any) -> None:
    """Whichever member of a oneof is set, TensorBoard's class names the same one."""
    message = kind()
    if field.message_type:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _sample(field, 1))
    theirs = _same(kind).FromString(message.SerializeToString())
    assert theirs.WhichOneof(field.containing_oneof.name) == field.name

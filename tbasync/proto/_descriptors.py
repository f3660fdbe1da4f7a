"""Message classes from the committed descriptor set, whatever protobuf runtime is installed.

Code that protoc generates refuses to load on runtimes of another major version; a serialized
descriptor set has no such tie, and every runtime since 4.22 builds classes from it
(`message_factory.GetMessageClass`). The files go into the runtime's default pool, beside the
well-known types that they use; the package name `tbasync` keeps them apart from TensorBoard's.
"""

from __future__ import annotations

import os.path
from typing import Any

# struct_pb2 puts google/protobuf/struct.proto into the pool, where hparams.proto looks for it.
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2  # noqa: F401
from google.protobuf.internal import enum_type_wrapper
from google.protobuf.message import Message

DESCRIPTOR_SET = "descriptors.binpb"


def _message_class(descriptor: Any) -> type[Message]:
    """The class of `descriptor`, with its nested messages as attributes (pure-Python protobuf omits them)."""
    message = message_factory.GetMessageClass(descriptor)
    for name, nested in descriptor.nested_types_by_name.items():
        if not hasattr(message, name) and not nested.GetOptions().map_entry:
            setattr(message, name, _message_class(nested))
    return message


def _load() -> dict[str, dict[str, Any]]:
    """Package name -> simple name -> message class or enum wrapper, for all top-level types of the set."""
    # os.path, not pathlib or importlib.resources: those would be most of this package's import time.
    with open(os.path.join(os.path.dirname(__file__), DESCRIPTOR_SET), "rb") as stored:
        data = stored.read()
    pool = descriptor_pool.Default()
    packages: dict[str, dict[str, Any]] = {}
    for proto in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(proto.SerializeToString())
        file = pool.FindFileByName(proto.name)
        names = packages.setdefault(proto.package, {})
        for name, message in file.message_types_by_name.items():
            names[name] = _message_class(message)
        for name, enum in file.enum_types_by_name.items():
            names[name] = enum_type_wrapper.EnumTypeWrapper(enum)
    return packages


PACKAGES = _load()

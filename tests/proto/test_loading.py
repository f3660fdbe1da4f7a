"""How the message classes come to be: on any runtime, beside TensorBoard's, and true to the sources."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tbasync import proto
from tbasync.proto import compile as schema_compiler

_HERE = Path(proto.__file__).parent


def _python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints for `code`, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(_HERE.parent.parent), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", [proto, proto.hparams, proto.mesh, proto.projector])
def test_names_are_sorted_and_there(module: object) -> None:
    """`__all__` is sorted and each of its names exists."""
    names = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    assert all(hasattr(module, name) for name in names)


def test_stubs_and_descriptors_are_of_one_make() -> None:
    """The committed stubs are those that the committed descriptor set gives."""
    files = FileDescriptorSet.FromString((_HERE / "descriptors.binpb").read_bytes())
    for name, content in schema_compiler.outputs(files).items():
        assert (_HERE / name).read_bytes() == content, f"{name}: run python -m tbasync.proto.compile"


def test_descriptors_are_compiled_from_the_sources() -> None:
    """Compiling the .proto files again gives the committed descriptor set."""
    pytest.importorskip("grpc_tools")
    files = schema_compiler.descriptor_set()
    assert files == FileDescriptorSet.FromString((_HERE / "descriptors.binpb").read_bytes())


def test_every_source_is_in_the_descriptors() -> None:
    """No .proto file was added and left uncompiled."""
    files = FileDescriptorSet.FromString((_HERE / "descriptors.binpb").read_bytes())
    assert {Path(file.name).name for file in files.file} == {path.name for path in _HERE.glob("*.proto")}


_USE = """
import sys
from google.protobuf.internal import api_implementation
from tbasync import proto
value = proto.Summary.Value(tag="t", tensor=proto.TensorProto(dtype=proto.DataType.DT_HALF))
event = proto.Event(step=-1, summary=proto.Summary(value=[value]))
assert proto.Event.FromString(event.SerializeToString()) == event
start = proto.hparams.SessionStartInfo(start_time_secs=2.0)
start.hparams["lr"].number_value = 0.5
assert proto.hparams.SessionStartInfo.FromString(start.SerializeToString()).hparams["lr"].number_value == 0.5
node = proto.NodeDef(name="n")
node.attr["shape"].list.shape.add().dim.add(size=3)
assert proto.NodeDef.FromString(node.SerializeToString()) == node
assert proto.SessionLog.START == proto.SessionLog.SessionStatus.Value("START") == 1
assert proto.CostGraphDef.Node.InputInfo(preceding_node=3).preceding_node == 3
print(api_implementation.Type())
"""


@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_both_runtimes_build_the_classes(implementation: str) -> None:
    """The C and the pure-Python protobuf runtimes give classes that work, nested ones included."""
    assert _python(_USE, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=implementation) == implementation


_OURS = "from tbasync.proto import Event, hparams, mesh, projector"
_TENSORBOARD = "from tensorboard.compat.proto import event_pb2, config_pb2"
_TENSORBOARDX = "from tensorboardX.proto import event_pb2 as x"


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)], ids=str)
@pytest.mark.long
def test_imports_beside_tensorboard_in_any_order(order: tuple[int, ...]) -> None:
    """tbasync's, TensorBoard's and tensorboardX's schemas live in one process, whichever comes first."""
    pytest.importorskip("tensorboard")
    pytest.importorskip("tensorboardX")
    lines = [_OURS, _TENSORBOARD, _TENSORBOARDX]
    compare = "assert event_pb2.Event.FromString(Event(step=3).SerializeToString()).step == 3"
    _python("\n".join([*(lines[i] for i in order), compare]))


def test_loading_twice_is_harmless() -> None:
    """Importing the package anew in one process, as some notebooks do, does not clash with itself."""
    _python(
        "import sys, tbasync.proto\n"
        "for name in [n for n in sys.modules if n.startswith('tbasync')]: del sys.modules[name]\n"
        "from tbasync.proto import Event; Event(step=1)"
    )


def test_compiler_module_needs_no_compiler() -> None:
    """The development script imports without grpcio-tools."""
    assert importlib.reload(schema_compiler)

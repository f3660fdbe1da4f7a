"""Compiles the .proto files into what is committed beside them: `python -m tbasync.proto.compile`.

Needs grpcio-tools (for its protoc); only those who change a schema run it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from ._descriptors import DESCRIPTOR_SET
from ._stubs import stub

HERE = Path(__file__).parent
_SUBMODULES = ["hparams", "mesh", "projector"]


def descriptor_set() -> FileDescriptorSet:
    """The descriptors of all .proto files of this directory, each after those it imports."""
    root = HERE.parent.parent
    sources = sorted(str(path.relative_to(root)) for path in HERE.glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, DESCRIPTOR_SET)
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"--descriptor_set_out={out}"]
        subprocess.run([*protoc, *sources], check=True)
        return FileDescriptorSet.FromString(out.read_bytes())


def outputs(files: FileDescriptorSet) -> dict[str, bytes]:
    """File name -> content of everything that is made from the schemas."""
    contents = {DESCRIPTOR_SET: files.SerializeToString(deterministic=True)}
    contents["__init__.pyi"] = stub(files, "tbasync", _SUBMODULES).encode()
    for name in _SUBMODULES:
        contents[f"{name}.pyi"] = stub(files, f"tbasync.{name}", []).encode()
    return contents


def main() -> None:
    """Writes the outputs beside the schemas, and says which of them changed."""
    for name, content in outputs(descriptor_set()).items():
        path = HERE / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            sys.stdout.write(f"{path.name}: {len(content)} bytes\n")


if __name__ == "__main__":
    main()

"""What tensorboardX writes in a way of its own, put as torch's writer and tbasync write it.

Each of these has an entry in docs/compatibility.md, and a test in `test_differences_to_tensorboardx`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from .reading import Left, read

pytest.importorskip("tensorboard")

from google.protobuf import text_format
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR
from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

_PARTS = {1: "VERTEX", 2: "FACE", 3: "COLOR"}
_CONFIG = "./projector_config.pbtxt"


def read_tensorboardx(log_dir: Path | str, *, sub_runs: bool = False) -> Left:
    """Reads what tensorboardX's writer has left, put as tbasync would have written it.

    Args:
        log_dir: the run's directory.
        sub_runs: whether the runs of `add_scalars` are to be named as torch names them, too.
    """
    left = read(log_dir, _amend, shades=1)
    if _CONFIG in left.files:
        left.files[_CONFIG] = _as_torch_prints(left.files[_CONFIG])
    if sub_runs:
        left = replace(left, runs={name.replace("/", "_"): events for name, events in left.runs.items()})
    return left


def _amend(event: Any) -> None:
    if event.HasField("tagged_run_metadata"):
        event.tagged_run_metadata.tag = "step1"
    plugins = [value.metadata.plugin_data.plugin_name for value in event.summary.value]
    if "mesh" in plugins:
        _amend_mesh(event.summary)
    for value in event.summary.value:
        if value.HasField("simple_value") and value.HasField("metadata"):
            value.metadata.plugin_data.plugin_name = "scalars"
            value.metadata.data_class = DATA_CLASS_SCALAR


def _amend_mesh(summary: Any) -> None:
    contents = [MeshPluginData.FromString(value.metadata.plugin_data.content) for value in summary.value]
    for value, content in zip(summary.value, contents, strict=True):
        value.tag = value.tag.removesuffix(str(content.content_type)) + _PARTS[content.content_type]
        content.components = sum(1 << other.content_type for other in contents)
        if content.json_config == "null":
            content.json_config = "{}"
        value.metadata.plugin_data.content = content.SerializeToString()


def _as_torch_prints(config: bytes) -> bytes:
    return text_format.MessageToString(text_format.Parse(config.decode(), ProjectorConfig())).encode()

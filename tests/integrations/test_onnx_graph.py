"""Graphs of ONNX files against those of the originals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync.integrations.onnx_graph import onnx_graph
from tbasync.proto import GraphDef


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A small convolutional network with attributes of every common kind and an unknown batch size."""
    onnx = pytest.importorskip("onnx")
    make = onnx.helper
    weight = onnx.numpy_helper.from_array(np.full((4, 3, 3, 3), 0.5, np.float32), "w")
    nodes = [
        make.make_node("Conv", ["x", "w"], ["c/conv"], pads=[1, 1, 1, 1], kernel_shape=[3, 3], name="conv"),
        make.make_node("LeakyRelu", ["c/conv"], ["c/act"], alpha=0.25),
        make.make_node("Constant", [], ["k"], value=make.make_tensor("v", onnx.TensorProto.INT64, [1], [7])),
        make.make_node("Split", ["c/act"], ["s1", "s2"], axis=1, num_outputs=2),
        make.make_node("Concat", ["s2", "s1"], ["y"], axis=1),
    ]
    tensor = make.make_tensor_value_info
    graph = make.make_graph(
        nodes,
        "net",
        [tensor("x", onnx.TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [tensor("y", onnx.TensorProto.FLOAT, ["batch", 4, 8, 8])],
        [weight],
    )
    path = tmp_path / "model.onnx"
    onnx.save(make.make_model(graph), path)
    return path


@pytest.mark.parametrize("original", ["torch.utils.tensorboard._onnx_graph", "tensorboardX.onnx_graph"])
def test_equals_the_originals(original: str, model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The graph equals theirs node by node, has no run metadata, and nothing is printed."""
    theirs: Any = pytest.importorskip(original)
    fields = onnx_graph(model_file)
    assert capsys.readouterr().out == ""
    expected = theirs.load_onnx_graph(str(model_file)).SerializeToString()
    assert GraphDef.FromString(fields.graph_def) == GraphDef.FromString(expected)
    assert fields.tagged_run_metadata == b""


def test_weights_are_not_read(model_file: Path) -> None:
    """A model whose weights lie in another file, which is not there, still gives its graph."""
    onnx = pytest.importorskip("onnx")
    expected = onnx_graph(model_file)
    model = onnx.load(model_file)
    onnx.save(model, model_file, save_as_external_data=True, location="weights", size_threshold=0)
    model_file.with_name("weights").unlink()
    assert onnx_graph(model_file) == expected


def test_a_missing_file_raises(tmp_path: Path) -> None:
    """A file that is not there raises the operating system's error, with its name."""
    pytest.importorskip("onnx")
    with pytest.raises(FileNotFoundError, match=r"none\.onnx"):
        onnx_graph(tmp_path / "none.onnx")


def test_a_file_of_another_kind_raises(tmp_path: Path) -> None:
    """A file that is no ONNX model is refused by name."""
    pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match=r"model\.onnx', which is no ONNX model"):
        onnx_graph(path)


def test_without_onnx_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the onnx package the error names it."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="add_onnx_graph needs the onnx package: pip install onnx"):
        onnx_graph("model.onnx")

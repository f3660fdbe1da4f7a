"""A call of every public method that a writer, or its file writer, has today or will have tomorrow.

Arguments are found by the parameters' names. A method whose parameters are not known here has no call, and the
test that goes through all methods fails for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import SummaryWriter, proto
from tbasync.file_writer import FileWriter

BARRIERS = {"flush", "close"}


def public_methods(of: type) -> list[str]:
    """Names of a class's public methods and properties."""
    return [name for name in dir(of) if not name.startswith("_")]


def _figure() -> Any:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.add_subplot().plot([1, 2])
    return figure


def _model_file(directory: Path) -> Path:
    path = directory.parent / "model.xml"
    path.write_text('<net><layers><layer id="0" name="a"/><layer id="1" name="b"/></layers></net>')
    return path


def _onnx_file(directory: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    path = directory.parent / "model.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:])), str(path))
    return path


def _summary() -> Any:
    summary = proto.Summary()
    summary.value.add(tag="t", simple_value=1.0)
    return summary


_COUNTS = np.array([3.0, 1.0])

SAMPLES: dict[str, Callable[[], Any]] = {
    "tag": lambda: "tag",
    "main_tag": lambda: "main",
    "tag_scalar_dict": lambda: {"x": 1.0, "y": 2},
    "metrics": lambda: {"a": 1.0, "b": 2},
    "scalar_value": lambda: 1.0,
    "values": lambda: np.arange(10.0),
    "min": lambda: 0.0,
    "max": lambda: 1.0,
    "num": lambda: 2,
    "sum": lambda: 1.0,
    "sum_squares": lambda: 1.0,
    "bucket_limits": lambda: [0.5, 1.0],
    "bucket_counts": lambda: [1, 1],
    "text_string": lambda: "text",
    "img_tensor": lambda: np.zeros((3, 8, 8)),
    "box_tensor": lambda: np.array([[0, 0, 4, 4]]),
    "snd_tensor": lambda: np.zeros((1, 100)),
    "vid_tensor": lambda: np.zeros((1, 2, 3, 8, 8)),
    "figure": _figure,
    "tensor": lambda: np.zeros(3),
    "vertices": lambda: np.zeros((1, 3, 3)),
    "mat": lambda: np.zeros((3, 2)),
    "labels": lambda: np.array([0, 1]),
    "predictions": lambda: np.array([0.25, 0.75]),
    "true_positive_counts": lambda: _COUNTS,
    "false_positive_counts": lambda: _COUNTS,
    "true_negative_counts": lambda: _COUNTS,
    "false_negative_counts": lambda: _COUNTS,
    "precision": lambda: _COUNTS,
    "recall": lambda: _COUNTS,
    "hparam_dict": lambda: {"lr": 0.1},
    "metric_dict": lambda: {"accuracy": 1.0},
    "layout": lambda: {"category": {"chart": ["Multiline", ["a", "b"]]}},
    "tags": lambda: ["a", "b", "c"],
    "step": lambda: 1,
    "event": lambda: proto.Event(summary=_summary()),
    "summary": _summary,
    "graph": proto.GraphDef,
    "graph_profile": lambda: (proto.GraphDef(), proto.RunMetadata()),
}

# Where a parameter's name does not say enough.
EXTRA: dict[str, Callable[[Path], dict[str, Any]]] = {
    "add_images": lambda directory: {"img_tensor": np.zeros((2, 3, 8, 8))},
    "add_onnx_graph": lambda directory: {"prototxt": _onnx_file(directory)},
    "export_scalars_to_json": lambda directory: {"path": directory.parent / "scalars.json"},
    "add_openvino_graph": lambda directory: {"xmlname": _model_file(directory)},
}


def call_of(target: SummaryWriter | FileWriter, name: str) -> Callable[[], object]:
    """The call of one public method with sample arguments, or a look at a property."""
    found = inspect.getattr_static(type(target), name)
    if isinstance(found, property):
        return lambda: getattr(target, name)
    method = getattr(target, name)
    if name == "add_graph" and isinstance(target, SummaryWriter):
        torch = pytest.importorskip("torch")
        return lambda: method(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    if name == "add_onnx_graph" and isinstance(target, SummaryWriter):
        pytest.importorskip("onnx")
    # A file writer's method of the same name takes a graph that is made already.
    special = name in EXTRA and isinstance(target, SummaryWriter)
    extra = EXTRA[name](Path(target.get_logdir())) if special else {}
    wanted = [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    unknown = [name for name in wanted if name not in SAMPLES and name not in extra]
    assert not unknown, f"tests/support/calls.py needs sample arguments for {unknown} of {name}()"
    arguments = {name: SAMPLES[name]() for name in wanted if name not in extra} | extra
    return lambda: method(**arguments)

"""A model file of ONNX -> the fields of a graph's event."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

from ..encode.graph import GraphFields, definition
from ..proto import AttrValue, NodeDef, TensorShapeProto


def onnx_graph(path: str | os.PathLike[str]) -> GraphFields:
    """The graph of the model in the file `path`, as torch's and tensorboardX's writers give it.

    Each operation is named by its first output, and says its attributes in one text; inputs and outputs
    of the model are "Variable" nodes. Weights are not read. There are no run metadata.

    Raises:
        ImportError: if the onnx package is missing.
        OSError: if the file cannot be read.
        ValueError: if it holds no ONNX model.
    """
    try:
        onnx = importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError("add_onnx_graph needs the onnx package: pip install onnx") from error
    name = os.fspath(path)
    try:
        model = onnx.load(name, load_external_data=False)
    except OSError:
        raise
    except Exception as error:  # protobuf's DecodeError, or that of a text format
        raise ValueError(f"prototxt is {name!r}, which is no ONNX model: {error}") from error
    return GraphFields(definition(_nodes(model.graph)))


def _nodes(graph: Any) -> Iterator[NodeDef]:
    for variable in (*graph.input, *graph.output):
        tensor = variable.type.tensor_type
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=d.dim_value) for d in tensor.shape.dim])
        attributes = {"dtype": AttrValue(type=tensor.elem_type), "shape": AttrValue(shape=shape)}
        yield NodeDef(name=variable.name, op="Variable", attr=attributes)
    for node in graph.node:
        parameters = ", ".join(_text(attribute) for attribute in node.attribute).encode()
        attributes = {"parameters": AttrValue(s=parameters)}
        yield NodeDef(name=node.output[0], op=node.op_type, input=node.input, attr=attributes)


def _text(attribute: Any) -> str:
    """All set fields of an attribute, its name first and its type last."""
    return " = ".join(str(value) for _, value in attribute.ListFields())

"""Graphs of models: torch's, and those in the files of ONNX and OpenVINO."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..encode.graph import GraphFields, Node, graph
from ..encode.result import Encoded
from ..wire.event import GRAPH_DEF, TAGGED_RUN_METADATA
from .base import Pushing


def _graph(_: str, nodes: Sequence[Node]) -> Encoded:
    return _graph_fields(_, *graph(nodes))


def _graph_fields(_: str, graph_def: bytes, tagged_run_metadata: bytes) -> Encoded:
    events = ((GRAPH_DEF, graph_def), (TAGGED_RUN_METADATA, tagged_run_metadata))
    return Encoded(b"", events=tuple(event for event in events if event[1]))


class GraphMethods(Pushing):
    """`add_graph`, `add_onnx_graph`, `add_openvino_graph`."""

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """Logs the graph of a torch model. The model runs once, traced, on the calling thread.

        Args:
            model: a `torch.nn.Module`.
            input_to_model: a tensor, or a tuple of what the forward pass takes.
            verbose: print the trace.
            use_strict_trace: False lets a model return dicts and lists.

        Raises:
            TypeError: `model` is no module.
            RuntimeError: it cannot be traced; torch's own error is chained.
        """
        from ..integrations.torch_graph import torch_graph

        nodes = torch_graph(model, input_to_model, verbose, use_strict_trace)
        self._push("graph", None, None, _graph, (nodes,))

    def add_onnx_graph(
        self,
        prototxt: str | os.PathLike[str] | None = None,
        *,
        onnx_model_file: str | os.PathLike[str] | None = None,
    ) -> None:
        """Logs the graph of an ONNX model. The file is read at the call, by the onnx package; no weights are.

        Args:
            prototxt: the file's path.
            onnx_model_file: tensorboardX's name for it.

        Raises:
            ImportError: the onnx package is missing.
            OSError: the file cannot be read.
            TypeError, ValueError: it is no path, or the file holds no ONNX model.
        """
        from ..integrations.onnx_graph import onnx_graph

        path = onnx_model_file if prototxt is None else prototxt
        self._push_fields(onnx_graph(_checked_path("prototxt", path)))

    def add_openvino_graph(self, xmlname: str | os.PathLike[str]) -> None:
        """Logs the graph of an OpenVINO model (tensorboardX). The file is read at the call.

        Args:
            xmlname: the path of the model's XML file.

        Raises:
            OSError: the file cannot be read.
            TypeError, ValueError: it is no path, or the file describes no OpenVINO model.
        """
        from ..integrations.openvino_graph import openvino_graph

        self._push_fields(openvino_graph(_checked_path("xmlname", xmlname)))

    def _push_fields(self, fields: GraphFields) -> None:
        self._push("graph", None, None, _graph_fields, fields)


def _checked_path(name: str, path: str | os.PathLike[str] | None) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be the path of a model's file, got {type(path).__name__}: {path!r}")
    return os.fspath(path)

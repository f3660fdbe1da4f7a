"""A model description of OpenVINO (its XML file) -> the fields of a graph's event."""

from __future__ import annotations

import os
from collections.abc import Iterator
from xml.etree import ElementTree

from ..encode.graph import GraphFields, definition
from ..proto import AttrValue, NodeDef


def openvino_graph(path: str | os.PathLike[str]) -> GraphFields:
    """The graph of the model in the XML file `path`, as tensorboardX's writer gives it: a node an edge.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no OpenVINO model.
    """
    name = os.fspath(path)
    try:
        return GraphFields(definition(_nodes(ElementTree.parse(name).getroot())))
    except (ElementTree.ParseError, KeyError) as error:
        raise ValueError(f"xmlname is {name!r}, which is no OpenVINO model: {error!r}") from error


def _nodes(root: ElementTree.Element) -> Iterator[NodeDef]:
    names = {layer.attrib["id"]: layer.attrib["name"] for layer in root.iterfind("layers/layer")}
    if not names:
        raise KeyError("layers")
    for edge in root.iterfind("edges/edge"):
        source, target = names[edge.attrib["from-layer"]], names[edge.attrib["to-layer"]]
        yield NodeDef(name=target, op="op", input=[source], attr={"parameters": AttrValue(s=b"")})

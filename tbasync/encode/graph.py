"""Graphs: a model's operations and what connects them, for TensorBoard's Graphs dashboard.

A graph is no summary. It stands in fields of its own of the event: `graph_def`, and beside it, in a
second event, `tagged_run_metadata`, from which the dashboard takes the nodes' devices.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..proto import (
    AttrValue,
    DeviceStepStats,
    GraphDef,
    NodeDef,
    RunMetadata,
    StepStats,
    TaggedRunMetadata,
    TensorShapeProto,
    VersionDef,
)

_DEVICE = "/device:CPU:0"  # whatever the model runs on
_PRODUCER = 22  # the GraphDef version that torch's writer states, and TensorBoard expects


class Node(NamedTuple):
    """One operation, input or output of a model.

    Attributes:
        name: unique; slashes nest, so that "Net/Linear[0]/weight" lies in the boxes Net and Linear[0].
        op: the kind of operation, such as "aten::linear".
        inputs: the names of the nodes that feed it.
        shape: the dimensions of its output; None if unknown.
        attributes: free text, shown with the node.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    attributes: str = ""


class GraphFields(NamedTuple):
    """Payloads of two events; neither is a Summary.

    Attributes:
        graph_def: for an event's `graph_def`, a bytes field: a serialized GraphDef.
        tagged_run_metadata: for the next event's field of that name, a message field: a serialized
            TaggedRunMetadata; empty if there is no such event.
    """

    graph_def: bytes
    tagged_run_metadata: bytes = b""


def graph(nodes: Iterable[Node]) -> GraphFields:
    """The graph of `nodes`, in their order, as torch's writer gives it."""
    statistics = RunMetadata(step_stats=StepStats(dev_stats=[DeviceStepStats(device=_DEVICE)]))
    tagged = TaggedRunMetadata(tag="step1", run_metadata=statistics.SerializeToString())
    return GraphFields(definition(map(_node_def, nodes)), tagged.SerializeToString())


def definition(nodes: Iterable[NodeDef]) -> bytes:
    """The serialized GraphDef of `nodes`."""
    graph_def = GraphDef(node=nodes, versions=VersionDef(producer=_PRODUCER))
    # Deterministic: the maps of attributes would otherwise come in an order of the runtime's choosing.
    return graph_def.SerializeToString(deterministic=True)


def _node_def(node: Node) -> NodeDef:
    node_def = NodeDef(name=node.name, op=node.op, input=node.inputs)
    # Text from anywhere, constants' values too: what UTF-8 cannot hold must not cost the graph.
    node_def.attr["attr"].s = node.attributes.encode("utf-8", "backslashreplace")
    if node.shape is not None:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in node.shape])
        node_def.attr["_output_shapes"].CopyFrom(AttrValue(list=AttrValue.ListValue(shape=[shape])))
    return node_def

"""A torch model -> the nodes of its graph, by a trace of one forward pass.

The trace names values, and for each operation the module it ran in; TensorBoard draws a box for each
slash-separated prefix of a node's name. So a node is named by its module's path, each module as
Class[attribute], and its value: "Net/Sequential[body]/Linear[0]/input". The names, and what else a
node says, are those that torch's own writer gives.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..encode.graph import Node

_GET_ATTR = "prim::GetAttr"
_CLASS_TYPE = "ClassType"


@dataclass
class _Value:
    """A value of the trace that becomes a node: an input, an output, or what an operation gives."""

    scope: str
    op: str
    inputs: list[str]
    shape: Sequence[int] | None
    attributes: str = ""


def torch_graph(
    model: Any, input_to_model: Any, verbose: bool = False, use_strict_trace: bool = True
) -> list[Node]:
    """The nodes of `model`: first its inputs, then its outputs, then its operations as they ran.

    Runs one forward pass in evaluation mode; every module's mode is as before when it returns.

    Args:
        model: a torch.nn.Module, scripted ones and functions included; of one that torch.compile
            wrapped, the module within is traced.
        input_to_model: a tensor, or a tuple of what the forward pass takes.
        verbose: print the trace.
        use_strict_trace: passed to torch.jit.trace as `strict`; False lets models return dicts and lists.

    Raises:
        TypeError: if `model` is no such thing.
        RuntimeError: if it cannot be traced, chained to torch's own error.
    """
    import torch

    model = getattr(model, "_orig_mod", model)
    if not isinstance(model, (torch.nn.Module, torch.jit.ScriptFunction)):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    with _evaluating(model):
        try:
            trace = _trace(torch, model, input_to_model, use_strict_trace)
        except Exception as error:
            name = type(model).__name__
            raise RuntimeError(
                f"model ({name}) cannot be traced with this input_to_model: {error}"
            ) from error
    graph = trace.graph
    torch._C._jit_pass_inline(graph)
    if verbose:
        print(graph)
    return _nodes(graph, _Scopes(torch, trace))


def _trace(torch: Any, model: Any, inputs: Any, strict: bool) -> Any:
    with warnings.catch_warnings():
        # torch deprecates the tracer from 2.9 on, but has no other that names modules this way.
        warnings.filterwarnings(
            "ignore", r".*torch\.jit\.\w+` is (deprecated|not supported)", DeprecationWarning
        )
        # The check would run the model twice more, and changes nothing in the graph.
        return torch.jit.trace(model, inputs, strict=strict, check_trace=False)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode; afterwards each module's own mode again (torch's writer gives all the root's)."""
    if not hasattr(model, "train"):  # a scripted function
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    model.train(False)
    try:
        yield
    finally:
        model.train(modes[0][1])  # through the model's own method, which may do more than set the flag
        for module, training in modes:
            module.training = training


class _Scopes:
    """From the trace's paths of modules, such as "__module.body/__module.body.0", to readable ones."""

    def __init__(self, torch: Any, trace: Any) -> None:
        def class_name(module: Any) -> str:
            traced = isinstance(module, torch.jit.TracedModule)
            return str(module._name if traced else getattr(module, "original_name", "Module"))

        self._root = class_name(trace)
        modules = trace.named_modules(prefix="__module") if hasattr(trace, "named_modules") else ()
        self._names = {path: f"{class_name(module)}[{path.split('.')[-1]}]" for path, module in modules}

    def readable(self, scope: str) -> str:
        parts = [self._names.get(path, path.split(".")[-1]) for path in scope.split("/")]
        return "/".join([self._root, *parts]) if any(parts) else self._root


def _nodes(graph: Any, scopes: _Scopes) -> list[Node]:
    # By their names in the trace; an operation's value replaces an output of the same name.
    values: dict[str, _Value] = {}
    for value in graph.inputs():
        if value.uses() and value.type().kind() != _CLASS_TYPE:
            values[value.debugName()] = _Value("input", "IO Node", [], _io_shape(value))
    for number, value in enumerate(graph.outputs(), 1):
        values[f"output.{number}"] = _Value("output", "IO Node", [value.debugName()], _io_shape(value))
    names: dict[str, str] = {}
    for node, path in _operations(graph):
        scope, attributes = scopes.readable(path), _attributes(node)
        inputs = [value.debugName() for value in node.inputs()]
        for value in node.outputs():
            shape = value.type().sizes() if value.isCompleteTensor() else None
            values[value.debugName()] = _Value(scope, node.kind(), inputs, shape, attributes)
        # What no node of the graph gives, such as a module, is named by who uses it last.
        names |= {name: f"{scope}/{name}" for name in inputs}
    names |= {name: f"{value.scope}/{name}" for name, value in values.items()}
    return [_node(names, name, value) for name, value in values.items()]


def _node(names: dict[str, str], name: str, value: _Value) -> Node:
    inputs = tuple(names.get(source, source) for source in value.inputs)
    shape = None if value.shape is None else tuple(value.shape)
    return Node(names[name], value.op, inputs, shape, value.attributes)


def _operations(graph: Any) -> Iterator[tuple[Any, str]]:
    """Operations with their module's path; getting a parameter is one of them, getting a module is not."""
    paths: dict[str, str] = {}
    for node in graph.nodes():
        if node.kind() != _GET_ATTR:
            yield node, node.scopeName()
            continue
        output, parent = node.output(), node.input().node()
        if parent.kind() == _GET_ATTR:
            above = paths[parent.output().debugName()]
            path = f"{above}/{above.split('/')[-1]}.{node.s('name')}"
        else:
            path = f"__module.{node.s('name')}"
        paths[output.debugName()] = path
        if output.type().kind() != _CLASS_TYPE:
            yield node, path


def _io_shape(value: Any) -> Sequence[int] | None:
    try:
        shape: Sequence[int] | None = value.type().sizes()
    except RuntimeError:  # no tensor
        return (1,)
    return shape


def _attributes(node: Any) -> str:
    """A node's constants as text; quotes give way to spaces, since TensorBoard stumbles over them."""
    attributes = {name: getattr(node, node.kindOf(name))(name) for name in node.attributeNames()}
    return str(attributes).replace("'", " ")

"""Traces of torch models against torch's own writer, message for message."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torch.utils.tensorboard")

from torch import nn  # noqa: E402

from tbasync.encode.graph import graph  # noqa: E402
from tbasync.integrations.torch_graph import torch_graph  # noqa: E402
from tbasync.proto import GraphDef, RunMetadata, TaggedRunMetadata  # noqa: E402


class MLP(nn.Module):
    """Functional activations beside modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        return self.second(self.dropout(torch.relu(self.first(x))))


class Block(nn.Module):
    """A residual block, with its buffers and a skip connection."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.skip = nn.Conv2d(channels, out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Any) -> Any:
        return torch.relu(self.body(x) + self.skip(x))


class ResNet(nn.Module):
    """Blocks within stages within a network."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.stages = nn.Sequential(
            nn.Sequential(Block(8, 8, 1), Block(8, 8, 1)), nn.Sequential(Block(8, 16, 2), Block(16, 16, 1))
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(self.stages(self.stem(x)), 1), 1))


class Transformer(nn.Module):
    """An encoder with an embedding, which takes integers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Any) -> Any:
        return self.encoder(self.embedding(x))


class Shared(nn.Module):
    """One module used twice under two names, several inputs of which one is unused, a tuple for output."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.same = self.one
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("shift", torch.zeros(4))

    def forward(self, x: Any, unused: Any, y: Any) -> Any:
        output = self.one(x) * self.scale + self.shift
        return output, self.same(y), x, output.sum()


class Names(nn.Module):
    """Values named like the outputs' nodes, and constants with quotes."""

    def forward(self, input: Any) -> Any:
        output = nn.functional.linear(input, torch.eye(3) * 2)
        output = torch.einsum("ij,jk->ik", output, torch.ones(3, 3))
        return nn.functional.dropout(output, 0.1) + nn.functional.conv1d(output[None], torch.ones(2, 2, 1))


class Dict(nn.Module):
    """A dict for output, which strict tracing refuses."""

    def forward(self, x: Any) -> Any:
        return {"a": x + 1, "b": x * 2}


class TakesDict(nn.Module):
    """A dict for input."""

    def forward(self, x: Any) -> Any:
        return x["a"] + x["b"]


class Loop(nn.Module):
    """Data-dependent control flow, for scripting."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(x.size(0)):
            x = x + 1
        return x if bool(x.sum() > 0) else -x


_MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "mlp": lambda: (MLP(), torch.zeros(2, 8)),
    "cnn": lambda: (
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10)),
        torch.zeros(1, 1, 8, 8),
    ),
    "resnet": lambda: (ResNet(), torch.zeros(1, 3, 8, 8)),
    "transformer": lambda: (Transformer(), torch.zeros(2, 5, dtype=torch.long)),
    "lstm": lambda: (nn.LSTM(4, 8, 2, bidirectional=True), torch.zeros(3, 1, 4)),
    "shared": lambda: (Shared(), (torch.zeros(2, 4), torch.zeros(1), torch.ones(2, 4))),
    "names": lambda: (Names(), torch.zeros(2, 3)),
    "takes dict": lambda: (TakesDict(), ({"a": torch.zeros(2), "b": torch.ones(2)},)),
    "identity": lambda: (nn.Identity(), torch.zeros(())),
    "scripted": lambda: (_scripted(Loop()), torch.zeros(2)),
    "scripted nested": lambda: (_scripted(nn.Sequential(nn.Linear(2, 3), Loop())), torch.zeros(1, 2)),
}


def _scripted(model: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(model)


def _torchs(model: Any, inputs: Any, **options: Any) -> tuple[GraphDef, RunMetadata]:
    """What torch's writer makes of a model."""
    from torch.utils.tensorboard._pytorch_graph import graph as torchs_graph

    # Unchecked: torch's check of its own trace refuses transformers, whose fast path differs from it.
    unchecked = functools.partial(torch.jit.trace, check_trace=False)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(torch.jit, "trace", unchecked)
        definition, statistics = torchs_graph(model, inputs, **options)
    return GraphDef.FromString(definition.SerializeToString()), RunMetadata.FromString(
        statistics.SerializeToString()
    )


@pytest.mark.parametrize("name", _MODELS)
def test_equals_torch(name: str) -> None:
    """Node by node: names, operations, inputs, shapes and attributes, and the statistics beside them."""
    model, inputs = _MODELS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, about the model
        fields = graph(torch_graph(model, inputs))
    definition, statistics = _torchs(model, inputs)
    assert GraphDef.FromString(fields.graph_def) == definition
    tagged = TaggedRunMetadata.FromString(fields.tagged_run_metadata)
    assert tagged.tag == "step1"
    assert RunMetadata.FromString(tagged.run_metadata) == statistics


@pytest.mark.filterwarnings("ignore:Encountering a dict")
def test_non_strict_traces_equal_torchs() -> None:
    """With use_strict_trace=False a model that returns a dict can be traced, equal to torch's."""
    model, inputs = Dict(), torch.zeros(2)
    with pytest.raises(RuntimeError, match="cannot be traced"):
        torch_graph(model, inputs)
    fields = graph(torch_graph(model, inputs, use_strict_trace=False))
    assert GraphDef.FromString(fields.graph_def) == _torchs(model, inputs, use_strict_trace=False)[0]


def test_names_nest_by_module() -> None:
    """Every level of modules is a level of the names, by which TensorBoard's graph expands."""
    names = {node.name for node in torch_graph(*_MODELS["resnet"]())}
    assert any(
        name.startswith("ResNet/Sequential[stages]/Sequential[1]/Block[0]/Sequential[body]/Conv2d[0]/")
        for name in names
    )


def test_every_modules_mode_is_restored() -> None:
    """A frozen submodule in a training model stays frozen, where torch's writer puts it into training."""
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout())
    model[0].eval()
    nodes = torch_graph(model, torch.zeros(2, 3))
    assert [module.training for module in model.modules()] == [True, False, True]
    assert not any(node.op == "aten::dropout" and "training" in node.attributes for node in nodes)


def test_modes_are_restored_after_an_error() -> None:
    """A failed trace leaves the model as it was."""
    model = MLP().train()
    with pytest.raises(
        RuntimeError, match=r"model \(MLP\) cannot be traced with this input_to_model"
    ) as error:
        torch_graph(model, torch.zeros(2, 5))
    assert isinstance(error.value.__cause__, RuntimeError)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("inputs", [None, (torch.zeros(1, 8), torch.zeros(1)), "text"], ids=str)
def test_wrong_inputs_raise(inputs: Any) -> None:
    """Inputs of the wrong number or kind raise RuntimeError with torch's own error as its cause."""
    with pytest.raises(RuntimeError, match=r"model \(MLP\) cannot be traced"):
        torch_graph(MLP(), inputs)


@pytest.mark.parametrize("model", [None, "model", len])
def test_what_is_no_model_raises(model: object) -> None:
    """Anything but a module is refused by type."""
    with pytest.raises(TypeError, match=f"model must be a torch.nn.Module, not {type(model).__name__}"):
        torch_graph(model, torch.zeros(1))


def test_scripted_functions() -> None:
    """A scripted function has no modules; torch's writer fails on it."""

    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    nodes = torch_graph(_scripted(double), torch.zeros(1))
    assert {"prim::Constant", "aten::mul", "IO Node"} == {node.op for node in nodes}


def test_compiled_models_are_traced_within() -> None:
    """torch.compile's wrapper is looked through, without compiling anything."""
    model = MLP()
    assert torch_graph(torch.compile(model, backend="eager"), torch.zeros(1, 8)) == torch_graph(
        model, torch.zeros(1, 8)
    )


def test_the_model_runs_once() -> None:
    """Tracing costs one forward pass, not the three of a checked trace."""
    calls: list[None] = []
    model = MLP()
    model.register_forward_pre_hook(lambda *_: calls.append(None))
    torch_graph(model, torch.zeros(1, 8))
    assert len(calls) == 1


def test_verbose_prints_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """As with torch, the trace is printed if asked for, and only then."""
    torch_graph(MLP(), torch.zeros(1, 8))
    assert capsys.readouterr().out == ""
    torch_graph(MLP(), torch.zeros(1, 8), verbose=True)
    assert "aten::linear" in capsys.readouterr().out


def test_text_that_is_no_utf8_does_not_cost_the_graph() -> None:
    """Attributes with lone surrogates are written escaped."""
    from tbasync.encode.graph import Node

    fields = graph([Node("n", "op", attributes="\udc80")])
    assert GraphDef.FromString(fields.graph_def).node[0].attr["attr"].s == b"\\udc80"

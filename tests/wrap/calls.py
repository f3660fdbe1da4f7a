"""A table of calls of a SummaryWriter, for tests that make the same ones with several writers.

Every `add_*` of torch's and of tensorboardX's writer is in it, or in the list of those left out; a test sees
to that. Each is a function of a writer, and of a random generator so that all writers get the same values.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

Generator = np.random.Generator
Calls = Callable[[Any, Generator], None]

CALLS: dict[str, Calls] = {}

# With the reason why no calls of it can be compared here.
LEFT_OUT = {
    "add_onnx_graph": "needs a file made by a package that is not among the tests' own",
    "add_openvino_graph": "likewise",
    "add_video": "torch's writes nothing with today's moviepy, tensorboardX's nothing without it",
}


def calls(function: Calls) -> Calls:
    """Enters a function into the table under the method's name."""
    CALLS[function.__name__] = function
    return function


@calls
def add_scalar(writer: Any, random: Generator) -> None:
    for step in range(20):
        writer.add_scalar("loss", float(random.normal()), step)
    writer.add_scalar("a/b", 1, 3)
    writer.add_scalar("a/b", True, 2)
    writer.add_scalar("a/b", np.float32(0.1), np.int64(7))
    writer.add_scalar("a/b", torch.tensor([2.5]), torch.tensor(8))
    writer.add_scalar("a/b", torch.tensor(3, dtype=torch.int16), 9, 12345.5)
    writer.add_scalar(tag="by keyword", scalar_value=np.array([[4]]), global_step=10)
    for value in (float("nan"), float("inf"), -float("inf"), 1e300):
        writer.add_scalar("odd", value)


@calls
def add_scalars(writer: Any, random: Generator) -> None:
    for step in range(3):
        writer.add_scalars("chart/of two", {"left": float(random.normal()), "right": step}, step)
    writer.add_scalars("other", {"left": torch.tensor(1.5)}, 4, walltime=5.0)


@calls
def add_histogram(writer: Any, random: Generator) -> None:
    values = random.normal(size=1000)
    writer.add_histogram("h", values, 1)
    writer.add_histogram("h", torch.tensor(values, dtype=torch.float32), 2)
    writer.add_histogram("h", values.reshape(10, 100)[:, ::3], 3, "auto")
    writer.add_histogram("h", values, 4, 20, None, 7)
    writer.add_histogram("odd tag!", np.array([1, 2, 3]), 5, bins="doane")


@calls
def add_histogram_raw(writer: Any, random: Generator) -> None:
    counts = [0, 3, 4, 0, 2]
    writer.add_histogram_raw("raw tag", 0.0, 4.5, 9, 20.0, 55.0, [1.0, 2.0, 3.0, 4.0, 5.0], counts, 3)


@calls
def add_image(writer: Any, random: Generator) -> None:
    writer.add_image("i", random.integers(0, 256, (3, 8, 9), np.uint8), 0)
    writer.add_image("i", torch.tensor(random.random((1, 8, 9), np.float32)), 1)
    writer.add_image("an odd tag", random.random((8, 9, 3), np.float32), 2, dataformats="HWC")
    writer.add_image("i", random.random((8, 9), np.float32), 3, None, "HW")


@calls
def add_images(writer: Any, random: Generator) -> None:
    writer.add_images("many", random.random((5, 3, 6, 6), np.float32), 0)
    writer.add_images("many", random.integers(0, 256, (9, 4, 5, 1), np.uint8), 1, dataformats="NHWC")


@calls
def add_image_with_boxes(writer: Any, random: Generator) -> None:
    image = random.integers(0, 256, (3, 40, 50), np.uint8)
    writer.add_image_with_boxes("boxes", image, np.array([[5, 5, 20, 30], [10, 8, 40, 35]]), 2)
    writer.add_image_with_boxes("boxes", image, torch.tensor([[5, 5, 20, 30]]), 3, dataformats="CHW")


@calls
def add_figure(writer: Any, random: Generator) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    for step in range(2):
        figure, axes = pyplot.subplots(figsize=(2, 1.5))
        axes.plot(random.normal(size=10))
        writer.add_figure("a figure", figure, step)
        assert not pyplot.get_fignums()


@calls
def add_audio(writer: Any, random: Generator) -> None:
    writer.add_audio("a", random.uniform(-1, 1, 500).astype(np.float32), 1, 8000)
    writer.add_audio("a", torch.tensor(random.uniform(-1, 1, (1, 300))), 2)


@calls
def add_text(writer: Any, random: Generator) -> None:
    writer.add_text("a text", "**bold**, ünïcode, and\n\na new line", 1)
    writer.add_text("t", "", 2)


@calls
def add_tensor(writer: Any, random: Generator) -> None:
    writer.add_tensor("t", torch.tensor(random.random((2, 3), np.float32)), 1)


@calls
def add_graph(writer: Any, random: Generator) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    with warnings.catch_warnings():  # torch's own, that tracing is deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        writer.add_graph(model, torch.zeros(1, 3))


@calls
def add_embedding(writer: Any, random: Generator) -> None:
    points = torch.tensor(random.normal(size=(6, 3)))
    writer.add_embedding(points, metadata=list("abcdef"), global_step=1)
    writer.add_embedding(points, [["a", 1]] * 6, torch.rand(6, 3, 4, 4), 2, "named", ["x", "y"])


@calls
def add_pr_curve(writer: Any, random: Generator) -> None:
    labels, predictions = random.integers(0, 2, 100), random.random(100)
    writer.add_pr_curve("a curve", labels, predictions, 0)
    writer.add_pr_curve("c", torch.tensor(labels), torch.tensor(predictions), 1, 30, random.random(100))


@calls
def add_pr_curve_raw(writer: Any, random: Generator) -> None:
    counts = random.integers(0, 50, (4, 5))
    writer.add_pr_curve_raw("c", *counts, random.random(5), random.random(5), 1, num_thresholds=5)


@calls
def add_custom_scalars(writer: Any, random: Generator) -> None:
    writer.add_custom_scalars({"c": {"one": ["Multiline", ["a", "b"]], "two": ["Margin", ["a", "b", "c"]]}})


@calls
def add_custom_scalars_multilinechart(writer: Any, random: Generator) -> None:
    writer.add_custom_scalars_multilinechart(["a", "b/c"], "category", "title")


@calls
def add_custom_scalars_marginchart(writer: Any, random: Generator) -> None:
    writer.add_custom_scalars_marginchart(["a", "b", "c"])


@calls
def add_mesh(writer: Any, random: Generator) -> None:
    vertices, colors = random.random((1, 5, 3), np.float32), random.integers(0, 256, (1, 5, 3))
    config = {"camera": {"cls": "PerspectiveCamera", "fov": 75}}
    faces = random.integers(0, 5, (1, 2, 3))
    writer.add_mesh("m", torch.tensor(vertices), torch.tensor(colors), torch.tensor(faces), config, 3)


@calls
def add_hparams(writer: Any, random: Generator) -> None:
    hparams = {"lr": 0.1, "layers": 3, "name": "x", "unknown": None}
    name = {"name": "trial"} if "name" in _parameters(writer.add_hparams) else {"run_name": "trial"}
    writer.add_hparams(hparams, {"accuracy": 0.5, "loss": 2}, **name)


def _parameters(method: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(method).parameters)

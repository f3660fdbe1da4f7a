"""Graph, embeddings, mesh and tensors of the demo's run, as the real TensorBoard serves or reads them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.demo.shown import Shown
from tests.support.events import read_events
from tests.support.tensorboard_server import NotThere, needs_tensorboard

pytestmark = [pytest.mark.slow, needs_tensorboard]


def test_the_graph_has_the_layers(shown: Shown) -> None:
    """Every layer of the model has operations below its name, and they are wired from the input to the output."""
    if not shown.logged("add_graph"):
        with pytest.raises(NotThere):
            shown.board.graph(".")
        return
    layers = shown.only("add_graph").given("model")
    nodes = shown.board.graph(".")
    for layer in layers:
        assert any(name.startswith(f"Sequential/{layer}/") for name in nodes)
    assert reachable(nodes, "output/output.1") >= {"input/input.1"}


def reachable(nodes: dict[str, list[str]], start: str) -> set[str]:
    """Everything that `start` is computed from."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += nodes.get(name, [])
    return seen


def test_the_embeddings(shown: Shown) -> None:
    """Both embeddings have every point, both columns of labels and a picture for each point."""
    calls = [call for call in shown.calls if call.method == "add_embedding"]
    names = [f"{call.given('tag')}:{call.given('global_step'):05}" for call in calls]
    assert [info["tensorName"] for info in shown.board.embeddings(".")] == names
    for name, call in zip(names, calls, strict=True):
        images = call.given("label_img")
        assert np.array_equal(shown.board.points(".", name), call.given("mat"))
        assert shown.board.labels(".", name) == [call.given("metadata_header"), *call.given("metadata")]
        with Image.open(io.BytesIO(shown.board.sprite(".", name))) as sprite:
            side = images.shape[-1]
            first = np.asarray(sprite.convert("L"))[:side, :side]
            assert sprite.size == (22 * side, 22 * side)  # 22² is the first square above 450
        assert np.array_equal(first, (images[0, 0] * 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("part", "argument", "dtype"),
    [("VERTEX", "vertices", "<f4"), ("COLOR", "colors", "u1"), ("FACE", "faces", "<i4")],
)
def test_the_mesh(shown: Shown, part: str, argument: str, dtype: str) -> None:
    """Vertices, colours and faces arrive as they were logged."""
    call = shown.only("add_mesh")
    logged = call.given(argument)
    served = np.frombuffer(shown.board.mesh(".", call.given("tag"), part), dtype)
    assert np.array_equal(served.reshape(logged.shape), logged)


def test_the_tensors(shown: Shown) -> None:
    """Each epoch's counts of confusion can be read back whole."""
    make_ndarray = pytest.importorskip("tensorboard.util.tensor_util").make_ndarray
    ((tag, calls),) = shown.logged("add_tensor").items()
    values = [
        (event.step, make_ndarray(value.tensor))
        for event in read_events(shown.log_dir)
        for value in event.summary.value
        if value.tag == tag
    ]
    assert [step for step, _ in values] == [call.given("global_step") for call in calls]
    for (_, counts), call in zip(values, calls, strict=True):
        assert counts.dtype == np.int64
        assert np.array_equal(counts, call.given("tensor"))

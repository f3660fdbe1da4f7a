"""Keras's callback on the torch and the JAX backend, without TensorFlow: what TensorBoard shows of a training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from ..support.buckets import assert_counts
from ..support.tensorboard_server import TensorBoard, tensorboard
from .support import needs, series, trained

pytestmark = [pytest.mark.slow, pytest.mark.ecosystem]


class Shown(NamedTuple):
    """A training's logs in TensorBoard, and what the training itself has noted."""

    board: TensorBoard
    expected: dict[str, Any]


@pytest.fixture(scope="module", params=["torch", "jax"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The training on one backend."""
    needs("keras", request.param)
    folder = tmp_path_factory.mktemp(request.param)
    log_dir, expected = trained("keras", folder, KERAS_BACKEND=request.param, JAX_PLATFORMS="cpu")
    with tensorboard(log_dir / "logs") as board:
        board.wait_for(lambda: board.runs() == ["train", "validation"])
        yield Shown(board, expected["logs"])


@pytest.mark.parametrize("run", ["train", "validation"])
def test_losses_and_metrics(shown: Shown, run: str) -> None:
    """By epoch, by batch and by iteration: each value under the tag and step that Keras's own callback uses."""
    noted = series(shown.expected[run])
    assert len(noted) == {"train": 5, "validation": 4}[run]
    speeds = {"epoch_steps_per_second", "batch_steps_per_second"} if run == "train" else set()
    assert set(shown.board.tags("scalars")[run]) == noted.keys() | speeds
    for tag, points in noted.items():
        assert shown.board.scalars(run, tag) == points


def test_speeds(shown: Shown) -> None:
    """Steps per second of each epoch, and of each batch that is logged."""
    for tag, steps in (("epoch_steps_per_second", [0, 1]), ("batch_steps_per_second", [2, 4, 6])):
        points = shown.board.scalars("train", tag)
        assert [step for step, _ in points] == steps
        assert all(speed > 0 for _, speed in points)


def test_histograms_are_those_of_the_epoch(shown: Shown) -> None:
    """Each weight as it was at the end of the epoch, though the next one has changed it since."""
    assert set(shown.board.tags("histograms")["train"]) == {f"{path}/histogram" for path in weights(shown)}
    for path, noted in weights(shown).items():
        drawn = shown.board.histograms("train", f"{path}/histogram")
        assert [step for step, _ in drawn] == [0, 1]
        for (_, buckets), (_, values) in zip(drawn, noted, strict=True):
            assert_counts(buckets, np.float32(values).ravel())


def test_pictures_of_weights(shown: Shown) -> None:
    """A bias is a column, a kernel lies on its side, a convolution's filters are a grid; grey values are 255 times."""
    pictured = {f"{path}/image" for path in weights(shown)}
    assert set(shown.board.tags("images")["train"]) == pictured
    for path in ("classes/bias", "classes/kernel"):
        (path,) = (name for name in weights(shown) if name.endswith(path))
        drawn = shown.board.images("train", f"{path}/image")
        for (step, pixels), (epoch, values) in zip(drawn, weights(shown)[path], strict=True):
            array = np.float32(values)
            if array.ndim == 1:
                array = array[:, None]
            elif array.shape[0] > array.shape[1]:
                array = array.T
            assert step == epoch
            np.testing.assert_allclose(pixels[..., 0], np.clip(array * 255, 0, 255), atol=1)


def test_the_graph(shown: Shown) -> None:
    """TensorBoard draws the layers of the model, in their order."""
    answer = shown.board.get("data/plugin/graphs/info").decode()
    assert json.loads(answer)["train"]["tags"]["keras"]["conceptual_graph"]
    graph = shown.board.get("data/plugin/graphs/graph", run="train", tag="keras", conceptual="true").decode()
    places = [graph.index(layer) for layer in shown.expected["layers"]]
    assert places == sorted(places)


def test_the_projector(shown: Shown) -> None:
    """The embedding's points of each epoch, with the words as labels."""
    (path,) = (name for name in weights(shown) if name.endswith("embeddings"))
    names = [info["tensorName"] for info in shown.board.embeddings("train")]
    assert len(names) == 2
    for name, (_, values) in zip(names, weights(shown)[path], strict=True):
        np.testing.assert_allclose(shown.board.points("train", name), values, rtol=1e-6)
        assert shown.board.labels("train", name) == [[f"word {k}"] for k in range(6)]


def weights(shown: Shown) -> dict[str, list[tuple[int, Any]]]:
    """Weight's path -> (epoch, its values at the end)."""
    noted: dict[str, list[tuple[int, Any]]] = shown.expected["weights"]
    return noted

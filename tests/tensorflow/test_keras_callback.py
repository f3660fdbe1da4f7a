"""Keras's own callback, with the TensorFlow that it needs, and tbasync's: TensorBoard shows the same of both."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from ..ecosystem.support import python
from ..support.tensorboard_server import TensorBoard, tensorboard

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("keras") is None or find_spec("tensorflow") is None, reason="needs Keras and TensorFlow"
    ),
]

SPEEDS = {"epoch_steps_per_second", "batch_steps_per_second"}
RUNS = pytest.mark.parametrize("run", ["train", "validation"])


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    """TensorBoard with the runs of both."""
    folder = tmp_path_factory.mktemp("twice")
    settings = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    python("-m", "tests.tensorflow.keras_twice", within=folder, **settings)
    with tensorboard(folder) as board:
        board.wait_for(lambda: len(board.runs()) == 4)
        yield board


@RUNS
def test_scalars(board: TensorBoard, run: str) -> None:
    """The same tags, steps and values; speeds of their own."""
    tags = set(board.tags("scalars")[f"theirs/{run}"])
    assert set(board.tags("scalars")[f"ours/{run}"]) == tags
    for tag in tags:
        theirs, ours = (board.scalars(f"{who}/{run}", tag) for who in ("theirs", "ours"))
        assert [step for step, _ in ours] == [step for step, _ in theirs]
        if tag not in SPEEDS:
            assert ours == theirs


def test_histograms(board: TensorBoard) -> None:
    """The same weights at the same epochs, as many values between the same ends; the buckets differ."""
    tags = set(board.tags("histograms")["theirs/train"])
    assert set(board.tags("histograms")["ours/train"]) == tags
    for tag in tags:
        both = (board.histograms(f"{who}/train", tag) for who in ("theirs", "ours"))
        for (step, theirs), (own_step, ours) in zip(*both, strict=True):
            assert own_step == step
            assert sum(bucket.number for bucket in ours) == sum(bucket.number for bucket in theirs)
            shown = [bucket for bucket in theirs if bucket.number]
            assert ours[-1].right == pytest.approx(shown[-1].right, abs=1e-5)


def test_pictures(board: TensorBoard) -> None:
    """The same weights at the same epochs; pixel by pixel but for filters, which are one grid here."""
    tags = set(board.tags("images")["theirs/train"])
    assert set(board.tags("images")["ours/train"]) == tags
    for tag in tags:
        both = (board.images(f"{who}/train", tag) for who in ("theirs", "ours"))
        for (step, theirs), (own_step, ours) in zip(*both, strict=True):
            assert own_step == step
            if "patterns/kernel" not in tag:
                np.testing.assert_allclose(ours, np.broadcast_to(theirs, ours.shape), atol=1)


def test_the_graph(board: TensorBoard) -> None:
    """The same layers, drawn in the same way."""
    graphs = [
        board.get("data/plugin/graphs/graph", run=f"{who}/train", tag="keras", conceptual="true")
        for who in ("theirs", "ours")
    ]
    assert graphs[0] == graphs[1]

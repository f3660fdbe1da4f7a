"""What TensorBoard tells over HTTP of runs in the style of tf.summary, by value; with both of its loaders."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorboard")

import tbasync.hparams as hp
from tbasync import summary
from tbasync.proto import GraphDef, NodeDef
from tests.support.tensorboard_server import tensorboard

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
SAMPLES = np.linspace(-1, 1, 100, dtype=np.float32)[None, :, None]


def log(directory: Path) -> None:
    """Two steps of every kind."""
    with summary.create_file_writer(directory).as_default() as writer:
        hp.hparams_config([hp.HParam("x", hp.Discrete([1, 2]))], [hp.Metric("scalar", display_name="S")])
        hp.hparams({"x": 2}, trial_id="t")
        summary.graph(GraphDef(node=[NodeDef(name="in", op="o"), NodeDef(name="out", op="o", input=["in"])]))
        for step in (3, 4):
            summary.experimental.set_step(step)
            summary.scalar("scalar", step / 4, description="*told*")
            summary.histogram("histogram", np.arange(10) * step, buckets=3)
            summary.image("image", PICTURES)
            summary.audio("audio", SAMPLES, 8000)
            summary.text("text", "**bold**")
        summary.experimental.set_step(None)
    writer.close()


@pytest.mark.slow
@pytest.mark.parametrize("fast", [True, False], ids=["data server", "python"])
def test_every_kind(fast: bool, tmp_path: Path) -> None:
    """Scalars, buckets, pixels, samples, texts, the graph and the trial are those that were logged."""
    log(tmp_path / "run")
    with tensorboard(tmp_path, fast=fast) as board:
        board.wait_for(lambda: len(board.texts("run", "text")) == 2)
        assert board.scalars("run", "scalar") == [(3, 0.75), (4, 1.0)]
        assert board.tags("scalars")["run"]["scalar"]["description"] == "<p><em>told</em></p>"
        for step, buckets in board.histograms("run", "histogram"):
            assert [tuple(bucket) for bucket in buckets] == [
                (0, 3 * step, 3),
                (3 * step, 6 * step, 3),
                (6 * step, 9 * step, 4),
            ]
        (step, pixels), _ = board.images("run", "image")
        assert step == 3
        assert np.array_equal(pixels, PICTURES[0])
        (_, sound), _ = board.sounds("run", "audio")
        with wave.open(io.BytesIO(sound)) as file:
            heard = np.frombuffer(file.readframes(100), "<i2")
        assert np.abs(heard / 32_768 - SAMPLES.ravel()).max() <= 1 / 32_768
        assert ["<strong>bold</strong>" in text for _, text in board.texts("run", "text")] == [True, True]
        assert board.graph("run") == {"in": [], "out": ["in"]}
        (session,) = board.wait_for(lambda: [s for s in board.sessions() if "scalar" in s["metrics"]])
        assert (session["hparams"], session["metrics"]) == ({"x": 2}, {"scalar": 1.0})

"""Keras with torch for a backend: hyperparameters of real trainings, and a script written for TensorFlow."""

from __future__ import annotations

import importlib.util
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "torch"

pytest.importorskip("torch")
pytest.importorskip("keras")
pytest.importorskip("tensorboard")

import keras

import tbasync
import tbasync.hparams as hp
from tbasync.proto.hparams import HParamsPluginData
from tests.summary.reading import numbers, values
from tests.support import plain_reader
from tests.support.tensorboard_server import tensorboard

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

if keras.backend.backend() != "torch":
    pytest.skip("Keras runs on another backend here", allow_module_level=True)


def digits() -> tuple[Any, Any]:
    """Sixty-four pictures of noise, (64, 8, 8, 1), and labels that can be learnt."""
    random = np.random.default_rng(0)
    images = random.random((64, 8, 8, 1), np.float32)
    return images, (images.mean(axis=(1, 2, 3)) > 0.5).astype(np.int64)


def model_of(filters: int = 4, optimizer: str = "adam") -> Any:
    """A small convolutional network."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(filters, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 2) -> Any:
    """A training with these callbacks."""
    return model.fit(*digits(), batch_size=16, epochs=epochs, verbose=0, callbacks=list(callbacks))


def sessions(directory: Path) -> list[Any]:
    """The plugin's data of each summary in a directory, in order."""
    return [HParamsPluginData.FromString(value.metadata.plugin_data.content) for value in values(directory)]


def test_a_trial(tmp_path: Path) -> None:
    """The values when the training begins, its end when it ends; then the file is complete."""
    callback = hp.KerasCallback(str(tmp_path), {hp.HParam("filters"): 4, "optimizer": "adam"}, "first")
    assert isinstance(callback, keras.callbacks.Callback)
    assert isinstance(callback, hp.KerasCallback)
    fit(model_of(), callback)
    start, end = sessions(tmp_path)
    assert dict(start.session_start_info.hparams.items()).keys() == {"filters", "optimizer"}
    assert start.session_start_info.group_name == "first"
    assert end.session_end_info.end_time_secs > start.session_start_info.start_time_secs
    with pytest.raises(RuntimeError, match="served a training already"):
        fit(model_of(), callback)


@pytest.mark.parametrize("style", ["summary", "core"])
def test_a_writer_of_ones_own(style: str, tmp_path: Path) -> None:
    """A writer of either style is used, flushed, and left open; the default writer stays what it was."""
    core = tbasync.SummaryWriter(tmp_path / "trial", interval=3600)
    writer = tbasync.summary.SummaryWriter(core) if style == "summary" else core
    outer = tbasync.summary.create_file_writer(tmp_path / "outer")
    with outer.as_default(step=1):
        fit(model_of(), hp.KerasCallback(writer, {"filters": 4}))
        tbasync.summary.scalar("x", 1.0)
    assert len(sessions(tmp_path / "trial")) == 2
    core.add_scalar("after", 1.0, 1)
    core.close()
    outer.close()
    assert len(values(tmp_path / "outer")) == 1


def test_variables_of_keras(tmp_path: Path) -> None:
    """A layer's weights are values, and the optimizer's count of iterations is a step."""
    model = model_of()
    fit(model)
    with tbasync.summary.create_file_writer(tmp_path).as_default(step=model.optimizer.iterations) as writer:
        tbasync.summary.histogram("weights", model.weights[0])
        tbasync.summary.scalar("rate", model.optimizer.learning_rate)
        tbasync.summary.write("kernel", model.weights[0])
        assert numbers_of_steps(writer, tmp_path) == [8, 8, 8]
    writer.close()
    kernel = keras.ops.convert_to_numpy(model.weights[0])
    assert values(tmp_path)[2].tensor.tensor_content == kernel.tobytes()
    assert numbers(tmp_path)[0][2] == np.float32(0.001)


def numbers_of_steps(writer: Any, directory: Path) -> list[int]:
    """The steps of what has been logged so far."""
    writer.flush()
    return [event.step for event in plain_reader.events(directory)[1:]]


def test_bad_arguments(tmp_path: Path) -> None:
    """They are told before the training."""
    for error, make in (
        (TypeError, lambda: hp.KerasCallback(None, {})),
        (TypeError, lambda: hp.KerasCallback(3, {})),
        (TypeError, lambda: hp.KerasCallback(str(tmp_path), {"x": object()})),
        (ValueError, lambda: hp.KerasCallback(str(tmp_path), {"x": 1, hp.HParam("x"): 1})),
        (TypeError, lambda: hp.KerasCallback(str(tmp_path), {"x": 1}, trial_id=3)),
    ):
        with pytest.raises(error):
            make()


@pytest.mark.slow
def test_a_script_written_for_tensorflow(tmp_path: Path) -> None:
    """A learning rate by schedule, feature maps by epoch and a search, as TensorBoard tells them over HTTP."""
    rate_writer = tbasync.summary.create_file_writer(str(tmp_path / "metrics"))
    map_writer = tbasync.summary.create_file_writer(str(tmp_path / "images"))
    model = model_of()
    features = keras.Model(model.inputs, model.layers[0].output)
    pictures = []

    def schedule(epoch: int) -> float:
        rate = 0.001 if epoch < 1 else 0.002 + epoch * 0.001
        with rate_writer.as_default():
            tbasync.summary.scalar("Learning Rate", data=rate, step=epoch)
        maps = features.predict(digits()[0][:1], verbose=0)[0]
        picture = np.concatenate(np.moveaxis(maps / maps.max(), -1, 0), axis=1)[None, :, :, None]
        pictures.append(picture)
        with map_writer.as_default():
            tbasync.summary.image("Feature Map", picture, step=epoch)
        return rate

    fit(model, keras.callbacks.LearningRateScheduler(schedule), epochs=3)
    with map_writer.as_default():  # so that the default is restored behind it
        rate_writer.set_as_default()
        tbasync.summary.text("note", "done", step=3)
    rate_writer.close()
    map_writer.close()

    filters = hp.HParam("num_filters", hp.Discrete([2, 4]))
    optimizer = hp.HParam("optimizer", hp.Discrete(["adam", "sgd"]))
    search = tmp_path / "search"
    with tbasync.summary.create_file_writer(str(search)).as_default():
        hp.hparams_config(
            hparams=[filters, optimizer], metrics=[hp.Metric("accuracy", display_name="Accuracy")]
        )
    tbasync.summary.flush()
    accuracies = {}
    for trial, chosen in enumerate(itertools.product(filters.domain.values, optimizer.domain.values)):
        directory, hparams = (
            str(search / f"run_{trial}"),
            dict(zip((filters, optimizer), chosen, strict=True)),
        )
        history = fit(model_of(*chosen), hp.KerasCallback(directory, hparams, trial_id=f"run_{trial}"))
        accuracies[chosen] = history.history["accuracy"][-1]
        with tbasync.summary.create_file_writer(directory).as_default(step=1) as writer:
            tbasync.summary.scalar("accuracy", accuracies[chosen])
        writer.close()

    with tensorboard(tmp_path) as board:
        board.wait_for(lambda: len(board.runs()) == 7)
        board.wait_for(lambda: sum("accuracy" in session["metrics"] for session in board.sessions()) == 4)
        rates = [(0, 0.001), (1, 0.003), (2, 0.004)]
        assert board.scalars("metrics", "Learning Rate") == [(step, np.float32(rate)) for step, rate in rates]
        assert len(board.texts("metrics", "note")) == 1
        assert [step for step, _ in board.images("images", "Feature Map")] == [0, 1, 2]
        for (_, shown), picture in zip(board.images("images", "Feature Map"), pictures, strict=True):
            assert np.array_equal(
                shown.squeeze(), np.minimum(picture * 255.5, 255).astype(np.uint8).squeeze()
            )
        found = {
            (row["hparams"]["num_filters"], row["hparams"]["optimizer"]): row["metrics"]["accuracy"]
            for row in board.sessions()
        }
    assert found == pytest.approx(accuracies)


@pytest.mark.skipif(
    not importlib.util.find_spec("tbasync.integrations.keras"), reason="no such callback here"
)
def test_beside_the_callback_for_curves(tmp_path: Path) -> None:
    """Both callbacks in one training, the one's directory being the other's."""
    curves = __import__("tbasync.integrations.keras", fromlist=["TensorBoard"]).TensorBoard
    fit(model_of(), curves(log_dir=str(tmp_path)), hp.KerasCallback(str(tmp_path), {"filters": 4}))
    assert {data.WhichOneof("data") for data in sessions(tmp_path)} >= {"session_start_info"}
    assert any(path.is_dir() for path in tmp_path.iterdir())

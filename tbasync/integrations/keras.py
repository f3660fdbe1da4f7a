"""Keras 3's TensorBoard callback without TensorFlow: on the torch and JAX backends, through tbasync's writer.

from tbasync.integrations.keras import TensorBoard

model.fit(x, y, callbacks=[TensorBoard("logs", histogram_freq=1)])
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from .. import proto, summary
from ..errors import TbasyncWarning
from ..summary._state import state
from ..writer import SummaryWriter
from ._embedding_labels import Labels, read_labels
from ._logging import close, log_values

# TensorBoard's graph plugin draws a model that is logged so: its to_json() as a string tensor, version 1.
_KERAS_PLUGIN, _KERAS_VERSION = "graph_keras_model", b"1"


class TensorBoard(keras.callbacks.Callback):
    """Takes the place of `keras.callbacks.TensorBoard`: the same arguments, sub-runs, tags and steps.

    `train` and `validation` below `log_dir` hold `epoch_*` by epoch, `batch_*` by batch (from 1),
    `evaluation_*_vs_iterations` by the optimizer's iterations, `<weight>/histogram` and `<weight>/image` by epoch,
    and the model as a graph. Embeddings go to the Projector of the run `train`. If batches are logged, what a
    model logs by `tbasync.summary` goes to the same runs, at the same steps.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Makes no directory yet.

        Args:
            log_dir: where the runs `train` and `validation` go.
            histogram_freq: epochs from one histogram of each weight to the next; 0 for none.
            write_graph: whether to log the graph of a Sequential or functional model.
            write_images: whether to log weights of up to three dimensions as pictures too, with the histograms.
            write_steps_per_second: whether to log the speed, by epoch and, if batches are logged, by batch.
            update_freq: batches from one logging of the losses and metrics to the next; `"batch"` is 1,
                `"epoch"` logs them at the end of epochs only.
            profile_batch: accepted; a warning says that nothing is profiled.
            embeddings_freq: epochs from one logging of every Embedding layer's points to the next; 0 for never.
            embeddings_metadata: the file with the points' labels, a line each, relative to `log_dir` or to the
                current directory; or layer's name -> file.
            options: further arguments of `SummaryWriter`, such as `interval=` or `ranks=`.

        Raises:
            ValueError: `update_freq` is not as above.
        """
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        if self.update_freq != "epoch" and not (isinstance(self.update_freq, int) and self.update_freq > 0):
            raise ValueError(f'update_freq must be "batch", "epoch" or an int above 0, got {update_freq!r}')
        if profile_batch not in (0, None, "0", (0, 0), [0, 0], "0,0"):
            warnings.warn(
                f"profile_batch={profile_batch!r} is without effect: tbasync logs and does not profile; use "
                "torch.profiler with torch.profiler.tensorboard_trace_handler(log_dir), or jax.profiler",
                TbasyncWarning,
                stacklevel=2,
            )
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        self._options = options
        self._writers: dict[str, SummaryWriter] = {}
        self._styled: dict[str, summary.SummaryWriter] = {}  # the same writers in the style of tf.summary
        self._outer: list[tuple[Any, Any, Any]] = []  # what was set in that style before this callback did
        self._batch = 0  # of this training, from 1
        self._test_batch = 0  # of all evaluations, from 1
        self._iterations = 0  # the optimizer's, when the epoch began
        self._epoch_began = self._batch_began = 0.0

    def set_model(self, model: Any) -> None:
        """Logs the graph.

        Raises:
            ValueError: `embeddings_metadata` names a layer that the model has not.
        """
        super().set_model(model)
        if self.write_graph and type(model).__name__ in ("Functional", "Sequential"):
            self._log_graph(model)
        if self.embeddings_freq and isinstance(self.embeddings_metadata, Mapping):
            unknown = self.embeddings_metadata.keys() - {layer.name for layer in self._embedding_layers()}
            if unknown:
                raise ValueError(f"embeddings_metadata names no Embedding layers of the model: {unknown}")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Counts batches from the beginning."""
        self._batch = 0
        while self._outer:  # of a training that was interrupted
            self._leave()
        self._enter("train", 0)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Waits until everything is written, and closes the event files."""
        self._leave()
        for writer in self._writers.values():
            close(writer, self._options)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the batch and its time."""
        self._batch += 1
        self._leave()
        self._enter("train", self._batch)
        self._batch_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Logs losses and metrics, if it is a batch for that."""
        if self.update_freq == "epoch" or self._batch % int(self.update_freq):
            return
        values = {f"batch_{name}": value for name, value in logs.items()} if isinstance(logs, dict) else {}
        if self.write_steps_per_second:
            values["batch_steps_per_second"] = 1 / (time.perf_counter() - self._batch_began)
        log_values(self._writer("train"), values, self._batch)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """From here on the model logs to the run `validation`."""
        self._enter("validation", self._test_batch)

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the batch."""
        self._test_batch += 1
        self._leave()
        self._enter("validation", self._test_batch)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Logs what an evaluation came to, by the optimizer's iterations."""
        self._leave()
        iterations = self._optimizer_iterations()
        if logs and iterations is not None:
            values = {f"evaluation_{name}_vs_iterations": value for name, value in logs.items()}
            log_values(self._writer("validation"), values, iterations)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes the time."""
        if self.write_steps_per_second:
            self._iterations = self._optimizer_iterations() or 0
            self._epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Logs losses and metrics, and what else is due."""
        if logs:
            self._log_epoch(epoch, logs)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._log_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._log_embeddings(epoch)

    def _writer(self, run: str) -> SummaryWriter:
        directory = os.path.join(self.log_dir, run)
        if directory not in self._writers:
            self._writers[directory] = SummaryWriter(directory, **self._options)
        return self._writers[directory]

    def _enter(self, run: str, step: int) -> None:
        """Makes the run's writer the default one of `tbasync.summary`, as Keras's callback does for `tf.summary`."""
        if self.update_freq == "epoch" or self._options.get("reduce") is not None:
            return
        writer = self._writer(run)
        if writer.log_dir not in self._styled:
            self._styled[writer.log_dir] = summary.SummaryWriter(writer)
        self._outer.append((state.writer, state.step, state.recording))
        due = step % int(self.update_freq) == 0
        state.writer, state.step, state.recording = self._styled[writer.log_dir], step, due

    def _leave(self) -> None:
        if self._outer:
            state.writer, state.step, state.recording = self._outer.pop()

    def _log_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        train = {f"epoch_{name}": value for name, value in logs.items() if not name.startswith("val_")}
        validation = {f"epoch_{name[4:]}": value for name, value in logs.items() if name.startswith("val_")}
        train.update(self._learning_rates())
        if self.write_steps_per_second:
            steps = (self._optimizer_iterations() or 0) - self._iterations
            train["epoch_steps_per_second"] = steps / (time.perf_counter() - self._epoch_began)
        log_values(self._writer("train"), train, epoch)
        if validation:
            log_values(self._writer("validation"), validation, epoch)

    def _learning_rates(self) -> dict[str, float]:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
        if hasattr(optimizer, "optimizers"):
            return {f"epoch_learning_rate_{one.name}": _rate(one) for one in optimizer.optimizers}
        return {"epoch_learning_rate": _rate(optimizer)} if optimizer is not None else {}

    def _optimizer_iterations(self) -> int | None:
        # `self.model` and not `self._model`: with JAX it brings the model's state up to date.
        iterations = getattr(self.model.optimizer, "iterations", None)
        return None if iterations is None else int(keras.ops.convert_to_numpy(iterations))

    def _log_graph(self, model: Any) -> None:
        try:
            description = model.to_json()
        except Exception as error:  # whatever a layer of the user's may raise
            message = f"the model's graph is not logged, for the model cannot be written as JSON: {error}"
            warnings.warn(message, TbasyncWarning, stacklevel=4)
            return
        summary = proto.Summary()
        value = summary.value.add(tag="keras")
        value.metadata.plugin_data.plugin_name = _KERAS_PLUGIN
        value.metadata.plugin_data.content = _KERAS_VERSION
        value.tensor.dtype = proto.DataType.DT_STRING
        value.tensor.tensor_shape.SetInParent()
        value.tensor.string_val.append(description.encode())
        self._writer("train")._get_file_writer().add_summary(summary, 0)

    def _log_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for layer in self.model.layers:
            for weight in layer.weights:
                name = weight.path.replace(":", "_")
                writer.add_histogram(f"{name}/histogram", _value(weight), epoch)
                pictures = _pictures(weight) if self.write_images else None
                if pictures is not None:
                    writer.add_images(f"{name}/image", pictures, epoch, dataformats="NHWC")

    def _embedding_layers(self) -> list[Any]:
        return [layer for layer in self.model.layers if isinstance(layer, keras.layers.Embedding)]

    def _log_embeddings(self, epoch: int) -> None:
        for layer in self._embedding_layers():
            labels = self._labels(layer)
            self._writer("train").add_embedding(
                _value(layer.embeddings), labels.rows, None, epoch, layer.name, labels.header
            )

    def _labels(self, layer: Any) -> Labels:
        metadata = self.embeddings_metadata
        file = metadata.get(layer.name) if isinstance(metadata, Mapping) else metadata
        return read_labels(self.log_dir, file, layer.embeddings.shape[0]) if file else Labels()


def _rate(optimizer: Any) -> float:
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def _value(weight: Any) -> Any:
    """The weight's tensor for the writer to freeze: torch's as it is, for that waits for no device.

    JAX's only as a copy on the host: the trainer donates the buffers to its next step, so they do not stay.
    """
    return weight.value if keras.backend.backend() == "torch" else keras.ops.convert_to_numpy(weight)


def _pictures(weight: Any) -> Any:
    """The weight as pictures, shape (pictures, height, width, channels), as Keras's own callback forms them.

    A vector is a column, a matrix lies on its longer side, of three dimensions the channels are pictures. None for
    what has more, unless the last dimension can be colours.
    """
    array = keras.ops.convert_to_numpy(weight).squeeze()
    if array.ndim == 1:
        array = array.reshape(1, -1, 1, 1)
    elif array.ndim == 2:
        array = array.T if array.shape[0] > array.shape[1] else array
        array = array[None, :, :, None]
    elif array.ndim == 3:
        channels_last = keras.backend.image_data_format() == "channels_last"
        array = (array.transpose(2, 0, 1) if channels_last else array)[..., None]
    return array if array.ndim == 4 and array.shape[-1] in (1, 3, 4) and array.size else None

"""A small classifier with an embedding, trained by Keras on the backend that KERAS_BACKEND names.

What should be in the runs is noted by a callback of its own, by the rules of `keras.callbacks.TensorBoard`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

import tbasync
from tbasync.integrations.keras import TensorBoard

from .notes import note

WORDS, SAMPLES, BATCH = 6, 24, 8


class Noting(keras.callbacks.Callback):
    """Notes what each run should hold, as (tag, step, value)."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.train: list[tuple[str, int, float]] = []
        self.validation: list[tuple[str, int, float]] = []
        self.weights: dict[str, list[tuple[int, Any]]] = {}
        self.seen = 0
        self.every = every

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen += 1
        if self.seen % self.every == 0:
            self.train += [(f"batch_{name}", self.seen, float(value)) for name, value in logs.items()]

    def on_test_end(self, logs: Any = None) -> None:
        iterations = int(self.model.optimizer.iterations.numpy())
        self.validation += [
            (f"evaluation_{name}_vs_iterations", iterations, float(value)) for name, value in logs.items()
        ]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, value in logs.items():
            kind, name = (self.validation, name[4:]) if name.startswith("val_") else (self.train, name)
            kind.append((f"epoch_{name}", epoch, float(value)))
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.train.append(("epoch_learning_rate", epoch, rate))
        for weight in self.model.weights:
            array = keras.ops.convert_to_numpy(weight).tolist()
            self.weights.setdefault(weight.path, []).append((epoch, array))


def network() -> Any:
    """Words to one of two classes; a Sequential model, whose graph TensorBoard draws."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(WORDS, 3, name="words"),
            keras.layers.Reshape((4, 3, 1)),
            keras.layers.Conv2D(5, 2, name="patterns"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax", name="classes"),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.9)
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train() -> dict[str, Any]:
    """Two epochs of three batches with validation, then an evaluation."""
    Path("logs").mkdir()
    Path("logs/words.tsv").write_text("".join(f"word {k}\n" for k in range(WORDS)))
    noting = Noting(every=2)
    board = TensorBoard(
        "logs",
        histogram_freq=1,
        write_images=True,
        write_steps_per_second=True,
        update_freq=2,
        embeddings_freq=1,
        embeddings_metadata={"words": "words.tsv"},
    )
    x = np.random.default_rng(0).integers(0, WORDS, (SAMPLES, 4)).astype("int32")
    y = (x.sum(1) > 10).astype("int32")
    model = network()
    # Ours is called first, so that a buffer which the backend uses again would show in what was logged.
    options = {"batch_size": BATCH, "verbose": 0, "callbacks": [board, noting]}
    model.fit(x, y, epochs=2, validation_data=(x, y), shuffle=False, **options)
    model.evaluate(x, y, **options)
    for writer in board._writers.values():
        assert isinstance(writer, tbasync.SummaryWriter)
        writer.close()
    return {
        "train": noting.train,
        "validation": noting.validation,
        "weights": noting.weights,
        "layers": [layer.name for layer in model.layers],
    }


if __name__ == "__main__":
    note(logs=train())

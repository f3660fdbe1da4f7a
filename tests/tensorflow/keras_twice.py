"""A training that Keras's own callback and tbasync's log at once, on the TensorFlow backend, which Keras's needs."""

from __future__ import annotations

import keras
import numpy as np

from tbasync.integrations.keras import TensorBoard

OPTIONS = {
    "histogram_freq": 1,
    "write_images": True,
    "write_steps_per_second": True,
    "update_freq": 1,
}


def main() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, name="patterns"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="wide"),
            keras.layers.Dense(2, activation="softmax", name="classes"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = np.random.default_rng(0).random((24, 6, 6, 1), "float32")
    y = (x.mean((1, 2, 3)) > 0.5).astype("int32")
    boards = [keras.callbacks.TensorBoard("theirs", **OPTIONS), TensorBoard("ours", **OPTIONS)]
    model.fit(x, y, epochs=3, batch_size=8, validation_data=(x, y), verbose=0, callbacks=boards)
    model.evaluate(x, y, verbose=0, callbacks=boards)
    for board in boards:
        for writer in board._writers.values():
            writer.close()


if __name__ == "__main__":
    main()

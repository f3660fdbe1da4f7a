"""The Keras callback's edges: arguments, a model without a graph, labels that are none, several trainings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .support import needs, python

pytestmark = [pytest.mark.slow, pytest.mark.ecosystem]

# In a process of its own, since Keras takes its backend from the environment when it is imported.
SCRIPT = """
import copy
import pickle
import warnings

import keras
import numpy as np
import pytest

import tbasync
from tbasync.integrations.keras import TensorBoard

X = np.arange(8).reshape(8, 1) % 4
Y = X * 2.0

def network(**names):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((1,), dtype="int32"), keras.layers.Embedding(4, 2, name="e"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(1, name="d")])
    model.compile("sgd", "mse")
    return model

def fit(model, *callbacks, epochs=1):
    model.fit(X, Y, epochs=epochs, batch_size=4, callbacks=list(callbacks), verbose=0)

def series(path):
    return {tag: found.steps.tolist() for tag, found in tbasync.read(path).items()}

for wrong in (0, -1, "always", 1.5, None):
    with pytest.raises(ValueError, match="update_freq"):
        TensorBoard(update_freq=wrong)
for batches in (5, "3,4", (2, 3)):
    with pytest.warns(tbasync.TbasyncWarning, match="profile_batch.*torch.profiler"):
        TensorBoard(profile_batch=batches)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    TensorBoard(profile_batch=0)
    TensorBoard("positional", 1, True, False, False, "batch", 0, 0, None)

with pytest.raises(ValueError, match="nonsense"):
    fit(network(), TensorBoard("unknown", embeddings_freq=1, embeddings_metadata={"nonsense": "x"}))

with pytest.warns(tbasync.TbasyncWarning, match="without its labels.*nowhere.tsv"):
    fit(network(), TensorBoard("labels", embeddings_freq=1, embeddings_metadata="nowhere.tsv"))
with open("labels/train/00000/e/tensors.tsv") as file:
    assert len(file.readlines()) == 4

# Only what was asked for: one run, one series for each of the three numbers, and the graph.
fit(network(), TensorBoard("plain"))
assert series("plain/train") == {"keras": [0], "epoch_loss": [0], "epoch_learning_rate": [0]}
fit(network(), TensorBoard("bare", write_graph=False))
assert series("bare/train").keys() == {"epoch_loss", "epoch_learning_rate"}

# A model of a class of its own has no graph, as with Keras's callback.
class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
    def call(self, x):
        return self.dense(x)

own = Own()
own.compile("sgd", "mse")
own.fit(X.astype("float32"), Y, callbacks=[TensorBoard("own", histogram_freq=1, write_images=True)], verbose=0)
found = series("own/train")
assert "keras" not in found
assert {f"{weight.path}/histogram" for weight in own.weights} <= found.keys()
assert not any(tag.endswith("/image") for tag in found), "a weight of one number is no picture"

# One callback for several trainings: batches begin anew, the run goes on.
board = TensorBoard("again", update_freq="batch", write_graph=False)
model = network()
fit(model, board)
fit(model, board, epochs=2)
assert series("again/train")["batch_loss"] == [1, 2, 1, 2, 3, 4]
assert series("again/train")["epoch_loss"] == [0, 0, 1]

# KerasTuner copies callbacks, and gives each copy a directory of its own.
other = copy.deepcopy(board)
other.log_dir = "copied"
fit(network(), other)
assert series("copied/train")["batch_loss"] == [1, 2]

# What a model logs in the style of tf.summary goes to the run of the phase, at the batches that are logged.
from tbasync import summary

class Telling(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
    def call(self, x):
        assert summary.scalar("inside", 1.0) == summary.should_record_summaries()
        return self.dense(x)

def told(path):
    return tbasync.read(path)["inside"].steps.tolist()

model = Telling()
model.compile("sgd", "mse")
x = X.astype("float32")
model(x)
inside = TensorBoard("inside", update_freq=2)
with summary.create_file_writer("around").as_default(7) as around:
    for _ in range(2):
        model.fit(x, Y, epochs=2, batch_size=2, validation_data=(x[:4], Y[:4]), callbacks=[inside], verbose=0)
    assert summary.scalar("inside", 2.0) and summary.experimental.get_step() == 7
around.close()
assert not summary.should_record_summaries()
assert set(told("around")) == {7}  # Keras calls a model once before the training begins
assert told("inside/train") == [2, 4, 6, 8] * 2
assert told("inside/validation") == [2, 4] + [6, 8]
model.fit(x, Y, callbacks=[TensorBoard("epochs")], verbose=0)
assert "inside" not in tbasync.read("epochs/train")

# A training that is interrupted leaves its writer behind, until the next one.
class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt

stopped = TensorBoard("stopped", update_freq=1)
with pytest.raises(KeyboardInterrupt):
    model.fit(x, Y, callbacks=[stopped, Stop()], verbose=0)
assert summary.should_record_summaries()
model.fit(x, Y, batch_size=4, callbacks=[stopped], verbose=0)
assert not summary.should_record_summaries()
assert told("stopped/train") == [1, 1, 2]

# Options of the writer; an evaluation alone.
model = network()
model.evaluate(X, Y, callbacks=[TensorBoard("evaluated", write_graph=False, interval=0, self_report=True)], verbose=0)
import gc; gc.collect()
"""


def test_arguments_and_habits(tmp_path: Path) -> None:
    """All in one process, for Keras takes seconds to import."""
    needs("keras", "torch")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    python("script.py", within=tmp_path, KERAS_BACKEND="torch")
    assert list(tmp_path.glob("evaluated/validation/*tfevents*"))
    assert not list(tmp_path.glob("evaluated/train"))


def test_tensorflow_is_not_needed(tmp_path: Path) -> None:
    """Nor imported where it is there: the backend's own framework is all that comes along."""
    needs("keras", "torch")
    statement = "import sys, tbasync.integrations.keras; print('tensorflow' in sys.modules)"
    assert python("-c", statement, within=tmp_path, KERAS_BACKEND="torch").split() == ["False"]


def test_tbasync_imports_no_framework_by_itself() -> None:
    """The integrations' modules are imported by who asks for them."""
    statement = "import sys, tbasync, tbasync.integrations; print(sorted(sys.modules))"
    command = [sys.executable, "-c", statement]
    imported = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ}).stdout
    assert not any(f"'{name}'" in imported for name in ("keras", "lightning", "transformers", "accelerate"))

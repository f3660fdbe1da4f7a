"""Hyperparameters logged by TensorBoard's own API over TensorFlow, and by ours: the same files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("tensorboard.plugins.hparams.api")

from tensorboard.plugins.hparams import api

import tbasync.hparams
import tbasync.summary
from tbasync.proto.hparams import HParamsPluginData
from tests.support import plain_reader

from .support import tf

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BOTH = ((tbasync.hparams, tbasync.summary), (api, tf.summary))


def left(directory: Path) -> list[tuple[int, str, str]]:
    """Step, outside and plugin's data of each event, without the clock's times."""
    found = []
    for event in plain_reader.events(directory)[1:]:
        (value,) = event.summary.value
        data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
        assert (
            data.session_start_info.start_time_secs or data.session_end_info.end_time_secs or data.experiment
        )
        data.session_start_info.start_time_secs = data.session_end_info.end_time_secs = 0
        value.metadata.plugin_data.content = b""
        found.append((event.step, str(value), str(data)))
    return found


def search(hp: Any, summary: Any, root: Path) -> None:
    """An experiment's description, and the values of its trials."""
    rate = hp.HParam("rate", hp.RealInterval(0.1, 0.5), "Rate", "*how fast*")
    units = hp.HParam("units", hp.IntInterval(1, 64))
    kind = hp.HParam("kind", hp.Discrete(["b", "a"]))
    metrics = [hp.Metric("loss", "train", "Loss", "**why**", hp.Metric.TRAINING), hp.Metric("f1")]
    with summary.create_file_writer(str(root / "config")).as_default(step=3):
        assert hp.hparams_config([rate, units, kind], metrics, 12.5)
        summary.flush()
    for trial, (share, name) in enumerate(itertools.product((0.1, np.float32(0.2)), kind.domain.values)):
        with summary.create_file_writer(str(root / f"trial{trial}")).as_default():
            hparams = {rate: share, units: np.int64(7), kind: name, "flag": np.bool_(True)}
            assert hp.hparams(hparams, f"id{trial}" if trial else None)
            summary.flush()


def test_a_search(tmp_path: Path) -> None:
    """Events equal, step by step and field by field."""
    for place, (hp, summary) in enumerate(BOTH):
        search(hp, summary, tmp_path / str(place))
    for name in ("config", "trial0", "trial1", "trial2", "trial3"):
        assert left(tmp_path / "0" / name) == left(tmp_path / "1" / name) != []


def test_the_callback(tmp_path: Path) -> None:
    """Two callbacks in one `model.fit()` of Keras on TensorFlow leave equal files."""
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    callbacks = [
        hp.KerasCallback(str(tmp_path / str(place)), {"units": 3, "kind": "a", "flag": True})
        for place, (hp, _) in enumerate(BOTH)
    ]
    model.fit(np.zeros((4, 3)), np.zeros(4), verbose=0, callbacks=callbacks)
    assert len(left(tmp_path / "0")) == 2
    assert left(tmp_path / "0") == left(tmp_path / "1")

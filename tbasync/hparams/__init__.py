"""Hyperparameters in the style of `tensorboard.plugins.hparams.api`, without TensorFlow and TensorBoard::

    import tbasync.hparams as hp

    units = hp.HParam("units", hp.Discrete([16, 32]))
    with tbasync.summary.create_file_writer("runs/search").as_default():
        hp.hparams_config(hparams=[units], metrics=[hp.Metric("accuracy")])

What is logged equals what that API logs. `KerasCallback(writer, hparams, trial_id=None)` logs the values of a
`model.fit()`, with Keras on any backend; Keras is imported when that name is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._domains import Discrete, Domain, HParam, IntInterval, Metric, RealInterval
from ._summaries import hparams, hparams_config, hparams_config_pb, hparams_pb

if TYPE_CHECKING:
    from ..integrations.keras_hparams import KerasCallback

__all__ = [
    "Discrete",
    "Domain",
    "HParam",
    "IntInterval",
    "KerasCallback",
    "Metric",
    "RealInterval",
    "hparams",
    "hparams_config",
    "hparams_config_pb",
    "hparams_pb",
]


def __getattr__(name: str) -> Any:
    if name == "KerasCallback":
        from ..integrations.keras_hparams import KerasCallback

        return KerasCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

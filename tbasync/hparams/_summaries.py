"""What an experiment varies and measures, and a trial's values, as summaries for the HParams dashboard."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..encode.hparams import EXPERIMENT_TAG, SESSION_END_TAG, SESSION_START_TAG
from ..proto import DataType, Summary, SummaryMetadata, TensorProto, TensorShapeProto
from ..proto.hparams import (
    Experiment,
    HParamInfo,
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
    Status,
)
from ..summary.experimental import write_raw_pb
from ._domains import HParam, Metric, Value


def hparams(
    hparams: Mapping[HParam | str, Any], trial_id: str | None = None, start_time_secs: float | None = None
) -> bool:
    """Logs a trial's values to the calling thread's default writer, at step 0.

    Args:
        hparams: hyperparameter, or its name -> bool, int, float or str, or numpy's number of such a kind.
        trial_id: names the trial; None is a hash of the values.
        start_time_secs: when it began, in seconds since the epoch; None is now.

    Returns:
        Whether it is logged: False without a default writer; see `tbasync.summary`.

    Raises:
        TypeError: a value is of another type, or `trial_id` is no str.
        ValueError: two values have one name.
    """
    return write_raw_pb(_bytes(hparams_pb(hparams, trial_id, start_time_secs)), step=0)


def hparams_pb(
    hparams: Mapping[HParam | str, Any], trial_id: str | None = None, start_time_secs: float | None = None
) -> Summary:
    """What `hparams` logs, as a `Summary` message of `tbasync.proto`; arguments and errors as there."""
    values = _by_name(hparams)
    start = SessionStartInfo(
        group_name=_group_name(trial_id, values),
        start_time_secs=time.time() if start_time_secs is None else start_time_secs,
    )
    for name in sorted(values):
        _set(start.hparams[name], name, values[name])
    return _summary(SESSION_START_TAG, HParamsPluginData(session_start_info=start))


def hparams_config(
    hparams: Iterable[HParam], metrics: Iterable[Metric], time_created_secs: float | None = None
) -> bool:
    """Logs what an experiment varies and measures to the calling thread's default writer, at step 0.

    Args:
        hparams: the hyperparameters.
        metrics: what the dashboard shows of the trials.
        time_created_secs: seconds since the epoch; None leaves it open.

    Returns:
        As `hparams`.
    """
    return write_raw_pb(_bytes(hparams_config_pb(hparams, metrics, time_created_secs)), step=0)


def hparams_config_pb(
    hparams: Iterable[HParam], metrics: Iterable[Metric], time_created_secs: float | None = None
) -> Summary:
    """What `hparams_config` logs, as a `Summary` message of `tbasync.proto`; arguments as there."""
    infos = []
    for hparam in hparams:
        info = HParamInfo(name=hparam.name, description=hparam.description, display_name=hparam.display_name)
        if hparam.domain is not None:
            hparam.domain.update_hparam_info(info)
        infos.append(info)
    experiment = Experiment(
        hparam_infos=infos,
        metric_infos=[metric.as_proto() for metric in metrics],
        time_created_secs=time_created_secs,
    )
    return _summary(EXPERIMENT_TAG, HParamsPluginData(experiment=experiment))


def session_end() -> bool:
    """Logs to the calling thread's default writer that a trial has ended well, now."""
    end = SessionEndInfo(status=Status.STATUS_SUCCESS, end_time_secs=time.time())
    return write_raw_pb(_bytes(_summary(SESSION_END_TAG, HParamsPluginData(session_end_info=end))), step=0)


def _by_name(hparams: Mapping[HParam | str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in hparams.items():
        name = key.name if isinstance(key, HParam) else key
        if name in values:
            raise ValueError(f"hparams has several values for {name!r}")
        values[name] = value.item() if isinstance(value, np.generic) else value
    return values


def _group_name(trial_id: str | None, values: dict[str, Value]) -> str:
    if trial_id is None:
        # As TensorBoard does it, so that one trial logged by both is one trial.
        plain = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()
    if not isinstance(trial_id, str):
        raise TypeError(f"trial_id must be a str or None, got {type(trial_id).__name__}: {trial_id!r}")
    return trial_id


def _set(target: Any, name: str, value: object) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, (int, float)):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    else:
        raise TypeError(
            f"hparams[{name!r}] must be a bool, an int, a float or a str, got {type(value).__name__}: {value!r}"
        )


def _summary(tag: str, data: HParamsPluginData) -> Summary:
    # Deterministic: the map of values would otherwise come in an order of the runtime's choosing.
    content = data.SerializeToString(deterministic=True)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="hparams", content=content))
    # All is in the metadata; the tensor, without elements, is there because readers expect one.
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=0)])
    nothing = TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=shape)
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=nothing)])


def _bytes(message: Summary) -> bytes:
    data: bytes = message.SerializeToString(deterministic=True)
    return data

"""Hyperparameters: the three summaries by which TensorBoard's HParams dashboard knows a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import struct_pb2

from ..proto import Summary, SummaryMetadata
from ..proto.hparams import (
    DataType,
    Experiment,
    HParamInfo,
    HParamsPluginData,
    MetricInfo,
    MetricName,
    SessionEndInfo,
    SessionStartInfo,
    Status,
)
from .result import Encoded

# TensorBoard's plugin takes a run for a session by these tags.
EXPERIMENT_TAG = "_hparams_/experiment"
SESSION_START_TAG = "_hparams_/session_start_info"
SESSION_END_TAG = "_hparams_/session_end_info"

_TYPES = {
    bool: DataType.DATA_TYPE_BOOL,
    float: DataType.DATA_TYPE_FLOAT64,
    str: DataType.DATA_TYPE_STRING,
}


class HParamSummaries(NamedTuple):
    """One summary each, to be written in this order."""

    experiment: Encoded
    session_start: Encoded
    session_end: Encoded


def plain(value: object) -> bool | float | str | None:
    """A hyperparameter's value as the plugin knows it; None if it has no such type.

    A bool stays a bool (torch's writer stores it as 1.0 or 0.0); other numbers, numpy's too, become
    float; an array of one element counts as that element; a function or class gives its name.

    Raises:
        ValueError: for an int too large for a float.
    """
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str):
        return str.__str__(value)  # of an enum that is a str: its value, not its name
    if isinstance(value, (int, float, np.integer, np.floating)):
        try:
            return float(value)
        except OverflowError as error:
            raise ValueError("it is beyond the range of a float") from error
    if callable(value):
        return str(getattr(value, "__name__", value))
    return None


def check_hparams(
    hparam_dict: object,
    metric_dict: object,
    hparam_domain_discrete: object = None,
    *,
    lenient: bool = False,
) -> None:
    """Raises TypeError or ValueError, naming the argument and key, for what `hparams` cannot take.

    Args:
        hparam_dict, metric_dict, hparam_domain_discrete, lenient: as for `hparams`.
    """
    hparam_dict = _dict("hparam_dict", hparam_dict)
    for key in _dict("metric_dict", metric_dict):
        _check_key("metric_dict", key)
    for key, value in hparam_dict.items():
        _check_key("hparam_dict", key)
        if value is not None and not lenient:
            _check_plain(f"hparam_dict[{key!r}]", value)
    for key, values in _dict("hparam_domain_discrete", hparam_domain_discrete or {}).items():
        _check_domain(f"hparam_domain_discrete[{key!r}]", key, values, hparam_dict)


def _dict(name: str, value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, not {type(value).__name__}")
    return value


def _check_key(name: str, key: object) -> None:
    if not isinstance(key, str):
        raise TypeError(f"{name} must have str for keys, not {type(key).__name__} ({key!r})")
    _check_text(f"a key of {name}", key)


def _check_text(where: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{where} is {text!r}, which UTF-8 cannot hold") from error


def _check_plain(where: str, value: object) -> bool | float | str:
    try:
        known = plain(value)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if known is None:
        # ValueError, as torch's writer has it.
        raise ValueError(
            f"{where} is of type {type(value).__name__}; accepted are bool, int, float, str, "
            "tensors of one element and functions (by name)"
        )
    if isinstance(known, str):
        _check_text(where, known)
    return known


def _check_domain(where: str, key: object, values: object, hparam_dict: Mapping[Any, Any]) -> None:
    if key not in hparam_dict:
        raise TypeError(f"{where}: hparam_dict has no {key!r}")
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{where} must be a list, not {type(values).__name__}")
    wanted = type(plain(hparam_dict[key]))
    for value in values:
        if type(_check_plain(where, value)) is not wanted:
            raise TypeError(
                f"{where} holds {value!r}; it must hold values of the same type as "
                f"hparam_dict[{key!r}], which is {hparam_dict[key]!r}"
            )


def hparams(
    hparam_dict: Mapping[str, Any],
    metric_dict: Iterable[str],
    hparam_domain_discrete: Mapping[str, Sequence[Any]] | None = None,
    *,
    lenient: bool = False,
) -> HParamSummaries:
    """What was varied, what is measured, and this session's values; the end of the session is a success.

    Args:
        hparam_dict: name -> value, of a type that `plain` knows; None values are left out.
        metric_dict: its keys, or they alone, are the tags of the scalars that the dashboard shows.
        hparam_domain_discrete: name -> all values that the hyperparameter may take.
        lenient: list a value of any other type without type and value, as tensorboardX does, where
            otherwise `check_hparams` raises, as torch does.
    """
    domains = hparam_domain_discrete or {}
    start = SessionStartInfo()
    infos = []
    for name, value in hparam_dict.items():
        known = plain(value)
        if known is not None:
            _set(start.hparams[name], known)
            infos.append(_info(name, known, domains.get(name)))
        elif value is not None and lenient:
            infos.append(HParamInfo(name=name))
    metrics = [MetricInfo(name=MetricName(tag=tag)) for tag in metric_dict]
    experiment = Experiment(hparam_infos=infos, metric_infos=metrics)
    end = SessionEndInfo(status=Status.STATUS_SUCCESS)
    return HParamSummaries(
        _summary(EXPERIMENT_TAG, HParamsPluginData(experiment=experiment)),
        _summary(SESSION_START_TAG, HParamsPluginData(session_start_info=start)),
        _summary(SESSION_END_TAG, HParamsPluginData(session_end_info=end)),
    )


def _info(name: str, value: bool | float | str, domain: Sequence[Any] | None) -> HParamInfo:
    info = HParamInfo(name=name, type=_TYPES[type(value)])
    if domain is not None:
        info.domain_discrete.SetInParent()
        for member in domain:
            known = plain(member)
            if known is not None:
                _set(info.domain_discrete.values.add(), known)
    return info


def _set(target: struct_pb2.Value, value: bool | float | str) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, float):
        target.number_value = value
    else:
        target.string_value = value


def _summary(tag: str, data: HParamsPluginData) -> Encoded:
    # Deterministic: the map of values would otherwise come in an order of the runtime's choosing.
    content = data.SerializeToString(deterministic=True)
    plugin_data = SummaryMetadata.PluginData(plugin_name="hparams", content=content)
    value = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin_data))
    return Encoded(Summary(value=[value]).SerializeToString())

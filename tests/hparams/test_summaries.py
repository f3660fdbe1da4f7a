"""Hyperparameters, against TensorBoard's own API for them: message for message."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tensorboard")

from tensorboard.plugins.hparams import summary_v2

import tbasync.hparams as hp
import tbasync.summary
from tbasync.proto import Summary
from tbasync.proto.hparams import HParamsPluginData
from tests.encode.support import examples
from tests.summary.reading import values

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
OPTIONAL = st.none() | TEXT
FLOATS = st.floats(allow_nan=False)
INTEGERS = st.integers(-(2**60), 2**60)


def members(kind: Any) -> st.SearchStrategy[list[Any]]:
    """Values of a discrete domain, which are all of one type."""
    return st.lists(kind, min_size=1, max_size=4)


DISCRETE = (members(FLOATS) | members(INTEGERS) | members(TEXT) | members(st.booleans())).map(
    lambda values: ("Discrete", (values,))
)
EMPTY = st.sampled_from([int, float, bool, str]).map(lambda kind: ("Discrete", ([], kind)))
REAL = st.tuples(FLOATS, FLOATS).map(lambda ends: ("RealInterval", tuple(sorted(ends))))
INTEGER = st.tuples(INTEGERS, INTEGERS).map(lambda ends: ("IntInterval", tuple(sorted(ends))))
DOMAINS = st.none() | DISCRETE | EMPTY | REAL | INTEGER

HPARAMS = st.lists(st.tuples(TEXT, DOMAINS, OPTIONAL, OPTIONAL), max_size=4)
METRICS = st.lists(st.tuples(TEXT, OPTIONAL, OPTIONAL, OPTIONAL, st.sampled_from([None, 1, 2])), max_size=4)
TIMES = st.none() | st.floats(0, 4e9)

VALUES = st.dictionaries(
    TEXT,
    FLOATS | INTEGERS | TEXT | st.booleans() | FLOATS.map(np.float64) | st.booleans().map(np.bool_),
    max_size=5,
)


def domain_of(api: Any, domain: tuple[str, tuple[Any, ...]] | None) -> Any:
    """The domain in the one or the other API."""
    return None if domain is None else getattr(api, domain[0])(*domain[1])


def hparams_of(api: Any, hparams: list[tuple[Any, ...]]) -> list[Any]:
    """The hyperparameters in the one or the other API."""
    return [api.HParam(name, domain_of(api, domain), *rest) for name, domain, *rest in hparams]


def content(message: Any) -> tuple[str, str]:
    """A summary of any protobuf package as text: its outside, and the plugin's data in it."""
    (value,) = Summary.FromString(message.SerializeToString()).value
    data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
    value.metadata.plugin_data.content = b""
    return str(value), str(data)


@examples(150)
@given(HPARAMS, METRICS, TIMES)
def test_config(hparams: Any, metrics: Any, created: float | None) -> None:
    """Any hyperparameters, domains and metrics give the same message."""
    ours = hp.hparams_config_pb(hparams_of(hp, hparams), [hp.Metric(*each) for each in metrics], created)
    theirs = summary_v2.hparams_config_pb(
        hparams_of(summary_v2, hparams), [summary_v2.Metric(*each) for each in metrics], created
    )
    assert content(ours) == content(theirs)


@examples(150)
@given(VALUES, OPTIONAL, st.floats(0, 4e9))
def test_values(values: dict[str, Any], trial_id: str | None, started: float) -> None:
    """Any values, keyed by name or by hyperparameter, give the same message, the trial's hash included."""
    theirs = summary_v2.hparams_pb(values, trial_id, started)
    assert content(hp.hparams_pb(values, trial_id, started)) == content(theirs)
    keyed = {hp.HParam(name): value for name, value in values.items()}
    assert content(hp.hparams_pb(keyed, trial_id, started)) == content(theirs)


@examples(60)
@given(HPARAMS)
def test_objects(hparams: Any) -> None:
    """Attributes, `str`, `repr`, types and samples are the same."""
    for ours, theirs in zip(hparams_of(hp, hparams), hparams_of(summary_v2, hparams), strict=True):
        assert (str(ours), repr(ours)) == (str(theirs), repr(theirs))
        for name in ("name", "display_name", "description"):
            assert getattr(ours, name) == getattr(theirs, name)
        if ours.domain is None:
            continue
        for name in ("dtype", "values", "min_value", "max_value"):
            assert getattr(ours.domain, name, None) == getattr(theirs.domain, name, None)
        if getattr(ours.domain, "values", None) == []:
            with pytest.raises(IndexError):
                ours.domain.sample_uniform()
            continue
        samples = [domain.sample_uniform(random.Random(7)) for domain in (ours.domain, theirs.domain)]
        assert samples[0] == samples[1] or samples[0] != samples[0]


@pytest.mark.parametrize("api", [hp, summary_v2], ids=["tbasync", "tensorboard"])
def test_bad_input(api: Any) -> None:
    """The same errors, at the same places."""
    for error, make in (
        (TypeError, lambda: api.IntInterval(0.5, 1)),
        (TypeError, lambda: api.IntInterval(1)),
        (ValueError, lambda: api.IntInterval(2, 1)),
        (TypeError, lambda: api.RealInterval(0, 1.0)),
        (ValueError, lambda: api.RealInterval(2.0, 1.0)),
        (ValueError, lambda: api.Discrete([])),
        (ValueError, lambda: api.Discrete([None])),
        (ValueError, lambda: api.Discrete([1], dtype=bytes)),
        (TypeError, lambda: api.Discrete([1, "a"])),
        (ValueError, lambda: api.HParam("x", [1, 2])),
        (ValueError, lambda: api.Metric("x", dataset_type=3)),
        (TypeError, lambda: api.hparams_pb({"x": None}, "id")),
        (TypeError, lambda: api.hparams_pb({"x": [1]}, "id")),
        (TypeError, lambda: api.hparams_pb({"x": 1}, trial_id=3)),
        (ValueError, lambda: api.hparams_pb({"x": 1, api.HParam("x"): 2})),
    ):
        with pytest.raises(error):
            make()


def test_logged_to_the_default_writer(tmp_path: Path) -> None:
    """At step 0 whatever the default step, under TensorBoard's tags; without a writer nothing, and False."""
    assert hp.hparams({"x": 1}) is False
    assert hp.hparams_config([], []) is False
    with tbasync.summary.create_file_writer(tmp_path).as_default(step=7) as writer:
        assert hp.hparams_config([hp.HParam("x")], [hp.Metric("loss")]) is True
        assert hp.hparams({"x": 1}, start_time_secs=3.5) is True
    writer.close()
    found = values(tmp_path)
    assert [value.tag for value in found] == ["_hparams_/experiment", "_hparams_/session_start_info"]
    assert found[1] == hp.hparams_pb({"x": 1}, start_time_secs=3.5).value[0]


def test_the_start_is_now_if_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """`start_time_secs` is the clock's time at the call."""
    monkeypatch.setattr("tbasync.hparams._summaries.time.time", lambda: 12.5)
    _, data = content(hp.hparams_pb({}))
    assert "start_time_secs: 12.5" in data

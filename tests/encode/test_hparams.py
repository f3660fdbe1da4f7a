"""The three summaries of a session's hyperparameters."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync.encode.hparams import HParamSummaries, check_hparams, hparams, plain
from tbasync.proto import Summary
from tbasync.proto.hparams import DataType, HParamsPluginData

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
_TORCH_VALUES = st.none() | _NUMBERS | _NAMES
_INT64 = st.integers(-(2**63), 2**63 - 1)
_X_VALUES = st.booleans() | _INT64 | st.floats(allow_nan=False) | _NAMES | st.sampled_from([len, [1]])


def _parsed(encoded: Any) -> tuple[str, str, HParamsPluginData]:
    """Tag, plugin and content: a map has no order, so that bytes cannot be compared."""
    data = encoded.summary if hasattr(encoded, "summary") else encoded.SerializeToString()
    (value,) = Summary.FromString(data).value
    plugin_data = value.metadata.plugin_data
    return value.tag, plugin_data.plugin_name, HParamsPluginData.FromString(plugin_data.content)


def _content(summaries: HParamSummaries) -> tuple[list[Any], dict[str, Any]]:
    """The experiment's infos and the session's values."""
    start = _parsed(summaries.session_start)[2].session_start_info.hparams
    return list(_parsed(summaries.experiment)[2].experiment.hparam_infos), dict(start)


@st.composite
def _calls(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    values = draw(st.dictionaries(_NAMES, _TORCH_VALUES, max_size=5))
    domains = {
        name: draw(
            st.lists(
                st.integers()
                if type(v) is int
                else st.floats(allow_nan=False)
                if type(v) is float
                else _NAMES
            )
        )
        for name, v in values.items()
        if v is not None and draw(st.booleans())
    }
    return values, draw(st.dictionaries(_NAMES, _NUMBERS, max_size=4)), domains or None


@given(call=_calls())
def test_equals_torch(torch_summary: Any, call: Any) -> None:
    """Names, types, values, domains and metrics equal torch's for every type that torch keeps."""
    check_hparams(*call)
    theirs = torch_summary.hparams(*call)
    assert [_parsed(x) for x in hparams(*call)] == [_parsed(x) for x in theirs]


@given(values=st.dictionaries(_NAMES, _X_VALUES, max_size=5))
def test_equals_tensorboardx(tensorboardx_summary: Any, values: Any) -> None:
    """Bools, functions and values of no known type are as in tensorboardX, if lenient."""
    check_hparams(values, {"m": 1}, lenient=True)
    theirs = tensorboardx_summary.hparams(values, {"m": 1})
    assert [_parsed(x) for x in hparams(values, {"m": 1}, lenient=True)] == [_parsed(x) for x in theirs]


def test_a_bool_stays_a_bool(torch_summary: Any) -> None:
    """True is stored as a bool with a domain of bools, where torch stores 1.0."""
    summaries = hparams({"b": True}, {}, {"b": [True, False]})
    (info,), values = _content(summaries)
    assert info.type == DataType.DATA_TYPE_BOOL
    assert values["b"].WhichOneof("kind") == "bool_value"
    assert [member.bool_value for member in info.domain_discrete.values] == [True, False]
    theirs = _parsed(torch_summary.hparams({"b": True}, {})[1])[2].session_start_info.hparams["b"]
    assert theirs.WhichOneof("kind") == "number_value"


class _Colour(str, enum.Enum):
    RED = "red"


class _Size(enum.IntEnum):
    LARGE = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int8(-3), -3.0),
        (np.bool_(True), True),
        (np.array([[2.5]]), 2.5),
        (np.array(True), True),
        (np.array("x"), "x"),
        (np.array([1, 2]), None),
        (np.str_("s"), "s"),
        (_Colour.RED, "red"),
        (_Size.LARGE, 3.0),
        (2**1000, 2.0**1000),
        (len, "len"),
        (dict, "dict"),
        ([1], None),
        (None, None),
        (1j, None),
    ],
    ids=str,
)
def test_plain_values(value: object, expected: object) -> None:
    """numpy's scalars, arrays of one element, enums and functions come down to plain values."""
    known = plain(value)
    assert known == expected
    assert type(known) is type(expected)


def test_none_is_left_out() -> None:
    """A hyperparameter of None has neither an info nor a value, as in both originals."""
    assert _content(hparams({"n": None}, {})) == ([], {})
    assert _content(hparams({"n": None}, {}, lenient=True)) == ([], {})


def test_tensorboard_reads_the_content() -> None:
    """TensorBoard's own parsers accept all three summaries."""
    metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    parsers = (
        metadata.parse_experiment_plugin_data,
        metadata.parse_session_start_info_plugin_data,
        metadata.parse_session_end_info_plugin_data,
    )
    tags = (metadata.EXPERIMENT_TAG, metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG)
    for parse, tag, encoded in zip(parsers, tags, hparams({"lr": 0.1}, {"loss": 1}), strict=True):
        (value,) = Summary.FromString(encoded.summary).value
        assert parse(value.metadata.plugin_data.content)
        assert value.tag == tag


def test_the_same_call_gives_the_same_bytes() -> None:
    """The session's map is written in a fixed order."""
    values = {str(i): i for i in range(50)}
    backwards = dict(reversed(values.items()))
    assert hparams(values, {}).session_start == hparams(backwards, {}).session_start


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], {}), TypeError, "hparam_dict must be a dict, not list"),
        (({}, None), TypeError, "metric_dict must be a dict, not NoneType"),
        (({}, {}, [1]), TypeError, "hparam_domain_discrete must be a dict, not list"),
        (({1: 2}, {}), TypeError, r"hparam_dict must have str for keys, not int \(1\)"),
        (({}, {None: 2}), TypeError, "metric_dict must have str for keys, not NoneType"),
        (({"a": [1]}, {}), ValueError, r"hparam_dict\['a'\] is of type list; accepted are bool, int"),
        (({"a": 10**400}, {}), ValueError, r"hparam_dict\['a'\]: it is beyond the range of a float"),
        (({"a": 1}, {}, {"b": [1]}), TypeError, r"domain_discrete\['b'\]: hparam_dict has no 'b'"),
        (({"a": 1}, {}, {"a": 1}), TypeError, r"domain_discrete\['a'\] must be a list, not int"),
        (
            ({"a": 1}, {}, {"a": ["x"]}),
            TypeError,
            r"domain_discrete\['a'\] holds 'x'; it must hold values of",
        ),
        (({"a": True}, {}, {"a": [1]}), TypeError, r"domain_discrete\['a'\] holds 1"),
        (({"a": "\ud800"}, {}), ValueError, r"hparam_dict\['a'\] is '\\ud800', which UTF-8 cannot hold"),
        (({}, {"\ud800": 1}), ValueError, r"a key of metric_dict is '\\ud800', which UTF-8 cannot hold"),
        (({"a": "b"}, {}, {"a": ["\ud800"]}), ValueError, r"domain_discrete\['a'\] is '\\ud800'"),
    ],
)
def test_check_names_what_is_wrong(arguments: Any, error: type[Exception], message: str) -> None:
    """Wrong arguments are refused by name, key, what was given and what is accepted."""
    with pytest.raises(error, match=message):
        check_hparams(*arguments)


def test_numbers_of_one_domain_may_mix() -> None:
    """Ints and floats are both numbers: torch refuses a list of ints for a float, here it passes."""
    check_hparams({"a": 0.5}, {}, {"a": [1, np.float32(0.5)]})
    (info,), _ = _content(hparams({"a": 0.5}, {}, {"a": [1, np.float32(0.5)]}))
    assert [member.number_value for member in info.domain_discrete.values] == [1.0, 0.5]

"""Layouts of the custom scalars dashboard."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync.encode import layout as encoder
from tbasync.proto import Layout, Summary

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_CHARTS = st.one_of(
    st.tuples(st.just("Multiline"), st.lists(_NAMES, max_size=4)),
    st.tuples(st.just("Margin"), st.lists(_NAMES, min_size=3, max_size=3)),
)
_LAYOUTS = st.dictionaries(_NAMES, st.dictionaries(_NAMES, _CHARTS.map(list), max_size=3), max_size=3)


def _layout(summary: bytes) -> Layout:
    return Layout.FromString(Summary.FromString(summary).value[0].tensor.string_val[0])


@given(layout=_LAYOUTS)
def test_equals_the_originals(torch_summary: Any, tensorboardx_summary: Any, layout: Any) -> None:
    """Any layout gives the bytes that torch's and tensorboardX's messages serialize to."""
    encoder.check_layout(layout)
    summary = encoder.custom_scalars(layout).summary
    assert summary == torch_summary.custom_scalars(layout).SerializeToString()
    assert summary == tensorboardx_summary.custom_scalars(layout).SerializeToString()


@given(tags=st.lists(_NAMES, min_size=3, max_size=3), category=_NAMES, title=_NAMES)
def test_shorthands_equal_torchs(torch_summary: Any, tags: list[str], category: str, title: str) -> None:
    """The shorthands for one chart are the layouts that torch's writer makes of them."""
    for shorthand, kind in ((encoder.multiline, "Multiline"), (encoder.margin, "Margin")):
        theirs = torch_summary.custom_scalars({category: {title: [kind, tags]}})
        assert shorthand(tags, category, title).summary == theirs.SerializeToString()


def test_default_names() -> None:
    """Category and title are torch's when not given."""
    (category,) = _layout(encoder.multiline(["a"]).summary).category
    assert (category.title, category.chart[0].title) == ("default", "untitled")


def test_case_of_the_kind_does_not_matter() -> None:
    """A "margin" chart is a margin chart, where torch silently draws lines."""
    layout = {"c": {"t": ["margin", ["a", "b", "c"]], "u": ("MULTILINE", ("a",))}}
    encoder.check_layout(layout)
    first, second = _layout(encoder.custom_scalars(layout).summary).category[0].chart
    assert first.margin.series[0].upper == "c"
    assert list(second.multiline.tag) == ["a"]


@pytest.mark.parametrize(
    ("layout", "error", "message"),
    [
        ([], TypeError, "layout must be a dict of categories, not list"),
        ({1: {}}, TypeError, "layout's category must be a str, not int"),
        ({"c": []}, TypeError, r"layout\['c'\] must be a dict of charts, not list"),
        ({"c": {2: ["Multiline", []]}}, TypeError, r"chart's title in layout\['c'\] must be a str, not int"),
        ({"c": {"t": ["Multiline"]}}, TypeError, r"layout\['c'\]\['t'\] must be \[kind, tags\]"),
        ({"c": {"t": "ab"}}, TypeError, r"layout\['c'\]\['t'\] must be \[kind, tags\]"),
        ({"c": {"t": ["Pie", []]}}, ValueError, "of kind 'Pie'; accepted are 'Multiline' and 'Margin'"),
        ({"c": {"t": [None, []]}}, ValueError, "of kind None"),
        ({"c": {"t": ["Multiline", "tag"]}}, TypeError, r"\[1\] must be a list of tags, not str"),
        ({"c": {"t": ["Multiline", ["a", 3]]}}, TypeError, r"\[1\] must hold str only, not int"),
        ({"c": {"t": ["Margin", ["a", "b"]]}}, ValueError, r"\[value, lower, upper\], not 2 tags"),
    ],
)
def test_check_names_what_is_wrong(layout: Any, error: type[Exception], message: str) -> None:
    """What is no layout is refused with the place and what is accepted there."""
    with pytest.raises(error, match=message):
        encoder.check_layout(layout)


def test_check_of_a_shorthands_tags() -> None:
    """The shorthands' tags are checked under their own name."""
    encoder.check_chart_tags(["a", "b", "c"], margin=True)
    with pytest.raises(ValueError, match="tags of a margin chart must be"):
        encoder.check_chart_tags(["a"], margin=True)
    with pytest.raises(TypeError, match="tags must be a list of tags, not int"):
        encoder.check_chart_tags(3, margin=False)

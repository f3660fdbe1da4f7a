"""Custom scalars: which tags share a chart, and which charts a category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..proto import Category, Chart, DataType, Layout, MarginChartContent, MultilineChartContent
from .result import Encoded
from .tensor_value import strings, tensor_value

# Category -> chart's title -> (kind, tags); kind is "Multiline" or "Margin".
Categories = Mapping[str, Mapping[str, Sequence[Any]]]

_TAG = "custom_scalars__config__"  # where TensorBoard's plugin looks for the layout


def check_layout(layout: object) -> None:
    """Raises TypeError or ValueError, naming the chart, unless `layout` is as `custom_scalars` takes it."""
    if not isinstance(layout, Mapping):
        raise TypeError(f"layout must be a dict of categories, not {type(layout).__name__}")
    for category, charts in layout.items():
        _check_title("layout's category", category)
        if not isinstance(charts, Mapping):
            raise TypeError(f"layout[{category!r}] must be a dict of charts, not {type(charts).__name__}")
        for title, chart in charts.items():
            _check_title(f"chart's title in layout[{category!r}]", title)
            _check_chart(f"layout[{category!r}][{title!r}]", chart)


def _check_title(where: str, title: object) -> None:
    if not isinstance(title, str):
        raise TypeError(f"a {where} must be a str, not {type(title).__name__}")


def _check_chart(where: str, chart: object) -> None:
    if not isinstance(chart, Sequence) or isinstance(chart, str) or len(chart) != 2:
        raise TypeError(f"{where} must be [kind, tags], not {chart!r}")
    kind, tags = chart
    if not isinstance(kind, str) or kind.lower() not in ("multiline", "margin"):
        raise ValueError(f"{where} is of kind {kind!r}; accepted are 'Multiline' and 'Margin'")
    check_chart_tags(tags, margin=kind.lower() == "margin", where=f"{where}[1]")


def check_chart_tags(tags: object, *, margin: bool, where: str = "tags") -> None:
    """Raises unless `tags` is a list (or tuple) of str, of exactly three for a margin chart."""
    if not isinstance(tags, Sequence) or isinstance(tags, str):
        raise TypeError(f"{where} must be a list of tags, not {type(tags).__name__}")
    wrong = next((tag for tag in tags if not isinstance(tag, str)), None)
    if wrong is not None:
        raise TypeError(f"{where} must hold str only, not {type(wrong).__name__}")
    if margin and len(tags) != 3:
        raise ValueError(f"{where} of a margin chart must be [value, lower, upper], not {len(tags)} tags")


def custom_scalars(layout: Categories) -> Encoded:
    """The whole layout, category by category; one summary, at torch's tag.

    Args:
        layout: category -> chart's title -> [kind, tags]. A "Multiline" chart draws a line for every
            tag that one of its regular expressions matches; a "Margin" chart takes three tags, the
            line and the lower and upper edge of the band around it. (torch draws a multiline chart
            for any kind but exactly "Margin"; here a kind's case does not matter, and others raise.)
    """
    categories = [
        Category(title=name, chart=[_chart(title, *chart) for title, chart in charts.items()])
        for name, charts in layout.items()
    ]
    content = Layout(category=categories).SerializeToString()
    summary = tensor_value(
        _TAG, "custom_scalars", dtype=DataType.DT_STRING, shape=(), elements=strings([content])
    )
    return Encoded(b"".join(summary))


def multiline(tags: Sequence[str], category: str = "default", title: str = "untitled") -> Encoded:
    """A layout of one multiline chart; see `custom_scalars`."""
    return custom_scalars({category: {title: ("Multiline", tags)}})


def margin(tags: Sequence[str], category: str = "default", title: str = "untitled") -> Encoded:
    """A layout of one margin chart of the tags [value, lower, upper]; see `custom_scalars`."""
    return custom_scalars({category: {title: ("Margin", tags)}})


def _chart(title: str, kind: str, tags: Sequence[str]) -> Chart:
    if kind.lower() == "margin":
        value, lower, upper = tags
        series = MarginChartContent.Series(value=value, lower=lower, upper=upper)
        return Chart(title=title, margin=MarginChartContent(series=[series]))
    return Chart(title=title, multiline=MultilineChartContent(tag=tags))

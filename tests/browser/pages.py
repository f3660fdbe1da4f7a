"""How to find things on TensorBoard's pages, which are web components within web components."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.browser.chromium import PATIENCE

Visit = Callable[[str], Any]  # goes to a dashboard and returns the page
Picture = Callable[[str], None]  # takes a picture of the page under a name

_STROKES = "lines => lines.map(line => line.getAttribute('stroke') || line.style.stroke)"


def card(page: Any, kind: str, tag: str) -> Any:
    """The card of `tag`, an element called `kind`; of several, the first."""
    name = page.locator("[itemprop=tag]").get_by_text(tag, exact=True)
    return page.locator(kind).filter(has=name).first


def filter_tags(page: Any, pattern: str) -> None:
    """Shows the tags that the regular expression matches, and them first."""
    page.locator("tf-tag-filterer input").fill(pattern)


def drawn_from(locator: Any) -> Any:
    """The datum that the page's script has drawn an SVG element from (d3 keeps it with the element)."""
    return locator.evaluate("element => element.__data__")


def tooltip(page: Any, chart: Any, column: str) -> list[dict[str, str]]:
    """The rows of the table that comes up under the pointer in the middle of `chart`, by column.

    `column` is one that this kind of chart has.
    """
    chart.locator("vz-line-chart2 .main").hover()
    table = page.locator("table").filter(has=page.locator("th").get_by_text(column, exact=True))
    table.locator("tbody td").nth(1).wait_for()
    names = table.locator("th").all_inner_texts()
    rows = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def colours(chart: Any) -> set[str]:
    """The colours of a chart's lines; TensorBoard has fewer than there may be runs."""
    return set(chart.locator("path.line").evaluate_all(_STROKES))


def coloured(picture: NDArray[np.uint8]) -> int:
    """How many pixels of [H, W, 3] are no shade of grey."""
    return int((np.ptp(picture, axis=2) > 20).sum())


def eventually(condition: Callable[[], bool]) -> None:
    """Returns when `condition` is true; fails when it has not become so in PATIENCE."""
    deadline = time.monotonic() + PATIENCE / 1e3
    while not condition():
        assert time.monotonic() < deadline, "this has not become true in time"
        time.sleep(0.1)


def node(page: Any, name: str) -> Any:
    """A node of the graph, by its path."""
    return page.locator(f'g.node[data-name="{name}"]')


def open_model(page: Any, name: str, layers: Sequence[str]) -> None:
    """Opens a model's box in the graph; returns when its layers have stopped moving, in a row from input to output."""
    from playwright.sync_api import expect

    node(page, name).dblclick()
    for layer in layers:
        expect(node(page, f"{name}/{layer}")).to_be_visible()

    def in_a_row() -> bool:
        heights = [node(page, f"{name}/{layer}").bounding_box()["y"] for layer in layers]
        return heights == sorted(heights, reverse=True)  # data flows upwards

    eventually(in_a_row)
    page.locator("tf-graph-scene").click(position={"x": 20, "y": 400})  # selects nothing

"""What TensorBoard's pages draw of the demo's numbers: scalars, distributions, curves, hyperparameters."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.browser.chromium import pixels
from tests.browser.pages import (
    Picture,
    Visit,
    card,
    coloured,
    drawn_from,
    eventually,
    filter_tags,
    tooltip,
)
from tests.support.tensorboard_server import TensorBoard, needs_tensorboard

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_tensorboard]

# A row of the table only has slots; the texts lie elsewhere and are assigned to them.
TEXTS_OF_ROW = """row => [...row.querySelectorAll("slot")].map(
    slot => slot.assignedElements().map(cell => cell.innerText).join("").trim()
)"""


def test_time_series(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """A scalar's card has its last step and value, an image's its picture, a histogram's its steps."""
    page = visit("timeseries")
    tags = page.get_by_role("combobox", name="Filter tags")
    tags.fill("filters/first")  # one by one: a card fills only when it is in sight
    step, filters = board.images(".", "filters/first_layer")[-1]
    image = titled(page, "image-card", "filters/first_layer")
    expect(image).to_contain_text(f"Step {step}")
    expect(image.locator("img")).to_have_js_property("naturalWidth", filters.shape[1])
    weights = a_weight(board)
    tags.fill(weights)
    mountains = titled(page, "histogram-card", weights).locator("g.histogram")
    expect(mountains).to_have_count(len(board.histograms(".", weights)))
    tags.fill("train/loss")
    page.keyboard.press("Escape")
    step, value = board.scalars(".", "train/loss")[-1]
    loss = titled(page, "scalar-card", "train/loss")
    expect(loss.locator("tb-data-table-content-row")).to_contain_text(str(step))
    names = loss.locator("tb-data-table-header-cell").all_inner_texts()
    cells = loss.locator("tb-data-table-content-cell").all_inner_texts()
    last = {name.strip(): cell.strip() for name, cell in zip(names, cells, strict=True)}
    assert (last["Step"], float(last["Value"])) == (str(step), pytest.approx(value, rel=1e-3, abs=1e-4))
    eventually(lambda: coloured(pixels(loss.locator(".series-view"))) > 200)  # only the curve has a colour
    picture("timeseries")


def a_weight(board: TensorBoard) -> str:
    """The histogram of the first layer's weights."""
    tags = board.tags("histograms")["."]
    return min(tag for tag in tags if tag.startswith("parameters/") and tag.endswith(".weight"))


def titled(page: Any, kind: str, tag: str) -> Any:
    """The card of `tag` on the Time Series dashboard."""
    return page.locator(kind).filter(has=page.locator(f'[title="{tag}"]'))


def test_scalars(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """Each curve is drawn, and the tooltip of the loss has a step and the value that was logged there."""
    page = visit("scalars")
    filter_tags(page, "^(train|test)/(accuracy|loss)")
    for tag in ("test/accuracy", "test/loss", "train/accuracy", "train/loss"):
        expect(card(page, "tf-scalar-card", tag).locator("path.line").first).to_be_attached()
    (point,) = tooltip(page, card(page, "tf-scalar-card", "train/loss"), "Smoothed")
    assert float(point["Value"]) == pytest.approx(
        dict(board.scalars(".", "train/loss"))[int(point["Step"])], rel=1e-3
    )
    picture("scalars")


def test_custom_scalars(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """The charts of the layout are there; one has both losses' curves, one the mean loss with its margins."""
    page = visit("custom_scalars")
    charts = page.locator("tf-custom-scalar-multi-line-chart-card")
    expect(charts).to_have_count(2)
    for chart in charts.all():
        expect(chart).to_contain_text("in training and on the test digits")
    points = tooltip(page, charts.first, "Smoothed")
    assert {point["Name"] for point in points} == {"train/loss (.)", "test/loss (.)"}
    for point in points:
        logged = dict(board.scalars(".", point["Name"].removesuffix(" (.)")))
        assert float(point["Value"]) == pytest.approx(logged[int(point["Step"])], rel=1e-3)
    (band,) = tooltip(page, page.locator("tf-custom-scalar-margin-chart-card"), "Lower Margin")
    tags = {"Value": "epoch/loss", "Lower Margin": "epoch/loss_p10", "Upper Margin": "epoch/loss_p90"}
    for column, tag in tags.items():
        logged = dict(board.scalars(".", tag))
        assert float(band[column]) == pytest.approx(logged[int(band["Step"])], rel=1e-3)
    picture("custom_scalars")


def test_histograms(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """Each step of a weight's histogram is drawn, and every one of the weights is in it."""
    tag = a_weight(board)
    page = visit("histograms")
    filter_tags(page, "weight")
    mountains = card(page, "tf-histogram-loader", tag).locator("g.histogram")
    logged = board.histograms(".", tag)
    expect(mountains).to_have_count(len(logged))
    for mountain, (step, buckets) in zip(mountains.all(), logged, strict=True):
        datum = drawn_from(mountain)
        drawn = sum(bar["y"] for bar in datum["bins"])
        assert (datum["step"], drawn) == (step, pytest.approx(sum(bucket.number for bucket in buckets)))
    picture("histograms")


def test_distributions(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """The bands of a weight's distribution are drawn from the percentiles of every step."""
    tag = a_weight(board)
    page = visit("distributions")
    filter_tags(page, "weight")
    bands = card(page, "tf-distribution-loader", tag).locator("path.area")
    expect(bands.first).to_be_attached()
    answer = json.loads(board.get("data/plugin/distributions/distributions", run=".", tag=tag))
    assert drawn_from(bands.first) == [percentiles for _, _, percentiles in answer]
    assert len(answer) == len(board.histograms(".", tag))
    picture("distributions")


def test_precision_recall_curves(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """Each digit has its curve of the last step, drawn from the precisions and recalls that were logged."""
    page = visit("pr_curves")
    for digit in range(10):
        tag = f"one_against_all/{digit}"
        chart = card(page, "tf-pr-curve-card", tag)
        chart.scroll_into_view_if_needed()
        expect(chart.locator("path.line").first).to_be_attached()
        points = drawn_from(chart.locator("path.line").first)
        last = board.precision_recall(".", tag)[-1]
        expect(chart).to_contain_text(f"step {last['step']}")
        for name in ("precision", "recall", "true_positives", "false_positives"):
            assert sorted(point[name] for point in points) == sorted(last[name])
    card(page, "tf-pr-curve-card", "one_against_all/8").scroll_into_view_if_needed()
    picture("pr_curves")


def test_hparams(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """The table has the trial with every hyperparameter and metric."""
    page = visit("hparams")
    (session,) = board.sessions()
    expected = {**session["hparams"], **session["metrics"]}
    cells = page.locator("tf-hparams-table-view vaadin-grid-cell-content")
    for name in expected:
        expect(cells.get_by_text(name, exact=True)).to_be_attached()
    grid = page.locator("tf-hparams-table-view vaadin-grid")
    names, values = (grid.locator(row).first.evaluate(TEXTS_OF_ROW) for row in ("#header tr", "#items tr"))
    shown = dict(zip(names, values, strict=False))  # a row has one slot more, for details
    for name, value in expected.items():
        if isinstance(value, str):
            assert shown[name] == value
        else:
            np.testing.assert_allclose(float(shown[name]), value, rtol=1e-4)
    for name in ("batch_size", "epochs", "seed"):  # makes room for the metrics
        page.locator("tf-hparams-query-pane paper-checkbox").filter(has_text=name).click()
        expect(cells.get_by_text(name, exact=True)).to_have_count(0)
    picture("hparams")

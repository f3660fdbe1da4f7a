"""The four tutorials that log through torch's and tensorboardX's writers, in the real TensorBoard in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import WIDTH, pixels
from tests.browser.pages import (
    Picture,
    Visit,
    card,
    colours,
    drawn_from,
    eventually,
    filter_tags,
    node,
    open_model,
    tooltip,
)
from tests.browser.tutorial import tutorial
from tests.support.tensorboard_server import TensorBoard, needs_tensorboard

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_tensorboard]

LOGARITHMIC = "Toggle Y-axis log scale"
LAYERS = (
    "Conv2d[convolution1]",
    "Conv2d[convolution2]",
    "Linear[linear1]",
    "Linear[linear2]",
    "Linear[linear3]",
)


def unsmoothed(page: Any) -> Any:
    """The Scalars page with curves through the points, of which none is left out as an outlier."""
    page.locator("tf-smoothing-input paper-input input").fill("0")
    page.locator("paper-checkbox").filter(has_text="Ignore outliers").click()
    return page


@pytest.fixture(scope="class")
def board(
    context: Any, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TensorBoard]:
    """TensorBoard on what the class's `script` has logged to its `log_dir`, once it has read the `last` of it."""
    tried = request.cls
    with tutorial(tried.script, tried.log_dir, tmp_path_factory.mktemp(tried.script)) as board:
        board.wait_for(lambda: tried.last(board))
        yield board


class TestMisclassified:
    """misclassified_digits.py."""

    script, log_dir = "misclassified_digits", "runs"

    @staticmethod
    def last(board: TensorBoard) -> Any:
        return board.scalars("misclassified", "test/accuracy")[-1][0] == 4

    def test_images(self, visit: Visit, board: TensorBoard, picture: Picture) -> None:
        """The digits, and each wrong one with what it was taken for in its tag."""
        page = visit("images")
        filter_tags(page, "digits|wrong/")
        tags = [tag for tag in board.tags("images")["misclassified"] if tag.startswith("wrong/")]
        assert tags
        for tag in ("digits", *sorted(tags)[:4]):
            step, shown = board.images("misclassified", tag)[-1]
            image = card(page, "tf-image-loader", tag)
            expect(image).to_contain_text(f"step {step}")
            expect(image.locator("img")).to_have_js_property("naturalWidth", shown.shape[1])
        page.set_viewport_size({"width": WIDTH, "height": 1120})  # for the second row, too
        picture("misclassified_images")

    def test_histograms(self, visit: Visit, board: TensorBoard, picture: Picture) -> None:
        """Mountains of the confidence in a digit and in the best guess, from one batch to the next."""
        page = visit("histograms")
        filter_tags(page, "in a 3|best guess")
        for tag in ("confidence/in a 3", "confidence/in the best guess"):
            mountains = card(page, "tf-histogram-loader", tag).locator("g.histogram")
            logged = board.histograms("misclassified", tag)
            expect(mountains).to_have_count(len(logged))
            assert [drawn_from(mountain)["step"] for mountain in mountains.all()] == [s for s, _ in logged]
        picture("misclassified_histograms")


class TestGraphAndEmbedding:
    """graph_and_embedding.py."""

    script, log_dir = "graph_and_embedding", "runs"

    @staticmethod
    def last(board: TensorBoard) -> Any:
        return board.embeddings("graph-and-embedding")

    def test_losses(self, visit: Visit, picture: Picture) -> None:
        """Both losses are lines of one chart."""
        page = unsmoothed(visit("scalars"))
        page.set_viewport_size({"width": WIDTH, "height": 640})  # there is nothing below
        chart = card(page, "tf-scalar-card", "loss on known and unknown digits")
        chart.locator('paper-icon-button[icon="fullscreen"]').click()
        expect(chart.locator("path.line").nth(1)).to_be_attached()
        shown = {point["Name"].rpartition("_")[2] for point in tooltip(page, chart, "Smoothed")}
        assert shown == {"training", "validation"}
        picture("losses_scalars")

    def test_graph(self, visit: Visit, picture: Picture) -> None:
        """The model's box opens to its five layers."""
        page = visit("graphs")
        open_model(page, "SmallLeNet", LAYERS)
        page.get_by_text("Fit to screen").click()
        layer = node(page, "SmallLeNet/Linear[linear3]")
        eventually(lambda: layer.bounding_box()["y"] > 60)  # below the head of the page
        picture("losses_graph")

    def test_projector(self, visit: Visit, picture: Picture) -> None:
        """A hundred points of 64 dimensions, drawn with their pictures."""
        page = visit("projector")
        frame = page.frame_locator("iframe").frame_locator("iframe")
        expect(frame.locator(".numDataPoints")).to_have_text("100")
        expect(frame.locator(".dim")).to_have_text("64")
        frame.locator("paper-dropdown-menu#colorby").click()
        frame.locator("#colorby paper-item").filter(has_text="10 colors").first.click()
        canvas = frame.locator("canvas").first
        eventually(lambda: bool((pixels(canvas).mean(axis=2) < 100).mean() > 0.01))
        picture("losses_projector")


class TestBadCases:
    """bad_cases.py."""

    script, log_dir = "bad_cases", "logs"

    @staticmethod
    def last(board: TensorBoard) -> Any:
        return board.scalars("reader/epoch/error_rate/valid", "epoch/error_rate")[3]

    def test_curves(self, visit: Visit, picture: Picture) -> None:
        """By batch a curve each, by epoch two in a chart; an axis can be made logarithmic."""
        page = unsmoothed(visit("scalars"))
        filter_tags(page, "epoch/|train/")
        for tag in ("epoch/acc", "epoch/error_rate", "train/loss"):
            expect(card(page, "tf-scalar-card", tag).locator("path.line").first).to_be_attached()
        rates = card(page, "tf-scalar-card", "epoch/error_rate")
        rates.get_by_title(LOGARITHMIC).click()
        labels = rates.locator(".axis").first
        # A linear axis begins at 0 or below.
        eventually(lambda: float(labels.inner_text().split()[0]) > 0)
        picture("cases_scalars")

    def test_bad_cases(self, visit: Visit, board: TensorBoard, picture: Picture) -> None:
        """The picture of the last epoch."""
        page = visit("images")
        step, shown = board.images("reader", "valid/bad_cases")[-1]
        image = card(page, "tf-image-loader", "valid/bad_cases")
        expect(image).to_contain_text(f"step {step}")
        expect(image.locator("img")).to_have_js_property("naturalWidth", shown.shape[1])
        page.locator("paper-checkbox").filter(has_text="actual image size").click()
        page.set_viewport_size({"width": WIDTH, "height": 640})  # there is nothing below
        picture("cases_images")


class TestPrecisionAndRecall:
    """pr_curves.py."""

    script, log_dir = "pr_curves", "runs"

    @staticmethod
    def last(board: TensorBoard) -> Any:
        return board.precision_recall("pr-curves/learning rate 0.01", "9")

    def test_learning_rates(self, visit: Visit, picture: Picture) -> None:
        """Each of the two charts has a line for each learning rate."""
        page = visit("scalars")
        filter_tags(page, "accuracy|loss")
        for tag in ("accuracy", "training loss"):
            chart = card(page, "tf-scalar-card", tag)
            eventually(lambda chart=chart: len(colours(chart)) == 2)
        page.set_viewport_size({"width": WIDTH, "height": 560})  # there is nothing below
        picture("rates_scalars")

    def test_curves(self, visit: Visit, picture: Picture) -> None:
        """A chart a digit, with a curve for each learning rate."""
        page = visit("pr_curves")
        filter_tags(page, "3|8")
        for digit in ("3", "8"):
            chart = card(page, "tf-pr-curve-card", digit)
            expect(chart.locator("path.line").nth(1)).to_be_attached()
        page.set_viewport_size({"width": WIDTH, "height": 1000})  # for both charts
        picture("rates_pr_curves")

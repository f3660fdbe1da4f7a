"""The tutorial in the style of tf.summary, in the real TensorBoard in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.pages import Picture, Visit, card, colours, eventually, filter_tags
from tests.browser.tutorial import tutorial
from tests.support.tensorboard_server import TensorBoard, needs_tensorboard

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_tensorboard]

TRIALS = 8


@pytest.fixture(scope="module")
def board(context: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    """TensorBoard on what the tutorial has logged."""
    with tutorial("search_and_feature_maps", "logs", tmp_path_factory.mktemp("search")) as board:
        board.wait_for(lambda: measured(board) == TRIALS)
        board.wait_for(lambda: board.images("training/images", "feature maps"))
        yield board


def measured(board: TensorBoard) -> int:
    """The trials of which the accuracy is known."""
    return sum("accuracy" in session["metrics"] for session in board.sessions())


def test_curves(visit: Visit, picture: Picture) -> None:
    """The learning rate has a chart, and the accuracies of the training and of all trials share one."""
    page = visit("scalars")
    filter_tags(page, "learning|accuracy|loss")  # all three in one pane, which is open
    for tag in ("learning rate", "accuracy", "loss by batch"):
        expect(card(page, "tf-scalar-card", tag)).to_be_visible()
    chart = card(page, "tf-scalar-card", "accuracy")
    expect(chart.locator("path.line").first).to_be_attached()
    eventually(lambda: len(colours(chart)) > TRIALS / 2)
    picture("search_scalars")


def test_feature_maps(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """The picture of the last epoch has been loaded, in its size."""
    page = visit("images")
    step, pixels = board.images("training/images", "feature maps")[-1]
    shown = card(page, "tf-image-loader", "feature maps")
    expect(shown).to_contain_text(f"step {step}")
    expect(shown.locator("img")).to_have_js_property("naturalWidth", pixels.shape[1])
    picture("search_feature_maps")


def test_search(visit: Visit, picture: Picture) -> None:
    """The table has all trials; the hyperparameters' domains are offered as filters, the metric by its name."""
    page = visit("hparams")
    cells = page.locator("tf-hparams-table-view vaadin-grid-cell-content")
    for name in ("filters", "kernel size", "optimizer", "accuracy on unknown digits"):
        expect(cells.get_by_text(name, exact=True)).to_be_attached()
    for trial in range(TRIALS):
        expect(cells.get_by_text(f"trial {trial}", exact=True)).to_be_attached()
    page.get_by_role("tab", name="Parallel coordinates view").click()
    expect(page.locator("tf-hparams-parallel-coords-plot path").first).to_be_attached()
    picture("search_hparams")

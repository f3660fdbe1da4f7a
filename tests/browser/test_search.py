"""The tutorial in the style of tf.summary, in the real TensorBoard in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import Picture, Visit, card, eventually, filter_tags
from tests.support.tensorboard_server import TensorBoard, needs_tensorboard, tensorboard

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_tensorboard]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "tutorials" / "search_and_feature_maps.py"
TRIALS = 8

# The colours of lines; TensorBoard has fewer than there are runs.
STROKES = "lines => lines.map(line => line.getAttribute('stroke') || line.style.stroke)"


@pytest.fixture(scope="module")
def board(context: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    """TensorBoard on what the tutorial has logged."""
    pytest.importorskip("torch", reason="the tutorial trains with torch")
    pytest.importorskip("sklearn", reason="the tutorial's data comes with scikit-learn")
    folder = tmp_path_factory.mktemp("search")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=folder, env=environment, capture_output=True, check=True
    )
    with tensorboard(Path("logs"), within=folder) as board:
        board.wait_for(lambda: measured(board) == TRIALS)
        board.wait_for(lambda: board.images("training/images", "feature maps"))
        yield board


def measured(board: TensorBoard) -> int:
    """The trials of which the accuracy is known."""
    return sum("accuracy" in session["metrics"] for session in board.sessions())


@pytest.fixture
def page(context: Any, board: TensorBoard) -> Iterator[Any]:
    """An empty page; takes the place of the demo's."""
    page = context.new_page()
    yield page
    page.close()


@pytest.fixture
def visit(page: Any, board: TensorBoard) -> Visit:
    """Goes to a dashboard of this board."""

    def go(dashboard: str) -> Any:
        page.goto(f"{board.url}#{dashboard}")
        return page

    return go


def test_curves(visit: Visit, picture: Picture) -> None:
    """The learning rate has a chart, and the accuracies of the training and of all trials share one."""
    page = visit("scalars")
    filter_tags(page, "learning|accuracy|loss")  # all three in one pane, which is open
    for tag in ("learning rate", "accuracy", "loss by batch"):
        expect(card(page, "tf-scalar-card", tag)).to_be_visible()
    chart = card(page, "tf-scalar-card", "accuracy")
    expect(chart.locator("path.line").first).to_be_attached()
    eventually(lambda: len(set(chart.locator("path.line").evaluate_all(STROKES))) > TRIALS / 2)
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

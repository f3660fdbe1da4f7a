"""What was logged in the real TensorBoard in a real browser: the demo's run, or that of a module's own `board`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import chromium, optimised
from tests.browser.pages import Picture, Visit
from tests.demo.shown import python
from tests.support.tensorboard_server import TensorBoard, tensorboard

LARGEST = 150_000  # bytes of a picture for the documentation


@dataclass(frozen=True)
class Demo:
    """The demo's run, five epochs of it, and the TensorBoard that shows it."""

    run: Path
    board: TensorBoard


@pytest.fixture(scope="session")
def context() -> Iterator[Any]:
    """A browser's context. Comes first of all: where there is no browser, nothing else need start."""
    with chromium() as context:
        yield context


@pytest.fixture(scope="session")
def demo(context: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    pytest.importorskip("sklearn", reason="the demo's data comes with scikit-learn")
    folder = tmp_path_factory.mktemp("browser")
    run = Path("runs/demo")
    python("tbasync", "demo", "--epochs", 5, "--log-dir", folder / run)
    with tensorboard(run, within=folder) as board:
        board.wait_for(lambda: board.scalars("hparams", "final/test_accuracy"))  # logged last, read last
        yield Demo(folder / run, board)


@pytest.fixture(scope="module")
def board(demo: Demo) -> TensorBoard:
    """TensorBoard's own answers, to compare with what its pages show."""
    return demo.board


@pytest.fixture
def page(context: Any, board: TensorBoard) -> Iterator[Any]:
    """An empty page; an error of a script on it fails the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def visit(page: Any, board: TensorBoard) -> Visit:
    """Goes to a dashboard: `page = visit("scalars")`."""

    def go(dashboard: str) -> Any:
        page.goto(f"{board.url}#{dashboard}")
        return page

    return go


@pytest.fixture
def picture(page: Any, request: pytest.FixtureRequest) -> Picture:
    """Takes a picture of the page under a name, if --screenshots asks for pictures."""
    folder: Path | None = request.config.getoption("screenshots")

    def take(name: str) -> None:
        if folder is None:
            return
        page.mouse.move(0, 0)  # no tooltips
        folder.mkdir(parents=True, exist_ok=True)
        file = optimised(page.screenshot(animations="disabled"))
        assert len(file) < LARGEST
        (folder / f"{name}.png").write_bytes(file)

    return take

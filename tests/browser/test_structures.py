"""The demo's graph, embeddings and mesh on TensorBoard's pages."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from tests.browser.chromium import pixels
from tests.browser.pages import Picture, Visit, eventually, node, open_model
from tests.support.tensorboard_server import TensorBoard, needs_tensorboard

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_tensorboard]

LAYERS = [
    "Conv2d[conv1]",
    "ReLU[relu1]",
    "Conv2d[conv2]",
    "ReLU[relu2]",
    "MaxPool2d[pool]",
    "Flatten[flatten]",
    "Linear[hidden]",
    "ReLU[relu3]",
    "Linear[output]",
]


@pytest.mark.skipif(find_spec("torch") is None, reason="only the torch network has a graph")
def test_graphs(visit: Visit, picture: Picture) -> None:
    """The model's box opens to its layers, in a row from input to output, and a layer to its operations."""
    page = visit("graphs")
    open_model(page, "Sequential", LAYERS)
    picture("graphs")
    node(page, "Sequential/Linear[output]").dblclick()
    expect(node(page, "Sequential/Linear[output]/weight")).to_be_attached()


def test_projector(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """The trained network's features: every point with its picture, coloured by its digit."""
    page = visit("projector")
    info = board.embeddings(".")[-1]
    frame = page.frame_locator("iframe").frame_locator("iframe")
    frame.get_by_role("button", name="2 tensors found").click()
    frame.locator("paper-item").filter(has_text=info["tensorName"]).click()
    expect(frame.locator("#metadata-file tf-wbr-string")).to_have_attribute("title", info["metadataPath"])
    points, dimensions = info["tensorShape"]
    expect(frame.locator(".numDataPoints")).to_have_text(str(points))
    expect(frame.locator(".dim")).to_have_text(str(dimensions))
    frame.locator("paper-dropdown-menu#colorby").click()
    frame.locator("#colorby paper-item").filter(has_text="10 colors").first.click()
    canvas = frame.locator("canvas").first
    eventually(lambda: bool((pixels(canvas).mean(axis=2) < 100).mean() > 0.02))  # of the digits' black ground
    picture("projector")


def test_mesh(visit: Visit, picture: Picture) -> None:
    """The relief is drawn, its plain blue and its peaks yellow."""
    page = visit("mesh")
    canvas = page.locator("tf-mesh-loader canvas").first
    canvas.scroll_into_view_if_needed()

    def drawn() -> bool:
        red, green, blue = np.moveaxis(pixels(canvas).astype(int), 2, 0)
        plain = (blue > red + 30) & (blue > green + 30)
        peaks = (red > blue + 50) & (green > blue + 50)
        return bool(plain.mean() > 0.05 and peaks.mean() > 0.003)

    eventually(drawn)
    turn_and_come_closer(page, canvas)
    eventually(drawn)
    picture("mesh")


def turn_and_come_closer(page: Any, canvas: Any) -> None:
    """Turns the scene with the mouse, as a user does, and makes it larger with the wheel."""
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 120, steps=5)
    page.mouse.up()
    page.mouse.wheel(0, -500)

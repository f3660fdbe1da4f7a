"""Pictures, sounds and texts of the demo on TensorBoard's pages."""

from __future__ import annotations

import base64
import io
import wave
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.browser.chromium import WIDTH
from tests.browser.pages import Picture, Visit, card, filter_tags
from tests.support.tensorboard_server import TensorBoard, needs_tensorboard

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_tensorboard]

PIXELS_OF = """image => {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
}"""


def test_images(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """Every picture has been loaded and decoded: pixel for pixel what the event file holds at the last step."""
    page = visit("images")
    filter_tags(page, "confusion|filters|least")
    tags = [tag for tag in board.tags("images")["."] if not tag.startswith("digits/")]
    for tag in ("digits/least_certain", *tags):
        step, pixels = board.images(".", tag)[-1]
        shown = card(page, "tf-image-loader", tag)
        expect(shown).to_contain_text(f"step {step}")
        expect(shown.locator("img")).to_have_js_property("naturalWidth", pixels.shape[1])
        assert np.array_equal(decoded(shown.locator("img")), np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    page.set_viewport_size({"width": WIDTH, "height": 1120})  # for the second row, too
    picture("images")


def decoded(image: Any) -> NDArray[np.uint8]:
    """[H, W, 3]: the pixels that the browser has made of an <img>; the first frame of a film."""
    with Image.open(io.BytesIO(base64.b64decode(image.evaluate(PIXELS_OF)))) as decoded_image:
        return np.asarray(decoded_image.convert("RGB"))


def test_audio(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """The player has loaded the last epoch's tone, and its duration is that of the samples."""
    page = visit("audio")
    step, file = board.sounds(".", "loss_to_hear")[-1]
    with wave.open(io.BytesIO(file)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    shown = card(page, "tf-audio-loader", "loss_to_hear")
    expect(shown).to_contain_text(f"step {step}")
    expect(shown.locator("audio")).to_have_js_property("readyState", 4)  # enough to play to the end
    assert shown.locator("audio").evaluate("player => player.duration") == pytest.approx(seconds, abs=1e-3)
    picture("audio")


def test_text(visit: Visit, board: TensorBoard, picture: Picture) -> None:
    """Markdown is rendered: a heading, and tables whose cells are those of the text."""
    page = visit("text")
    about = card(page, "tf-text-loader", "about/text_summary")
    expect(about.locator("h1")).to_have_text("tbasync's demo")
    expect(about.locator("tr", has_text="batch_size").last.locator("td").last).to_have_text("32")
    mistakes = card(page, "tf-text-loader", "digits/misclassified/text_summary")
    steps = [f"step {step}" for step, _ in board.texts(".", "digits/misclassified/text_summary")]
    for step in steps:
        expect(mistakes).to_contain_text(step)
    expect(mistakes.locator("th").first).to_have_text("image")
    picture("text")

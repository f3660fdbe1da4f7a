"""Pictures, films, sounds and texts of the demo's run, as the real TensorBoard serves them."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from tests.demo.shown import Shown
from tests.support.record_demo import Call
from tests.support.tensorboard_server import needs_tensorboard

pytestmark = [pytest.mark.slow, needs_tensorboard]

STILLS = ("add_image", "add_images", "add_image_with_boxes", "add_figure")


def test_there_are_these_pictures_and_no_others(shown: Shown) -> None:
    """Each tag of a picture or film is there; torch's writer does not write films without another package."""
    films = () if shown.writer == "torch" else ("add_video",)
    logged = {tag for method in (*STILLS, *films) for tag in shown.logged(method)}
    assert set(shown.board.tags("images")["."]) == logged


@pytest.mark.parametrize("method", ["add_image", "add_images"])
def test_every_image(shown: Shown, method: str) -> None:
    """Filters, samples and misclassified digits arrive pixel for pixel."""
    for tag, calls in shown.logged(method).items():
        for seen, call in pairs(shown, tag, calls):
            expected = eight_bits(grid(call.given("img_tensor"))).transpose(1, 2, 0)
            assert np.array_equal(seen, np.broadcast_to(expected, seen.shape))


def test_every_image_with_boxes(shown: Shown) -> None:
    """The sheet of digits is as it was but for the boxes, which are red where they were asked for."""
    ((tag, calls),) = shown.logged("add_image_with_boxes").items()
    for seen, call in pairs(shown, tag, calls):
        (sheet,), boxes = eight_bits(call.given("img_tensor")), call.given("box_tensor").astype(int)
        untouched = np.ones(sheet.shape, bool)
        assert len(boxes) == len(call.given("labels"))
        for left, top, right, bottom in boxes:
            assert (seen[top, left : right + 1] == (255, 0, 0)).all()
            assert (seen[top : bottom + 1, right] == (255, 0, 0)).all()
            untouched[max(top - 1, 0) : bottom + 2, max(left - 1, 0) : right + 2] = False
        assert np.array_equal(seen[untouched], np.repeat(sheet[untouched][:, np.newaxis], 3, axis=1))


def test_every_figure(shown: Shown) -> None:
    """The confusion matrix is drawn as matplotlib draws it."""
    pytest.importorskip("matplotlib")
    ((tag, calls),) = shown.logged("add_figure").items()
    for seen, call in pairs(shown, tag, calls):
        assert np.array_equal(seen, call.given("figure"))


def test_the_film(shown: Shown) -> None:
    """The filters' film is a GIF with every frame, each with the films of all filters side by side."""
    if shown.writer == "torch":
        pytest.skip("torch's writer needs another package for films")
    call = shown.only("add_video")
    ((step, gif),) = shown.board.image_files(".", call.given("tag"))
    assert step == call.given("global_step")
    with Image.open(io.BytesIO(gif)) as film:
        assert film.format == "GIF"
        seen = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)])
    expected = side_by_side(call.given("vid_tensor"))
    assert seen.shape == expected.shape
    error = np.abs(seen.astype(int) - expected)
    assert np.quantile(error, 0.999) < 16  # a GIF's frame has 256 colours: a rare one gets its nearest


def test_the_sounds(shown: Shown) -> None:
    """Each epoch's tone is a WAV file with the samples that were logged, in 16 bits."""
    ((tag, calls),) = shown.logged("add_audio").items()
    sounds = shown.board.sounds(".", tag)
    assert [step for step, _ in sounds] == [call.given("global_step") for call in calls]
    for (_, data), call in zip(sounds, calls, strict=True):
        with wave.open(io.BytesIO(data)) as sound:
            assert (sound.getframerate(), sound.getnchannels()) == (call.given("sample_rate"), 1)
            samples = np.frombuffer(sound.readframes(-1), "<i2")
        assert np.array_equal(samples, (call.given("snd_tensor") * 32767).astype(np.int16))


def test_every_text(shown: Shown) -> None:
    """Each text is shown as TensorBoard's own Markdown renders it."""
    markdown = pytest.importorskip("tensorboard.plugin_util").markdown_to_safe_html
    for tag, calls in shown.logged("add_text").items():
        seen = shown.board.texts(".", f"{tag}/text_summary")
        assert [step for step, _ in seen] == [call.given("global_step") for call in calls]
        for (_, html), call in zip(seen, calls, strict=True):
            assert markdown(call.given("text_string")) in html


def pairs(shown: Shown, tag: str, calls: list[Call]) -> list[tuple[NDArray[np.uint8], Call]]:
    """(what is shown, what was logged) for each step, the steps being those that were logged."""
    seen = shown.board.images(".", tag)
    assert [step for step, _ in seen] == [call.given("global_step") for call in calls]
    return list(zip([pixels for _, pixels in seen], calls, strict=True))


def grid(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N, C, H, W] -> one image: rows of eight, read like text, the rest black."""
    count, channels, height, width = images.shape
    columns = min(count, 8)
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, channels, height, width), np.float32)
    cells[:count] = images
    shaped = cells.reshape(rows, columns, channels, height, width).transpose(2, 0, 3, 1, 4)
    return shaped.reshape(channels, rows * height, columns * width)


def side_by_side(films: NDArray[Any]) -> NDArray[Any]:
    """[N, T, C, H, W] -> frames [T, rows * H, columns * W, C], filled up to a power of two with black."""
    count, length, channels, height, width = films.shape
    rows = 2 ** ((count.bit_length() - 1) // 2)
    columns = 2 ** (count - 1).bit_length() // rows
    cells = np.zeros((rows * columns, length, channels, height, width), films.dtype)
    cells[:count] = films
    shaped = cells.reshape(rows, columns, length, channels, height, width).transpose(2, 0, 4, 1, 5, 3)
    return shaped.reshape(length, rows * height, columns * width, channels)


def eight_bits(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0 to 1 -> 0 to 255, cut off like an integer cast."""
    return (image * 255).astype(np.uint8)

"""What the demo logs beyond numbers: the confusion matrix, pictures, sound and relief are what they claim to be."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tbasync.demo.data import load_digits
from tbasync.demo.evaluation import Evaluation, table_of_mistakes
from tbasync.demo.pictures import (
    GAP,
    MOST_FRAMES,
    boxes_on_sheet,
    confusion_figure,
    enlarge,
    film,
    filters_in_colour,
    sheet,
)
from tbasync.demo.relief import PEAK, SEA, relief
from tbasync.demo.sound import RATE, STEP_SECONDS, tone


@pytest.fixture
def evaluation() -> Evaluation:
    """Two threes, one of which is taken for an eight, and that with less certainty."""
    probabilities = np.full((2, 10), 0.02, np.float32)
    probabilities[0, 3], probabilities[1, 8] = 0.82, 0.72
    return Evaluation(np.zeros((2, 1, 8, 8), np.float32), np.array([3, 3]), probabilities)


def test_an_evaluation(evaluation: Evaluation) -> None:
    """Accuracy, loss, confusion, mistakes and the order of certainty follow from the probabilities."""
    assert evaluation.accuracy == 0.5
    assert evaluation.loss == pytest.approx(-(np.log(0.82) + np.log(0.02)) / 2)
    confusion = evaluation.confusion()
    assert (confusion[3, 3], confusion[3, 8], confusion.sum()) == (1, 1, 2)
    assert evaluation.mistakes.tolist() == [1]
    assert evaluation.least_certain(2).tolist() == [1, 0]


def test_the_table_of_mistakes(evaluation: Evaluation) -> None:
    """One line for each mistake below the head."""
    assert table_of_mistakes(evaluation, evaluation.mistakes).splitlines()[2:] == ["| 1 | 3 | 8 | 0.72 |"]


def test_the_confusion_figure_shows_the_counts(evaluation: Evaluation) -> None:
    """Each cell that is not empty has its count at its place."""
    pytest.importorskip("matplotlib")
    figure = confusion_figure(evaluation)
    assert figure is not None
    (axes,) = figure.axes
    assert {(*text.get_position(), text.get_text()) for text in axes.texts} == {(3, 3, "1"), (8, 3, "1")}


def test_without_matplotlib_there_is_no_figure(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo goes without it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert confusion_figure(evaluation) is None


def test_a_sheet_is_read_like_text() -> None:
    """Six images in three columns: each has its cell, and a box of its own drawn around just that."""
    images = np.arange(6, dtype=np.float32).reshape(6, 1, 1, 1)
    page = sheet(enlarge(images, 4), columns=3)
    assert page.shape == (1, 8, 12)
    assert page[0, ::4, ::4].tolist() == [[0, 1, 2], [3, 4, 5]]
    ((left, top, right, bottom),) = boxes_on_sheet([5], columns=3, side=4).astype(int)
    assert (page[0, top : bottom + 1, left : right + 1] == 5).all()
    assert (right - left + 1, bottom - top + 1) == (4, 4)
    assert boxes_on_sheet([], columns=3, side=4).shape == (0, 4)


def test_filters_in_colour() -> None:
    """The largest weight is full red, its negative full blue, zero and the frame white, a half half way."""
    colours = filters_in_colour(np.array([[[2.0, -2.0], [0.0, 1.0]]], np.float32))
    assert colours.shape == (1, 3, 48 + 2 * GAP, 48 + 2 * GAP)
    assert colours[0, :, 0, 0].tolist() == [1, 1, 1]
    inside = colours[0, :, GAP:-GAP, GAP:-GAP][:, ::24, ::24].reshape(3, 4).T
    assert inside.tolist() == [[1, 0, 0], [0, 0, 1], [1, 1, 1], [1, 0.5, 0.5]]


def test_a_film_has_one_scale_and_an_end() -> None:
    """A filter that grows is pale at first; of very many moments the first, the last and some between are shown."""
    growing = [np.full((5, 3, 3), strength, np.float32) for strength in np.linspace(0, 1, 300)]
    shown = film(growing)
    assert shown.shape[:3] == (5, MOST_FRAMES, 3)
    greens = shown[0, :, 1, 20, 20].astype(int)
    assert (greens[0], greens[-1]) == (255, 0)
    assert (np.diff(greens) < 0).all()
    assert film(growing[:1]).shape[:2] == (5, 1)


@pytest.mark.parametrize(("loss", "pitch"), [(0.0, 220), (1.0, 440), (2.0, 880), (99.0, 3520)])
def test_a_tones_pitch_follows_the_loss(loss: float, pitch: float) -> None:
    """An octave for each nat up to the limit, as the spectrum's peak says, within the range of a sound."""
    sound = tone(np.full(40, loss))
    assert len(sound) == round(40 * STEP_SECONDS * RATE)
    assert np.abs(sound).max() <= 0.5
    peak = np.abs(np.fft.rfft(sound)).argmax() * RATE / len(sound)
    assert peak == pytest.approx(pitch, abs=2)


def test_a_tone_does_not_click() -> None:
    """It starts and ends in silence, and a jump of the loss makes no jump of the sound."""
    sound = tone(np.array([0.1, 3.9, 0.1]))
    assert (sound[0], sound[-1]) == (0, 0)
    steepest = 0.5 * 2 * np.pi * 220 * 2**3.9 / RATE
    assert np.abs(np.diff(sound)).max() <= steepest


def test_the_relief_is_of_the_mean_digits() -> None:
    """Ten digits in their frames: heights are the mean images', triangles face up and cover all, peaks are bright."""
    pytest.importorskip("sklearn")
    digits = load_digits(0)
    vertices, colours, faces = relief(digits)
    assert (vertices.shape, colours.shape, faces.shape) == ((1, 1000, 3), (1, 1000, 3), (1, 2 * 19 * 49, 3))
    heights = vertices[0, :, 2].reshape(20, 50) / 0.2
    seven = digits.train_images[digits.train_labels == 7, 0].mean(axis=0)
    np.testing.assert_allclose(heights[11:19, 21:29], seven, rtol=1e-5)
    corners = vertices[0][faces[0]][..., :2]
    sides = corners[:, 1:] - corners[:, :1]
    areas = (sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]) / 2
    assert (areas > 0).all()
    extent = np.ptp(vertices[0, :, :2], axis=0)
    assert areas.sum() == pytest.approx(extent.prod(), rel=1e-5)
    assert colours[0, 0].tolist() == list(SEA)
    brightest = colours[0, heights.argmax()].astype(int)
    assert np.abs(brightest - PEAK).max() < 60

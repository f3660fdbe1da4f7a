"""Everything the demo logs: each kind of summary has its call here, and the loop knows none of them.

A network's live parameters are handed over as they are: what is logged is their value at the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tbasync import SummaryWriter

from .data import CLASSES, Digits
from .evaluation import Evaluation, evaluate, table_of_mistakes
from .network import Network, Step
from .pictures import ENLARGED, boxes_on_sheet, confusion_figure, enlarge, film, filters_in_colour, sheet
from .relief import relief
from .sound import RATE, tone

SHOWN = 16  # images in a grid
SHEET_COLUMNS = 8  # and as many rows
FILM_FPS = 6
SPRITE_ENLARGED = 3  # of the Projector's images: 24 pixels wide

HParams = dict[str, bool | str | float | int]

# Category -> chart -> kind and tags; a multiline chart's tags are regular expressions.
CHARTS: Mapping[str, Any] = {
    "loss": {
        "in training and on the test digits": ["Multiline", ["(train|test)/loss"]],
        "of an epoch's steps: mean, 10th and 90th percentile": [
            "Margin",
            ["epoch/loss", "epoch/loss_p10", "epoch/loss_p90"],
        ],
    },
    "accuracy": {"in training and on the test digits": ["Multiline", ["(train|test)/accuracy"]]},
}


class Log:
    """One training's log: what is written when, and what is gathered in between."""

    def __init__(self, writer: SummaryWriter, digits: Digits, network: Network, hparams: HParams) -> None:
        self._writer, self._digits, self._network, self._hparams = writer, digits, network, hparams
        self._losses: list[Any] = []  # of this epoch's steps
        self._filters: list[NDArray[np.float32]] = []  # the first layer's, every few steps

    def at_the_start(self) -> None:
        writer = self._writer
        writer.add_text("about", about(self._network, self._hparams), 0)
        writer.add_images("digits/samples", enlarge(self._digits.train_images[:SHOWN]), 0)
        vertices, colours, faces = relief(self._digits)
        writer.add_mesh("digits/mean", vertices, colours, faces, global_step=0)
        writer.add_custom_scalars(CHARTS)
        if traceable := self._network.traceable():
            writer.add_graph(*traceable)
        self._embed(evaluate(self._network, self._digits), 0)

    def every_step(self, step: int, result: Step, learning_rate: float) -> None:
        self._writer.add_scalar("train/loss", result.loss, step)
        self._writer.add_scalar("train/accuracy", result.accuracy, step)
        self._writer.add_scalar("train/learning_rate", learning_rate, step)
        self._losses.append(result.loss)

    def every_few_steps(self, step: int) -> None:
        for name, parameter in self._network.parameters():
            self._writer.add_histogram(f"parameters/{name}", parameter, step)
        for name, gradient in self._network.gradients():
            self._writer.add_histogram(f"gradients/{name}", gradient, step)
        self._filters.append(self._network.filters())

    def every_epoch(self, step: int, evaluation: Evaluation) -> None:
        self._log_losses(step, evaluation)
        self._log_pictures(step, evaluation)
        self._writer.add_scalar("test/accuracy", evaluation.accuracy, step)
        self._writer.add_tensor("test/confusion_counts", evaluation.confusion(), step)
        for digit in range(CLASSES):
            of_digit = evaluation.probabilities[:, digit]
            self._writer.add_pr_curve(f"one_against_all/{digit}", evaluation.labels == digit, of_digit, step)

    def at_the_end(self, step: int, evaluation: Evaluation) -> None:
        self._writer.add_video("filters/while_learning", film(self._filters), step, fps=FILM_FPS)
        self._embed(evaluation, step)
        metrics = {"final/test_accuracy": evaluation.accuracy, "final/test_loss": evaluation.loss}
        self._writer.add_hparams(self._hparams, metrics, run_name="hparams")

    def _log_losses(self, step: int, evaluation: Evaluation) -> None:
        writer = self._writer
        losses = np.array([float(loss) for loss in self._losses])
        self._losses.clear()
        writer.add_scalar("test/loss", evaluation.loss, step)
        writer.add_scalar("epoch/loss", losses.mean(), step)
        for percent in (10, 90):
            writer.add_scalar(f"epoch/loss_p{percent}", np.percentile(losses, percent), step)
        writer.add_scalars("loss", {"train": losses.mean(), "test": evaluation.loss}, step)
        writer.add_audio("loss_to_hear", tone(losses), step, sample_rate=RATE)

    def _log_pictures(self, step: int, evaluation: Evaluation) -> None:
        writer, images = self._writer, evaluation.images
        filters = filters_in_colour(self._network.filters())
        writer.add_image("filters/first_layer", filters, step, dataformats="NCHW")
        unsure = evaluation.least_certain(SHEET_COLUMNS**2)
        wrong = [place for place, i in enumerate(unsure) if i in evaluation.mistakes]
        boxes = boxes_on_sheet(wrong, SHEET_COLUMNS, images.shape[-1] * ENLARGED)
        taken_for = [str(evaluation.predictions[unsure[place]]) for place in wrong]
        picture = sheet(enlarge(images[unsure]), SHEET_COLUMNS)
        writer.add_image_with_boxes("digits/least_certain", picture, boxes, step, labels=taken_for)
        if mistakes := evaluation.mistakes[:SHOWN].tolist():
            writer.add_images("digits/misclassified", enlarge(images[mistakes]), step)
            writer.add_text("digits/misclassified", table_of_mistakes(evaluation, mistakes), step)
        if figure := confusion_figure(evaluation):
            writer.add_figure("test/confusion", figure, step)

    def _embed(self, evaluation: Evaluation, step: int) -> None:
        features = self._network.features(evaluation.images)
        columns = ["digit", "taken for"]
        names = np.stack([evaluation.labels, evaluation.predictions], axis=1).astype(str).tolist()
        images = enlarge(evaluation.images, SPRITE_ENLARGED)
        self._writer.add_embedding(features, names, images, step, "features", metadata_header=columns)


def about(network: Network, hparams: HParams) -> str:
    settings = "".join(f"| {name} | {value} |\n" for name, value in hparams.items())
    title = f"# tbasync's demo\n\nThis run trains **{network.description}** on scikit-learn's digits.\n\n"
    return f"{title}| setting | value |\n| --- | --- |\n{settings}"

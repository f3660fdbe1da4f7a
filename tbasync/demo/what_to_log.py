"""Everything the demo logs: each kind of summary has its call here, and the loop knows none of them.

A network's live parameters are handed over as they are: what is logged is their value at the call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tbasync import SummaryWriter

from .data import CLASSES, Digits, Images, Labels
from .network import Network, Step

SHOWN = 16  # images in a grid
ENLARGED = 6  # screen pixels for one of a digit's 8 × 8

HParams = dict[str, bool | str | float | int]


@dataclass(frozen=True)
class Evaluation:
    """How the network does on the digits that it has not learned from."""

    images: Images
    labels: Labels
    probabilities: NDArray[np.float32]  # [N, 10]

    @property
    def predictions(self) -> Labels:
        classes: Labels = self.probabilities.argmax(axis=1).astype(np.int64)
        return classes

    @property
    def accuracy(self) -> float:
        return float((self.predictions == self.labels).mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        likelihoods = self.probabilities[np.arange(len(self.labels)), self.labels]
        return float(-np.log(np.maximum(likelihoods, 1e-12)).mean())


def at_the_start(writer: SummaryWriter, digits: Digits, network: Network, hparams: HParams) -> None:
    settings = "".join(f"| {name} | {value} |\n" for name, value in hparams.items())
    about = f"# tbasync's demo\n\nThis run trains **{network.description}** on scikit-learn's digits.\n\n"
    writer.add_text("about", f"{about}| setting | value |\n| --- | --- |\n{settings}", 0)
    writer.add_images("digits/samples", enlarge(digits.train_images[:SHOWN]), 0)


def every_step(writer: SummaryWriter, step: int, result: Step, learning_rate: float) -> None:
    writer.add_scalar("train/loss", result.loss, step)
    writer.add_scalar("train/accuracy", result.accuracy, step)
    writer.add_scalar("train/learning_rate", learning_rate, step)


def every_few_steps(writer: SummaryWriter, step: int, network: Network) -> None:
    for name, parameter in network.parameters():
        writer.add_histogram(f"parameters/{name}", parameter, step)
    for name, gradient in network.gradients():
        writer.add_histogram(f"gradients/{name}", gradient, step)


def every_epoch(writer: SummaryWriter, step: int, evaluation: Evaluation) -> None:
    writer.add_scalar("test/loss", evaluation.loss, step)
    writer.add_scalar("test/accuracy", evaluation.accuracy, step)
    writer.add_image("test/confusion", confusion(evaluation), step, dataformats="HW")
    wrong = np.flatnonzero(evaluation.predictions != evaluation.labels)[:SHOWN]
    if len(wrong):
        writer.add_images("digits/misclassified", enlarge(evaluation.images[wrong]), step)
        writer.add_text("digits/misclassified", table_of_mistakes(evaluation, wrong), step)


def at_the_end(writer: SummaryWriter, hparams: HParams, evaluation: Evaluation) -> None:
    metrics = {"final/test_accuracy": evaluation.accuracy, "final/test_loss": evaluation.loss}
    writer.add_hparams(hparams, metrics, run_name="hparams")


def enlarge(images: Images) -> Images:
    """`images` [N, 1, H, W] with each pixel a square of ENLARGED × ENLARGED."""
    return images.repeat(ENLARGED, axis=2).repeat(ENLARGED, axis=3)


def confusion(evaluation: Evaluation) -> NDArray[np.float32]:
    """An image, 0 to 1: row is the digit, column the prediction, brightness the share of the row's digits."""
    counts = np.zeros((CLASSES, CLASSES), np.float32)
    np.add.at(counts, (evaluation.labels, evaluation.predictions), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.kron(shares, np.ones((2 * ENLARGED, 2 * ENLARGED), np.float32))


def table_of_mistakes(evaluation: Evaluation, wrong: NDArray[np.intp]) -> str:
    """A Markdown table: for each image of the misclassified grid, in its order, what was taken for what."""
    lines = ["| image | is a | taken for | with probability |", "| --- | --- | --- | --- |"]
    for place, i in enumerate(wrong, start=1):
        taken_for = evaluation.predictions[i]
        probability = evaluation.probabilities[i, taken_for]
        lines.append(f"| {place} | {evaluation.labels[i]} | {taken_for} | {probability:.2f} |")
    return "\n".join(lines)

"""How the network does on the digits that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import CLASSES, Digits, Images, Labels
from .network import Network


@dataclass(frozen=True)
class Evaluation:
    """The test digits and what the network makes of them."""

    images: Images
    labels: Labels
    probabilities: NDArray[np.float32]  # [N, 10]

    @property
    def predictions(self) -> Labels:
        classes: Labels = self.probabilities.argmax(axis=1).astype(np.int64)
        return classes

    @property
    def mistakes(self) -> NDArray[np.intp]:
        """The places, in increasing order, of the digits that were taken for others."""
        return np.flatnonzero(self.predictions != self.labels)

    @property
    def accuracy(self) -> float:
        return float((self.predictions == self.labels).mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        likelihoods = self.probabilities[np.arange(len(self.labels)), self.labels]
        return float(-np.log(np.maximum(likelihoods, 1e-12)).mean())

    def confusion(self) -> NDArray[np.int64]:
        """[10, 10]: how many of the digits of each row were taken for that of the column."""
        counts = np.zeros((CLASSES, CLASSES), np.int64)
        np.add.at(counts, (self.labels, self.predictions), 1)
        return counts

    def least_certain(self, count: int) -> NDArray[np.intp]:
        """The places of the `count` digits about which the network is least sure, the least sure one first."""
        return np.argsort(self.probabilities.max(axis=1), kind="stable")[:count]


def evaluate(network: Network, digits: Digits) -> Evaluation:
    return Evaluation(digits.test_images, digits.test_labels, network.probabilities(digits.test_images))


def table_of_mistakes(evaluation: Evaluation, wrong: NDArray[np.intp]) -> str:
    """A Markdown table: for each image of the misclassified grid, in its order, what was taken for what."""
    lines = ["| image | is a | taken for | with probability |", "| --- | --- | --- | --- |"]
    for place, i in enumerate(wrong, start=1):
        taken_for = evaluation.predictions[i]
        probability = evaluation.probabilities[i, taken_for]
        lines.append(f"| {place} | {evaluation.labels[i]} | {taken_for} | {probability:.2f} |")
    return "\n".join(lines)

"""The demo's network where there is no torch: one hidden layer in plain numpy, its gradients by hand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .data import CLASSES, Images, Labels
from .network import Step

SIDE, HIDDEN = 8, 48
PIXELS = SIDE * SIDE
MOMENTUM = 0.9

Floats = NDArray[np.float32]


class NumpyNetwork:
    """64 pixels -> 48 ReLUs -> 10 classes, trained by gradient descent with momentum."""

    description = "a network with one hidden layer (numpy)"
    learning_rate = 0.1

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._weights: dict[str, Floats] = {
            "hidden.weight": he(rng, PIXELS, HIDDEN),
            "hidden.bias": np.zeros(HIDDEN, np.float32),
            "output.weight": he(rng, HIDDEN, CLASSES),
            "output.bias": np.zeros(CLASSES, np.float32),
        }
        self._gradients = {name: np.zeros_like(weight) for name, weight in self._weights.items()}
        self._velocities = {name: np.zeros_like(weight) for name, weight in self._weights.items()}

    def step(self, images: Images, labels: Labels, learning_rate: float) -> Step:
        pixels = images.reshape(len(images), PIXELS)
        hidden, probabilities = self._forward(pixels)
        rows = np.arange(len(labels))
        loss = float(-np.log(probabilities[rows, labels] + np.float32(1e-12)).mean())
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        self._backward(pixels, hidden, probabilities, labels)
        for name, weight in self._weights.items():
            self._velocities[name] = MOMENTUM * self._velocities[name] - learning_rate * self._gradients[name]
            weight += self._velocities[name]
        return Step(loss, accuracy)

    def parameters(self) -> Iterable[tuple[str, Floats]]:
        return self._weights.items()

    def gradients(self) -> Iterable[tuple[str, Floats]]:
        return self._gradients.items()

    def probabilities(self, images: Images) -> Floats:
        return self._forward(images.reshape(len(images), PIXELS))[1]

    def features(self, images: Images) -> Floats:
        return self._forward(images.reshape(len(images), PIXELS))[0]

    def filters(self) -> Floats:
        return self._weights["hidden.weight"].T.reshape(HIDDEN, SIDE, SIDE).copy()

    def traceable(self) -> None:
        return None

    def _forward(self, pixels: Floats) -> tuple[Floats, Floats]:
        """The hidden activations [N, 48] and class probabilities [N, 10] for `pixels` [N, 64]."""
        weights = self._weights
        hidden = np.maximum(pixels @ weights["hidden.weight"] + weights["hidden.bias"], 0)
        logits = hidden @ weights["output.weight"] + weights["output.bias"]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return hidden, exponentials / exponentials.sum(axis=1, keepdims=True)

    def _backward(self, pixels: Floats, hidden: Floats, probabilities: Floats, labels: Labels) -> None:
        """The gradients of the mean cross-entropy; for softmax its derivative by the logits is p - onehot."""
        by_logits = probabilities - np.eye(CLASSES, dtype=np.float32)[labels]
        by_logits /= np.float32(len(labels))
        by_hidden = np.where(hidden > 0, by_logits @ self._weights["output.weight"].T, np.float32(0))
        self._gradients = {
            "hidden.weight": pixels.T @ by_hidden,
            "hidden.bias": by_hidden.sum(axis=0),
            "output.weight": hidden.T @ by_logits,
            "output.bias": by_logits.sum(axis=0),
        }


def he(rng: np.random.Generator, inputs: int, outputs: int) -> Floats:
    """Weights [inputs, outputs] that keep the variance of activations through a ReLU (He et al., 2015)."""
    return rng.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32)

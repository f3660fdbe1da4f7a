"""The data of the tutorials: 1,797 handwritten digits of 8 × 8 pixels that come with scikit-learn."""

from __future__ import annotations

from typing import NamedTuple

import torch
from sklearn.datasets import load_digits


class Digits(NamedTuple):
    """Images of shape (count, 1, 8, 8) with values from 0 to 1, and the digits they show."""

    images: torch.Tensor
    labels: torch.Tensor

    def batches(self, size: int, generator: torch.Generator | None = None) -> list[Digits]:
        """The same in batches, in an order drawn by `generator`, or as they are."""
        count = len(self.labels)
        order = torch.arange(count) if generator is None else torch.randperm(count, generator=generator)
        return [Digits(self.images[part], self.labels[part]) for part in order.split(size)]


def load() -> tuple[Digits, Digits]:
    """The digits to learn from, and those to be tested with; always the same split."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target, dtype=torch.int64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    test, train = order[:360], order[360:]
    return Digits(images[train], labels[train]), Digits(images[test], labels[test])


def grid(images: torch.Tensor, columns: int = 8, padding: int = 1) -> torch.Tensor:
    """One picture of many, shape (channels, height, width): row by row, with a black line between any two."""
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    framed = torch.zeros(rows * columns, channels, height + padding, width + padding)
    framed[:count, :, padding:, padding:] = images
    framed = framed.view(rows, columns, channels, height + padding, width + padding)
    picture = framed.permute(2, 0, 3, 1, 4).reshape(channels, rows * (height + padding), -1)
    return torch.nn.functional.pad(picture, (0, padding, 0, padding))

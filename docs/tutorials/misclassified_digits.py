"""A look inside a classifier: its losses, the digits it gets wrong, and how sure of itself it is.

    python docs/tutorials/misclassified_digits.py
    tensorboard --logdir runs

A single number for the accuracy hides more than it shows. This script trains a small convolutional network
and asks three further questions of it after every epoch. Which digits does it get wrong: silly mistakes at
first, and later those that a person would have to look at twice? How probable does it think each of the ten
digits, over all images: a hump in the middle is a network that cannot decide, one peak at 0 and one at 1 a
network that knows? And how sure is it of its best guess?
"""

from __future__ import annotations

import argparse

import torch
from digits import Digits, grid, load
from torch import nn
from torch.utils.tensorboard import SummaryWriter

WRONG_ONES_SHOWN = 4


class Classifier(nn.Module):
    """Two convolutions, two linear layers; the output is the logarithm of each digit's probability."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
        )
        self.decision = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), nn.LogSoftmax(dim=1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        decided: torch.Tensor = self.decision(self.features(images))
        return decided


def train(model: Classifier, data: Digits, optimizer: torch.optim.Optimizer, order: torch.Generator) -> float:
    """One epoch; returns the mean loss."""
    total = 0.0
    batches = data.batches(64, order)
    for images, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.nll_loss(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(batches)


@torch.no_grad()
def test(model: Classifier, data: Digits, writer: SummaryWriter, epoch: int) -> None:
    """Logs how the model does on digits that it has not learnt from."""
    losses, right = [], 0
    wrong: list[tuple[torch.Tensor, int, int]] = []
    batches = data.batches(60)
    for number, (images, labels) in enumerate(batches):
        output = model(images)
        losses.append(nn.functional.nll_loss(output, labels).item())
        guesses = output.argmax(dim=1)
        right += int((guesses == labels).sum())
        misses = (guesses != labels).nonzero().flatten().tolist()
        wrong += [(images[miss], int(guesses[miss]), int(labels[miss])) for miss in misses]
        # Histograms take whole arrays: values that come one by one would make one narrow histogram each.
        step = epoch * len(batches) + number
        confidence = output.exp()
        for digit in range(10):
            writer.add_histogram(f"confidence/in a {digit}", confidence[:, digit], step)
        writer.add_histogram("confidence/in the best guess", confidence.max(dim=1).values, step)
    writer.add_scalar("test/loss", sum(losses) / len(losses), epoch)
    writer.add_scalar("test/accuracy", right / len(data.labels), epoch)
    for place, (image, guess, label) in enumerate(wrong[:WRONG_ONES_SHOWN]):
        writer.add_image(f"wrong/{place}: took a {label} for a {guess}", image, epoch)


def main() -> None:
    """Trains for some epochs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log-dir", default="runs/misclassified")
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    training_digits, test_digits = load()
    model, order = Classifier(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with SummaryWriter(options.log_dir) as writer:
        writer.add_image("digits", grid(training_digits.images[:64]))
        for epoch in range(options.epochs):
            loss = train(model, training_digits, optimizer, order)
            writer.add_scalar("train/loss", loss, epoch)
            test(model, test_digits, writer, epoch)
            # So that the dashboard shows the epoch now, and not whenever the writer gets round to it.
            writer.flush()
            print(f"epoch {epoch}: training loss {loss:.3f}")


if __name__ == "__main__":
    main()

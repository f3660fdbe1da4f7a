"""Precision and recall digit by digit, and two learning rates side by side.

    python docs/tutorials/pr_curves.py
    tensorboard --logdir runs

A run is a directory: two trainings that differ in one setting and log to two directories are two curves in
every chart. When both are done, ten curves say what no accuracy says: for every digit, how many of those that
the network claims to see are there (precision), and how many of those that are there it sees (recall), at
every threshold that one might set.
"""

from __future__ import annotations

import argparse

import torch
from digits import Digits, grid, load
from torch import nn
from torch.utils.tensorboard import SummaryWriter

LOG_EVERY = 10  # batches
BATCH = 32


class FeedForward(nn.Module):
    """A linear layer, a ReLU and another linear layer: as simple as a network can be."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 100)
        self.relu = nn.ReLU()
        self.output = nn.Linear(100, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.output(self.relu(self.hidden(images.flatten(1))))
        return scores


def train(model: FeedForward, data: Digits, learning_rate: float, epochs: int, writer: SummaryWriter) -> None:
    """Logs the mean loss and the accuracy of every ten batches."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    order = torch.Generator().manual_seed(0)
    step, running_loss, running_right = 0, 0.0, 0
    for _ in range(epochs):
        for images, labels in data.batches(BATCH, order):
            output = model(images)
            loss = nn.functional.cross_entropy(output, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            running_loss += loss.item()
            running_right += int((output.argmax(dim=1) == labels).sum())
            if step % LOG_EVERY == 0:
                writer.add_scalar("training loss", running_loss / LOG_EVERY, step)
                writer.add_scalar("accuracy", running_right / LOG_EVERY / BATCH, step)
                running_loss, running_right = 0.0, 0


@torch.no_grad()
def add_pr_curves(model: FeedForward, data: Digits, writer: SummaryWriter) -> None:
    """A curve for each digit: whether an image shows it, and how probable the model thinks that."""
    outputs = [model(images) for images, _ in data.batches(64)]
    probabilities = torch.cat(outputs).softmax(dim=1)  # the model's outputs are scores, of any size
    for digit in range(10):
        writer.add_pr_curve(str(digit), data.labels == digit, probabilities[:, digit], global_step=0)


def run(learning_rate: float, epochs: int, log_dir: str) -> None:
    """One training with all that is logged of it."""
    torch.manual_seed(0)
    training, test = load()
    model = FeedForward()
    writer = SummaryWriter(f"{log_dir}/learning rate {learning_rate}")
    writer.add_image("digits", grid(training.images[:64]))
    writer.add_graph(model, training.images[:64])
    train(model, training, learning_rate, epochs, writer)
    add_pr_curves(model, test, writer)
    writer.close()
    print(f"learning rate {learning_rate}: done")


def main() -> None:
    """Trains with two learning rates."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log-dir", default="runs/pr-curves")
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for learning_rate in (0.001, 0.01):
        run(learning_rate, options.epochs, options.log_dir)


if __name__ == "__main__":
    main()

"""Images, two losses in one chart, the model's graph, and the data set as a cloud of points.

    python docs/tutorials/graph_and_embedding.py
    tensorboard --logdir runs

Four things to have seen of any experiment before its results are believed: what goes in, whether the losses
on known and on unknown data part ways, whether the model is built as it was meant, and what structure the
data has before anything has been learnt. Each takes one call.
"""

from __future__ import annotations

import argparse

import torch
from digits import Digits, grid, load
from torch import nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMPARE_EVERY = 50  # batches
POINTS = 100


class SmallLeNet(nn.Module):
    """The classic of its kind, cut down to images of 8 × 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(1, 6, 3, padding=1)
        self.convolution2 = nn.Conv2d(6, 16, 3)
        self.linear1 = nn.Linear(16, 60)
        self.linear2 = nn.Linear(60, 30)
        self.linear3 = nn.Linear(30, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = functional.max_pool2d(functional.relu(self.convolution1(images)), 2)
        hidden = functional.max_pool2d(functional.relu(self.convolution2(hidden)), 2).flatten(1)
        hidden = functional.relu(self.linear2(functional.relu(self.linear1(hidden))))
        scores: torch.Tensor = self.linear3(hidden)
        return scores


@torch.no_grad()
def mean_loss(model: SmallLeNet, data: Digits) -> float:
    """On digits that it does not learn from."""
    model.eval()
    losses = [functional.cross_entropy(model(images), labels) for images, labels in data.batches(90)]
    model.train()
    return torch.stack(losses).mean().item()


def train(
    model: SmallLeNet, training: Digits, validation: Digits, epochs: int, writer: SummaryWriter
) -> None:
    """Learns in small batches, and compares the losses now and then."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    order = torch.Generator().manual_seed(0)
    running = 0.0
    step = 0
    for _ in range(epochs):
        for images, labels in training.batches(8, order):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
            step += 1
            if step % COMPARE_EVERY == 0:
                losses = {"training": running / COMPARE_EVERY, "validation": mean_loss(model, validation)}
                writer.add_scalars("loss on known and unknown digits", losses, step)
                print(f"step {step}: {losses['training']:.3f} and {losses['validation']:.3f}")
                running = 0.0


def main() -> None:
    """Logs the four, in this order."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log-dir", default="runs/graph-and-embedding")
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    training, validation = load()
    model = SmallLeNet()
    writer = SummaryWriter(options.log_dir)

    writer.add_image("four digits", grid(training.images[:4], columns=4))
    writer.flush()

    train(model, training, validation, options.epochs, writer)
    writer.flush()

    # The graph is found by sending an example through the model; a double click in TensorBoard opens a node.
    writer.add_graph(model, training.images[:4])
    writer.flush()

    # Each image is a point in a space of 64 dimensions, of which the projector shows three at a time.
    chosen = torch.randperm(len(training.labels), generator=torch.Generator().manual_seed(1))[:POINTS]
    images = training.images[chosen]
    labels = [NAMES[label] for label in training.labels[chosen].tolist()]
    writer.add_embedding(images.flatten(1), metadata=labels, label_img=images)
    writer.close()


if __name__ == "__main__":
    main()

"""Curves by batch and by epoch, and the cases that a model finds hardest, with tensorboardX.

    python docs/tutorials/bad_cases.py
    tensorboard --logdir logs

A curve by batch shows whether a training moves at all, one by epoch whether it gets anywhere: training and
validation in one chart, and next to the accuracy the error rate, for on a logarithmic axis the step from 99 %
to 99.9 % is as long as that from 90 % to 99 %. When the curves are good, what is left to learn from are the
samples with the highest loss: drawn with what they are and what they were taken for, they often turn out to
be the fault of the data.
"""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("agg")

import numpy as np
import torch
from digits import Digits, load
from matplotlib import pyplot as plt
from tensorboardX import SummaryWriter
from torch import nn
from torch.nn import functional

ROWS, COLUMNS = 2, 4


class Reader(nn.Module):
    """Reads a digit column by column, as one reads a line of text: convolutions, then a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)))
        self.recurrent = nn.GRU(48, 24, batch_first=True)
        self.decision = nn.Linear(24, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.convolutions(images)  # (batch, 12, 4, 8)
        columns = features.permute(0, 3, 1, 2).flatten(2)  # (batch, 8, 48)
        states, _ = self.recurrent(columns)
        scores: torch.Tensor = self.decision(states[:, -1])
        return scores


def train(
    model: Reader, optimizer: torch.optim.Optimizer, data: Digits, epoch: int, writer: SummaryWriter
) -> tuple[float, float]:
    """One epoch, logged batch by batch; returns its mean loss and accuracy."""
    model.train()
    batches = data.batches(48, torch.Generator().manual_seed(epoch))
    losses, accuracies = [], []
    for index, (images, labels) in enumerate(batches):
        optimizer.zero_grad()
        output = model(images)
        loss = functional.cross_entropy(output, labels)
        loss.backward()
        optimizer.step()
        accuracy = (output.argmax(dim=1) == labels).float().mean().item()
        iteration = (epoch - 1) * len(batches) + index
        writer.add_scalar("train/loss", loss, iteration)
        writer.add_scalar("train/acc", accuracy, iteration)
        writer.add_scalar("train/error_rate", 1 - accuracy, iteration)
        losses.append(loss.item())
        accuracies.append(accuracy)
    return float(np.mean(losses)), float(np.mean(accuracies))


@torch.no_grad()
def validate(model: Reader, data: Digits, epoch: int, writer: SummaryWriter) -> tuple[float, float]:
    """The loss and accuracy on unknown digits; logs a picture of the hardest."""
    model.eval()
    output = model(data.images)
    losses = functional.cross_entropy(output, data.labels, reduction="none")
    guesses = output.argmax(dim=1)
    hardest = losses.argsort(descending=True)[: ROWS * COLUMNS].tolist()
    figure, axes = plt.subplots(ROWS, COLUMNS, figsize=(6, 3.4))
    for place, index in zip(axes.flat, hardest, strict=True):
        place.axis("off")
        place.imshow(data.images[index, 0], cmap="gray")
        place.set_title(f"true: {data.labels[index]}\nread: {guesses[index]}", fontsize=8)
    figure.canvas.draw()
    picture = np.array(figure.canvas.buffer_rgba())[..., :3]
    plt.close(figure)
    writer.add_image("valid/bad cases", picture, epoch, dataformats="HWC")
    return losses.mean().item(), (guesses == data.labels).float().mean().item()


def main() -> None:
    """Trains for some epochs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log-dir", default="logs/reader")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    training, validation = load()
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    writer = SummaryWriter(options.log_dir)
    writer.add_graph(model, torch.zeros(1, 1, 8, 8))
    for epoch in range(1, options.epochs + 1):
        train_loss, train_acc = train(model, optimizer, training, epoch, writer)
        valid_loss, valid_acc = validate(model, validation, epoch, writer)
        writer.add_scalars("epoch/loss", {"train": train_loss, "valid": valid_loss}, epoch)
        writer.add_scalars("epoch/acc", {"train": train_acc, "valid": valid_acc}, epoch)
        writer.add_scalars("epoch/error_rate", {"train": 1 - train_acc, "valid": 1 - valid_acc}, epoch)
        print(f"epoch {epoch}: {train_acc:.1%} of the known digits, {valid_acc:.1%} of the others")
    writer.export_scalars_to_json(f"{options.log_dir}/epochs.json")
    writer.close()


if __name__ == "__main__":
    main()

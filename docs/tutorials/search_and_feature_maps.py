"""A learning rate on a schedule, what a layer sees, and a search for hyperparameters, in the style of tf.summary.

    python docs/tutorials/search_and_feature_maps.py
    tensorboard --logdir logs

Whoever comes from TensorFlow logs by a default writer and functions, not by a writer's methods: one writer for the
numbers of a training, one for its pictures, one for each trial of a search. `search_and_feature_maps.md` goes through
this script and shows what comes of it.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import torch
from digits import Digits, load
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

import tbasync.hparams as hp
from tbasync import summary

ENLARGED = 6  # a feature map's pixel is so many pixels of the picture wide

FILTERS = hp.HParam("filters", hp.Discrete([4, 16]), description="feature maps of the first layer")
KERNEL = hp.HParam("kernel size", hp.Discrete([3, 5]))
OPTIMIZER = hp.HParam("optimizer", hp.Discrete(["adam", "sgd"]))
ACCURACY = hp.Metric("accuracy", display_name="accuracy on unknown digits")


class Network(nn.Module):
    """Two convolutions and a decision; the first one's feature maps are kept to be looked at."""

    def __init__(self, filters: int, kernel: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, filters, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(filters, 16, 3)
        self.decision = nn.Linear(64, 10)

    def feature_maps(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, filters, 8, 8), 0 and more."""
        return functional.relu(self.first(images))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = functional.max_pool2d(self.feature_maps(images), 2)
        hidden = functional.relu(self.second(hidden)).flatten(1)
        scores: torch.Tensor = self.decision(hidden)
        return scores


def train(model: Network, optimizer: torch.optim.Optimizer, data: Digits, epoch: int) -> None:
    """One epoch; the loss of every fifth batch goes to whatever writer is the default."""
    batches = data.batches(64, torch.Generator().manual_seed(epoch))
    for number, (images, labels) in enumerate(batches):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        with summary.record_if(number % 5 == 0):
            summary.scalar("loss by batch", loss, step=epoch * len(batches) + number)


@torch.no_grad()
def accuracy(model: Network, data: Digits) -> float:
    """The share of digits that are read rightly."""
    return (model(data.images).argmax(dim=1) == data.labels).float().mean().item()


def scheduled_rate(epoch: int) -> float:
    """Slowly at first, faster in the middle, slowly at last."""
    return (0.002, 0.006, 0.004)[epoch] if epoch < 3 else 0.004 * 0.7 ** (epoch - 2)


@torch.no_grad()
def picture_of_maps(model: Network, image: torch.Tensor) -> NDArray[np.float32]:
    """The first layer's feature maps of one digit, side by side in rows of eight: (1, height, width, 1), 0 to 1."""
    maps = model.feature_maps(image[None])[0].numpy()
    framed = np.pad(maps / max(float(maps.max()), 1e-6), ((0, 0), (0, 1), (0, 1)), constant_values=0.3)
    count, height, width = framed.shape
    columns = min(8, count)
    rows = framed.reshape(-1, columns, height, width).transpose(0, 2, 1, 3)
    picture = rows.reshape(count // columns * height, columns * width)
    return picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)[None, :, :, None]


def one_training(root: str, epochs: int, known: Digits, unknown: Digits) -> None:
    """Numbers to one writer, pictures to another: two runs, to be shown or hidden each by itself."""
    numbers = summary.create_file_writer(f"{root}/training/metrics")
    pictures = summary.create_file_writer(f"{root}/training/images")
    model = Network(filters=16, kernel=3)
    optimizer = torch.optim.Adam(model.parameters())
    with numbers.as_default():
        for epoch in range(epochs):
            optimizer.param_groups[0]["lr"] = scheduled_rate(epoch)
            train(model, optimizer, known, epoch)
            summary.experimental.set_step(epoch)  # of what is logged without a step of its own
            summary.scalar("learning rate", scheduled_rate(epoch))
            summary.scalar("accuracy", accuracy(model, unknown))
            summary.histogram("weights of the first layer", model.first.weight)
            with pictures.as_default():
                summary.image("feature maps", picture_of_maps(model, unknown.images[0]))
    numbers.close()
    pictures.close()


def search(root: str, epochs: int, known: Digits, unknown: Digits) -> None:
    """Every combination of the hyperparameters, each a trial with a writer of its own."""
    with summary.create_file_writer(f"{root}/search").as_default() as writer:
        hp.hparams_config(hparams=[FILTERS, KERNEL, OPTIMIZER], metrics=[ACCURACY])
    writer.close()
    domains = (FILTERS.domain, KERNEL.domain, OPTIMIZER.domain)
    for trial, chosen in enumerate(itertools.product(*(domain.values for domain in domains))):
        filters, kernel, optimizer_name = chosen
        model = Network(filters, kernel)
        make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer_name]
        optimizer = make(model.parameters(), lr=0.005)
        with summary.create_file_writer(f"{root}/search/trial {trial}").as_default() as writer:
            hp.hparams(
                {FILTERS: filters, KERNEL: kernel, OPTIMIZER: optimizer_name}, trial_id=f"trial {trial}"
            )
            for epoch in range(epochs):
                train(model, optimizer, known, epoch)
                summary.scalar("accuracy", accuracy(model, unknown), step=epoch)
        writer.close()
        print(f"trial {trial}: {filters} filters of {kernel} × {kernel}, {optimizer_name}")


def main() -> None:
    """One training, then the search."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log-dir", default="logs")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    known, unknown = load()
    one_training(options.log_dir, options.epochs, known, unknown)
    search(options.log_dir, options.epochs, known, unknown)


if __name__ == "__main__":
    main()

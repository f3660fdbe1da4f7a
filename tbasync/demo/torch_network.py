"""The demo's convolutional network in torch. Imported only where torch is installed and wanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .data import CLASSES, Images, Labels
from .network import Step

FEATURES = 32  # inputs of the last layer


class TorchNetwork:
    """Two convolutions and two linear layers, 21,546 parameters, trained by AdamW."""

    description = "a convolutional network (torch)"
    learning_rate = 3e-3

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        torch.set_num_threads(1)  # too small for more: on a busy machine they only wait for each other
        layers: list[tuple[str, nn.Module]] = [
            ("conv1", nn.Conv2d(1, 16, kernel_size=3, padding=1)),
            ("relu1", nn.ReLU()),
            ("conv2", nn.Conv2d(16, 32, kernel_size=3, padding=1)),
            ("relu2", nn.ReLU()),
            ("pool", nn.MaxPool2d(2)),
            ("flatten", nn.Flatten()),
            ("hidden", nn.Linear(32 * 4 * 4, FEATURES)),
            ("relu3", nn.ReLU()),
            ("output", nn.Linear(FEATURES, CLASSES)),
        ]
        self.module = nn.Sequential(OrderedDict(layers))
        self.optimiser = torch.optim.AdamW(self.module.parameters())

    def step(self, images: Images, labels: Labels, learning_rate: float) -> Step:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        targets = torch.from_numpy(labels)
        logits = self.module(torch.from_numpy(images))
        loss = nn.functional.cross_entropy(logits, targets)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return Step(loss.detach(), (logits.argmax(dim=1) == targets).float().mean())

    def parameters(self) -> Iterable[tuple[str, Any]]:
        return [(name, parameter) for name, parameter in self.module.named_parameters()]

    def gradients(self) -> Iterable[tuple[str, Any]]:
        return [(name, parameter.grad) for name, parameter in self.module.named_parameters()]

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        with torch.no_grad():
            result: NDArray[np.float32] = self.module(torch.from_numpy(images)).softmax(dim=1).numpy()
        return result

    def features(self, images: Images) -> NDArray[np.float32]:
        with torch.no_grad():
            result: NDArray[np.float32] = self.module[:-1](torch.from_numpy(images)).numpy()
        return result

    def filters(self) -> NDArray[np.float32]:
        weight = self.module.get_parameter("conv1.weight")
        result: NDArray[np.float32] = weight.detach()[:, 0].clone().numpy()
        return result

    def traceable(self) -> tuple[nn.Module, torch.Tensor]:
        return self.module, torch.zeros(1, 1, 8, 8)

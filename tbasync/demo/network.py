"""What the training loop asks of a network, and which network it gets."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .data import Images, Labels
from .errors import MissingPackage

NetworkName = Literal["auto", "torch", "numpy"]


class Step(NamedTuple):
    """What one training step gives, as the framework has it: numbers or 0-d tensors, nothing converted."""

    loss: Any  # mean cross-entropy over the batch, in nats
    accuracy: Any  # of the batch, 0 to 1


class Network(Protocol):
    """A classifier of digits that learns one batch at a time."""

    description: str  # for people, such as "a convolutional network (torch)"
    learning_rate: float  # to start from

    def step(self, images: Images, labels: Labels, learning_rate: float) -> Step:
        """Learn from one batch."""
        ...

    def parameters(self) -> Iterable[tuple[str, Any]]:
        """(name, array or tensor) of every parameter: the live ones, which the next step changes in place."""
        ...

    def gradients(self) -> Iterable[tuple[str, Any]]:
        """(name, array or tensor) of every gradient of the last step."""
        ...

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """[N, 10]: how likely each class is for each image; each row sums to 1."""
        ...

    def features(self, images: Images) -> NDArray[np.float32]:
        """[N, D]: what the last layer sees of each image."""
        ...

    def filters(self) -> NDArray[np.float32]:
        """[F, H, W]: a copy of the first layer's weights, a picture for each of its units."""
        ...

    def traceable(self) -> tuple[Any, Any] | None:
        """A model and an input as `add_graph` takes them; None for a network without a graph."""
        ...


def build(name: NetworkName, seed: int) -> Network:
    """The network called `name`, its weights drawn by `seed`; "auto" is torch's where torch is installed."""
    has_torch = find_spec("torch") is not None
    if name == "torch" and not has_torch:
        raise MissingPackage("--network torch needs torch: pip install torch, or use --network numpy")
    if name == "numpy" or not has_torch:
        from .numpy_network import NumpyNetwork

        return NumpyNetwork(seed)
    from .torch_network import TorchNetwork

    return TorchNetwork(seed)

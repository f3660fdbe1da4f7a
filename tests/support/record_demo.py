"""Run the demo's loop with a writer that only notes down what it is given.

    python -m tests.support.record_demo OUT NETWORK EPOCHS SEED

What it pickles to OUT is what TensorBoard must show after `tbasync demo` with the same options; `recorded`
reads it back.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from tbasync import SummaryWriter
from tbasync.demo.data import load_digits
from tbasync.demo.network import NetworkName, build
from tbasync.demo.progress import SilentProgress
from tbasync.demo.train import train


class Call(NamedTuple):
    """One call of a writer's method, with its arguments as `frozen` makes them."""

    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def given(self, name: str) -> Any:
        """The argument called `name` in the method's signature."""
        parameters = signature(getattr(SummaryWriter, self.method))
        return parameters.bind(None, *self.arguments, **self.options).arguments[name]


class Recorder:
    """A writer with every method there is; each notes its call."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __getattr__(self, method: str) -> Callable[..., None]:
        def note(*arguments: Any, **options: Any) -> None:
            self.calls.append(Call(method, tuple(frozen(value) for value in arguments), options))

        return note


def frozen(value: Any) -> Any:
    """A numpy copy of an array or tensor, a figure's pixels, a model's layers; anything else as it is."""
    if hasattr(value, "named_children"):
        return tuple(f"{type(layer).__name__}[{name}]" for name, layer in value.named_children())
    if hasattr(value, "add_subplot"):
        return drawn(value)
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    return value.copy() if isinstance(value, np.ndarray) else value


def drawn(figure: Any) -> Any:
    """The pixels [H, W, 3] of a matplotlib figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def main(out: str, network: NetworkName, epochs: str, seed: str) -> None:
    recorder = Recorder()
    learner = build(network, int(seed))
    writer = cast(SummaryWriter, recorder)
    train(learner, load_digits(int(seed)), writer, SilentProgress(), epochs=int(epochs), seed=int(seed))
    Path(out).write_bytes(pickle.dumps([tuple(call) for call in recorder.calls]))


def recorded(out: Path) -> list[Call]:
    """The calls that `main` pickled to `out`."""
    return [Call(*call) for call in pickle.loads(out.read_bytes())]


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # the command line is not typed

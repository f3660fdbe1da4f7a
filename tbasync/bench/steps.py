"""How much longer does a real training step of about a millisecond take when it logs?

A small network is trained with torch on random data. Blocks of steps that log nothing take turns, in one
process, with blocks that log: ten floats a step; those and a histogram of every parameter each ten steps;
those floats and an image each ten steps; ten tensors of one element a step, as they come out of a model. The
loss is made a float by the loop whether it is logged or not, but for the tensors.

The clock of a block stops after a flush, so that no writer can put its work off to the next one; what the loop
alone took is told apart. A block is longer than a writer's interval, or all work would come at the end. What it is
compared with is the mean of the two beside it that log nothing, as a machine's speed drifts; how far such blocks
are apart from each other is said too.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import peers, proof, work
from .unit import Amount, Figures, Unit

_WARM_UP = 50
_EVERY = 10
_TAGS = work.tags(10)
SCALARS, HISTOGRAMS, IMAGES, TENSORS = "scalars", "with histograms", "with images", "tensors"
LOADS = [SCALARS, HISTOGRAMS, IMAGES, TENSORS]


class Loop:
    """A training loop of a small network, about a millisecond a step on a CPU of today."""

    def __init__(self, device: str) -> None:
        import torch

        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.torch = torch
        layers = [torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 128), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers, torch.nn.Linear(128, 10)).to(device)
        self.parameters = list(self.model.parameters())
        self.inputs = torch.randn(512, 64, device=device)
        self.targets = torch.randint(0, 10, (512,), device=device)
        self.image = torch.randint(0, 256, (3, 128, 128), dtype=torch.uint8, device=device)
        self.synchronize = torch.cuda.synchronize if device.startswith("cuda") else lambda: None

    def step(self) -> Any:
        """Trains once; returns the loss, a tensor on the device."""
        loss = self.torch.nn.functional.cross_entropy(self.model(self.inputs), self.targets)
        loss.backward()
        # Plain descent by hand: torch's optimizers import its compiler, which takes longer than a measurement.
        with self.torch.no_grad():
            for parameter in self.parameters:
                parameter.add_(parameter.grad, alpha=-0.01)
                parameter.grad = None
        return loss.detach()

    def log(self, writer: Any, loss: Any, step: int, load: str) -> int:
        """What a step logs, and how many values that is."""
        for tag in _TAGS:
            writer.add_scalar(tag, loss, step)
        if step % _EVERY or load in (SCALARS, TENSORS):
            return 10
        if load == IMAGES:
            writer.add_image("sample", self.image, step)
            return 11
        parameters = list(self.model.named_parameters())
        for name, parameter in parameters:
            writer.add_histogram(name, parameter, step)
        return 10 + len(parameters)


class Block(NamedTuple):
    """A run of steps: microseconds a step without and with the flush after them, and how many values were logged."""

    loop: float
    flushed: float
    logged: int


def _block(loop: Loop, steps: int, peer: str, writer: Any, load: str) -> Block:
    logged = 0
    loop.synchronize()
    start = time.perf_counter()
    for step in range(steps):
        loss = loop.step() if load == TENSORS else loop.step().item()
        if writer is not None:
            logged += loop.log(writer, loss, step, load)
    loop.synchronize()
    took = time.perf_counter() - start
    if writer is not None:
        work.barrier(peer, writer)
    return Block(took / steps * 1e6, (time.perf_counter() - start) / steps * 1e6, logged)


def _logging(loop: Loop, steps: int, peer: str, log_dir: str, load: str) -> Block:
    """A block with a writer of its own, once all is seen to be in the file."""
    writer = peers.make(peer, log_dir)
    block = _block(loop, steps, peer, writer, load)
    writer.close()
    proof.check(peer, log_dir, block.logged)
    return block


def measure(peer: str, log_dir: str, steps: int, device: str, loads: Sequence[str]) -> Figures:
    """The figures of one peer under each load, measured in this process."""
    loop, few = Loop(device), max(1, steps // 2)
    _block(loop, _WARM_UP, peer, None, "")
    idle, logging = [_block(loop, few, peer, None, "").loop], dict[str, Block]()
    for load in loads:
        _logging(loop, _EVERY, peer, os.path.join(log_dir, f"before {load}"), load)
        logging[load] = _logging(loop, steps, peer, os.path.join(log_dir, load), load)
        idle.append(_block(loop, few, peer, None, "").loop)
    figures = {"no logging": statistics.median(idle), "no logging, apart": 100 * (max(idle) / min(idle) - 1)}
    for number, (load, block) in enumerate(logging.items()):
        beside = (idle[number] + idle[number + 1]) / 2
        figures[f"overhead, {load}"] = 100 * (block.flushed / beside - 1)
        figures[f"{load}, before the flush"] = 100 * (block.loop / beside - 1)
    return figures


UNIT = Unit(
    "steps",
    "How much longer does a training step of about a millisecond take when it logs?",
    measure,
    {"no logging": "µs", "no logging, apart": "%"}
    | {name: "%" for load in LOADS for name in (f"overhead, {load}", f"{load}, before the flush")},
    {
        "loads": Amount(LOADS, LOADS[:3], LOADS[:3], "what is logged"),
        "steps": Amount(3_000, 400, 20, "steps of each block that logs; twice those of one that does not"),
        "device": Amount("cpu", "cpu", "cpu", "torch's name of the device"),
    },
    needs=("torch",),
)

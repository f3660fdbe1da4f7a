"""How much longer does a real training step of about a millisecond take when it logs?

A small network is trained with torch on random data; the same loop logs nothing, ten scalars a step, or those
and a histogram of every parameter each ten steps. The time is that of the loop, from the first step to the
last; what a writer still has to do afterwards is not in it, what its threads take from the loop is.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from . import peers, runner

_UNITS = {"mean step": "µs", "overhead": "%", "p99 step": "µs"}
_WARM_UP = 100
_HISTOGRAMS_EVERY = 10
LOADS = ("scalars", "scalars and histograms")


class Loop:
    """A training loop of a small network, about a millisecond a step on a CPU of today."""

    def __init__(self, device: str) -> None:
        import torch

        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.torch = torch
        layers = [torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 128), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers, torch.nn.Linear(128, 10)).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.inputs = torch.randn(256, 64, device=device)
        self.targets = torch.randint(0, 10, (256,), device=device)
        self.synchronize = torch.cuda.synchronize if device.startswith("cuda") else lambda: None

    def step(self) -> Any:
        """Trains once; returns the loss, a tensor on the device."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.torch.nn.functional.cross_entropy(self.model(self.inputs), self.targets)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def log(self, writer: Any, loss: Any, step: int, histograms: bool) -> None:
        """What a step logs."""
        for number in range(10):
            writer.add_scalar(f"train/metric_{number}", loss, step)
        if histograms and step % _HISTOGRAMS_EVERY == 0:
            for name, parameter in self.model.named_parameters():
                writer.add_histogram(name, parameter, step)


def measure_here(peer: str, log_dir: str, load: str, steps: int, device: str) -> runner.Figures:
    """The figures of one peer under one load, measured in this process."""
    loop = Loop(device)
    writer = None if peer == "no logging" else peers.make(peer, log_dir)
    clock = time.perf_counter_ns
    times = []
    for step in range(-_WARM_UP, steps):
        if step == 0:
            loop.synchronize()
            start = clock()
        before = clock()
        loss = loop.step()
        if writer is not None:
            loop.log(writer, loss, max(0, step), load == LOADS[1])
        times.append(clock() - before)
    loop.synchronize()
    took = clock() - start
    if writer is not None:
        writer.close()
    counted = sorted(times[_WARM_UP:])
    return {"mean step": took / steps / 1e3, "p99 step": counted[int(0.99 * steps)] / 1e3}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures one peer (`--peer`) and prints JSON, or all of them and prints a table for each load."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each writer (default 5)")
    parser.add_argument("--steps", type=int, default=3000, help="steps of one measurement (default 3,000)")
    parser.add_argument("--device", default="cpu", help="torch's name of the device (default cpu)")
    parser.add_argument("--load", choices=LOADS, help="only this load")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--log-dir", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        given = (options.log_dir, options.load, options.steps, options.device)
        print(json.dumps(measure_here(options.peer, *given)))
        return
    print(f"{runner.machine()}, training on {options.device}")
    names = ["no logging", *(name for name in peers.installed() if name not in ("empty", "floor"))]
    for load in [options.load] if options.load else LOADS:
        passed = ["--load", load, "--steps", str(options.steps), "--device", options.device]
        rows = runner.measure(__name__, names, options.rounds, passed)
        for figures in rows.values():
            figures["overhead"] = 100 * (figures["mean step"] / rows["no logging"]["mean step"] - 1)
        print(runner.table(f"\n{load}", rows, _UNITS, "none"))


if __name__ == "__main__":
    main()

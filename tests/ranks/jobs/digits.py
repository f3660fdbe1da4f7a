"""Trains a small network on digits with DDP and logs every step's loss of all ranks, reduced.

Run by torchrun or by a test, with the environment that torchrun makes. Beside the log each rank leaves what
it logged in `<out>/rank<k>.npz`, with what `all_gather` says that all have logged, and how long steps took.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tbasync import SummaryWriter


def batches(rank: int, world: int, size: int):
    """Endless batches of this rank's share of the digits."""
    digits = load_digits()
    images = torch.tensor(digits.data[rank::world] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target[rank::world])
    generator = torch.Generator().manual_seed(rank)
    while True:
        chosen = torch.randint(len(labels), (size,), generator=generator)
        yield images[chosen], labels[chosen]


def main() -> None:
    """The job of one rank."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--gather", action="store_true", help="compare with all_gather; needs ranks in step")
    parser.add_argument("--slow", type=int, default=-1, help="this rank is 2 s late in the middle")
    parser.add_argument("--twice", type=int, default=-1, help="this rank logs twice as often")
    parser.add_argument("--kill", type=int, default=-1, help="this rank kills itself in the middle")
    parser.add_argument("--alone", action="store_true", help="train without exchanging gradients")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds that a step takes at least")
    parser.add_argument("--timeout", type=float, default=30.0)
    options = parser.parse_args()

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    network: nn.Module = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    if not options.alone:
        network = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    writer = SummaryWriter(
        options.out / "run", ranks=0, reduce=("mean", "min", "max", "sum"), reduce_timeout=options.timeout
    )
    logged, gathered, seconds = [], [], []
    for step, (images, labels) in zip(range(options.steps), batches(rank, world, 32), strict=False):
        if step == 0:
            (options.out / f"started{rank}").touch()
        began = time.perf_counter()
        loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value = float(loss.detach().double()) + rank * 1e-9
        writer.add_scalar("loss", value, step)
        writer.add_scalar("exact", value, step, new_style=True, double_precision=True)
        writer.log_metrics({f"rank{rank}/loss": value, "step": float(step)}, step)
        logged.append(value)
        if rank == options.twice:
            writer.add_scalar("loss", value, step + options.steps)
        if step == options.steps // 2:
            if rank == options.kill:
                time.sleep(1.0)
                os.kill(os.getpid(), signal.SIGKILL)
            if rank == options.slow:
                time.sleep(2.0)
        if options.gather:
            all_of_them = [torch.zeros(1, dtype=torch.float64) for _ in range(world)]
            dist.all_gather(all_of_them, torch.tensor([value], dtype=torch.float64))
            gathered.append([float(one) for one in all_of_them])
        took = time.perf_counter() - began
        seconds.append(took)
        time.sleep(max(0.0, options.pace - took))
    writer.close()
    np.savez(options.out / f"rank{rank}.npz", logged=logged, gathered=gathered, seconds=seconds)
    print(rank, writer.stats(), file=sys.stderr)
    if options.kill < 0:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()

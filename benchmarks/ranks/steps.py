"""Step time of a job of 4 processes that train with DDP, without logging and with two ways of it.

All ways run in the same processes, in rounds that take turns, so that what else the machine does falls on each. The
first runs twice in each round: what the second time differs by is the machine's noise, and no cost below that can be
told. Between rounds, untimed, everything is flushed; the CPU time of that counts.
"""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

RANKS, ROUNDS, STEPS, METRICS = 4, 15, 60, 20
NOISY = 0.02  # quartiles of the ratio of two rounds of the same work, beyond which it says so
WAYS = ("no logging", "no logging, again", "tbasync, reduced", "all_reduce + torch on rank 0")


def main() -> None:
    """Runs the job and prints its table."""
    import torch.multiprocessing as multiprocessing

    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        multiprocessing.spawn(_rank, (port, directory), RANKS)


def _rank(rank: int, port: int, directory: str) -> None:
    import torch
    import torch.distributed as dist

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCH_CPP_LOG_LEVEL": "ERROR"}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    step = _training()
    logs = _ways(rank, directory)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    cpu = dict.fromkeys(WAYS, 0.0)
    for round_ in range(-1, ROUNDS):  # the first warms up
        for way in sorted(WAYS, key=lambda w: (WAYS.index(w) + round_) % len(WAYS)):
            log, flush = logs[way]
            dist.barrier()
            began, cpu_began = time.perf_counter(), time.process_time()
            for number in range(STEPS):
                step()
                log(round_ * STEPS + number)
            took = (time.perf_counter() - began) / STEPS
            flush()
            dist.barrier()
            if round_ >= 0:
                seconds[way].append(took)
                cpu[way] += (time.process_time() - cpu_began) / (ROUNDS * STEPS)
    total = torch.tensor([cpu[way] for way in WAYS])
    dist.all_reduce(total)
    if rank == 0:
        _print(seconds, dict(zip(WAYS, total.tolist(), strict=True)))
    for _, flush in logs.values():
        flush()
    dist.barrier()
    dist.destroy_process_group()


def _training() -> Callable[[], None]:
    import torch
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel

    network = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    parallel = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(parallel.parameters(), 0.01)
    images, labels = torch.randn(128, 64), torch.randint(10, (128,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(parallel(images), labels).backward()
        optimizer.step()

    return step


def _ways(rank: int, directory: str) -> dict[str, tuple[Callable[[int], object], Callable[[], object]]]:
    import torch
    import torch.distributed as dist
    from torch.utils.tensorboard import SummaryWriter as TorchWriter

    from tbasync import SummaryWriter

    tags = [f"metric/{number}" for number in range(METRICS)]
    reduced = SummaryWriter(os.path.join(directory, "tbasync"), reduce="mean")
    plain: Any = TorchWriter(os.path.join(directory, "torch")) if rank == 0 else None

    def log_reduced(step: int) -> None:
        reduced.log_metrics({tag: float(step + number) for number, tag in enumerate(tags)}, step)

    def log_gathered(step: int) -> None:
        values = torch.tensor([float(step + number) for number in range(METRICS)])
        dist.all_reduce(values)
        if plain is not None:
            for tag, value in zip(tags, (values / RANKS).tolist(), strict=True):
                plain.add_scalar(tag, value, step)

    return {
        WAYS[0]: (lambda step: None, lambda: None),
        WAYS[1]: (lambda step: None, lambda: None),
        WAYS[2]: (log_reduced, reduced.flush),
        WAYS[3]: (log_gathered, plain.flush if plain else lambda: None),
    }


def _print(seconds: dict[str, list[float]], cpu: dict[str, float]) -> None:
    base = seconds[WAYS[0]]
    print(
        f"{RANKS} processes, {os.cpu_count()} cores, {METRICS} metrics a step, {ROUNDS} rounds of {STEPS} steps"
    )
    noise = statistics.quantiles([one / other - 1 for one, other in zip(seconds[WAYS[1]], base, strict=True)])
    if max(map(abs, noise)) > NOISY:
        print(
            f"noisy: the same work differs by {noise[0]:+.1%} to {noise[2]:+.1%}; repeat it on an idle machine"
        )
    print(f"{'':32}{'step, median':>14}{'over no logging':>18}{'quartiles':>18}{'CPU a step, all ranks':>24}")
    for way in WAYS:
        ratios = [one / other - 1 for one, other in zip(seconds[way], base, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{way:32}{1e3 * statistics.median(seconds[way]):11.2f} ms{middle:+18.1%}"
            f"{f'{low:+.1%} to {high:+.1%}':>18}{1e3 * cpu[way]:21.2f} ms"
        )

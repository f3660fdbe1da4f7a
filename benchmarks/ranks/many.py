"""Do 256 ranks keep up? Real writers with real clients of a real TCPStore; 20 metrics a step, 10 steps a second.

The writing rank has a process to itself, and so has the store; all others are threads of a third process.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

RANKS, NODE, METRICS, RATE, STEPS = 256, 8, 20, 10, 100
TAGS = [f"metric/{number}" for number in range(METRICS)]


def main() -> None:
    """Runs the job on one node for each rank, and on nodes of 8 ranks; prints a table."""
    os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"
    print(f"{RANKS} ranks, {METRICS} metrics a step, {RATE} steps a second, for {STEPS // RATE} s")
    print(
        "complete: points with the values of all ranks; lag: from the last push to the last point; CPU of one core"
    )
    print(
        f"{'':24}{'complete':>10}{'lag':>10}{'writer thread':>16}{'exchange':>12}{'store':>10}"
        f"{'blocks a s':>12}{'MB a s':>10}"
    )
    for name, node in (("each rank for itself", 1), (f"nodes of {NODE}", NODE)):
        _job(name, node)


def _job(name: str, node: int) -> None:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as directory:
        ends = [context.Pipe() for _ in range(2)]
        store = context.Process(target=_store, args=(ends[0][1],))
        store.start()
        port = ends[0][0].recv()
        others = context.Process(target=_others, args=(port, directory, node, ends[1][1]))
        others.start()
        writer = _pipeline(0, port, directory, node)
        ends[1][0].recv()
        began = time.time() + 0.5
        ends[1][0].send(began)
        worker, exchange = writer.stats().worker_cpu_seconds, writer.stats().reductions.exchange_cpu_seconds
        ends[0][0].send("cpu")
        cpu = ends[0][0].recv()
        _drive([writer], began)
        lag = _until_complete(writer)
        stats = writer.stats()
        ends[0][0].send("cpu")
        seconds = STEPS / RATE
        shares = [
            (stats.worker_cpu_seconds - worker) / seconds,
            (stats.reductions.exchange_cpu_seconds - exchange) / seconds,
            (ends[0][0].recv() - cpu) / seconds,
        ]
        writer.close()
        others.join()
        ends[0][0].send("end")
        store.join()
    complete = stats.reductions.groups.get(RANKS, 0)
    print(
        f"{name:24}{complete / (STEPS * METRICS):10.0%}{lag:8.2f} s{shares[0]:16.1%}{shares[1]:12.1%}"
        f"{shares[2]:10.1%}{stats.reductions.blocks_received / seconds:12.0f}"
        f"{stats.reductions.bytes_received / seconds / 1e6:10.2f}"
    )


def _until_complete(writer: Any) -> float:
    began = time.perf_counter()
    while sum(writer.stats().reductions.groups.values()) < STEPS * METRICS:
        if time.perf_counter() - began > 30:
            break
        time.sleep(0.01)
    return time.perf_counter() - began


def _pipeline(rank: int, port: int, directory: str, node: int) -> Any:
    from torch.distributed import TCPStore

    from tbasync.pipeline.options import Options
    from tbasync.ranks.pipeline import pipeline_of
    from tbasync.ranks.role import Role
    from tbasync.ranks.team import Team

    def connect(seconds: float) -> Any:
        return TCPStore("127.0.0.1", port, None, False, timedelta(seconds=seconds), wait_for_workers=False)

    place = None
    if node > 1:
        place = os.path.join(directory, f"node{rank // node}")
        os.makedirs(place, exist_ok=True)
    team = Team(rank, RANKS, 0, ("mean",), 60.0, connect, "benchmark", place)
    return pipeline_of(Options(os.path.join(directory, "run")), None, Role(writes=rank == 0, team=team))


def _drive(pipelines: list[Any], began: float) -> None:
    """Pushes each step's metrics on all of some ranks, at the given pace."""
    from tbasync.pipeline.items import Metrics

    for step in range(STEPS):
        time.sleep(max(0.0, began + step / RATE - time.time()))
        for number, pipeline in enumerate(pipelines):
            values = dict.fromkeys(TAGS, float(step + number))
            pipeline.queue.put(Metrics(None, values, step, time.time()))


def _others(port: int, directory: str, node: int, end: Connection) -> None:
    pipelines = [_pipeline(rank, port, directory, node) for rank in range(1, RANKS)]
    while not all(pipeline._side._store for pipeline in pipelines):
        time.sleep(0.05)
    end.send("connected")
    _drive(pipelines, end.recv())
    barriers = [(pipeline, pipeline.ask_to_close(30.0)) for pipeline in pipelines]
    for pipeline, barrier in barriers:
        pipeline.wait_for(barrier, 30.0)


def _store(end: Connection) -> None:
    from torch.distributed import TCPStore

    server = TCPStore("127.0.0.1", 0, None, True, timedelta(seconds=60), wait_for_workers=False)
    end.send(server.port)
    while end.recv() == "cpu":
        end.send(time.process_time())

"""What an interval costs the writing rank, its network and the store, up to 16,384 ranks.

Measured, not extrapolated, where one machine can: the writer thread's CPU time for the blocks that so many nodes
would send in one interval is that of the real code on blocks made up for it. A request's time is that of a real
store on this machine's loopback; the time that requests take is their number times that.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import numpy as np

NODE, METRICS, RATE = 8, 20, 10
WORLDS = (8, 256, 4096, 16384)


def main() -> None:
    """Prints a table, and how a node's speaker fares."""
    request = _request_seconds()
    print(
        f"{METRICS} metrics a step, {RATE} steps a second, nodes of {NODE}; a request takes {1e6 * request:.0f} µs"
    )
    print(
        f"{'ranks':>8}{'interval':>12}{'blocks':>10}{'MB':>10}{'writer CPU':>14}{'longest':>12}"
        f"{'requests':>12}{'their time':>14}"
    )
    for world in WORLDS:
        _print_world(world, request)
    _print_speaker(request)


def _request_seconds() -> float:
    from torch.distributed import TCPStore

    os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"
    store = TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(1000):
            store.add("key", 1)
        rounds.append((time.perf_counter() - began) / 1000)
    return min(rounds)


def _team(world: int) -> Any:
    from tbasync.ranks.team import Team

    return Team(0, world, 0, ("mean", "min", "max"), 30.0)


def _section(rank: int, serial: int, steps: int) -> Any:
    """What one rank reports in an interval; those of different nodes begin at different steps."""
    from tbasync.ranks.block import VALUES, Origin, Section, Series, Table

    first = serial * steps - rank // NODE % steps
    series = tuple(Series("", f"metric/{number}") for number in range(METRICS))
    table = Table(
        series,
        np.tile(np.arange(METRICS), steps),
        np.repeat(np.arange(first, first + steps), METRICS),
        np.full(steps * METRICS, time.time()),
        np.array([rank]),
        np.random.default_rng(rank).standard_normal((steps * METRICS, 1)),
    )
    return Section([Origin(rank, serial + 1, VALUES)], table)


def _blocks(world: int, serial: int, steps: int) -> list[bytes]:
    """What the nodes send in an interval: the writing rank's own node's ranks each for itself."""
    from tbasync.ranks.block import Block, encode_block, merge

    alone = [[_section(rank, serial, steps)] for rank in range(1, min(NODE, world))]
    nodes = [
        merge([_section(rank, serial, steps) for rank in range(first, min(first + NODE, world))])
        for first in range(NODE, world, NODE)
    ]
    return [encode_block(Block(time.time(), sections)) for sections in (*alone, *nodes)]


def _print_world(world: int, request: float) -> None:
    interval = _team(world).exchange_interval(0.25)
    steps = max(1, round(interval * RATE))
    cpu, longest = [], []
    with tempfile.TemporaryDirectory() as directory:
        pipeline, reducer = _reducer(world, directory)
        for serial in range(1, 5):
            blocks = _blocks(world, serial, steps)
            took, most = _hear(pipeline, reducer, blocks, serial, steps)
            cpu.append(took)
            longest.append(most)
    size = sum(map(len, blocks))
    requests = 2 + 2 * -(-len(blocks) // 64) + len(blocks)
    print(
        f"{world:8,}{interval:10.2f} s{len(blocks):10,}{size / 1e6:10.2f}{1e3 * min(cpu):11.1f} ms"
        f"{1e3 * min(longest):9.2f} ms{requests:12,}{1e3 * requests * request:11.1f} ms"
    )


def _reducer(world: int, directory: str) -> tuple[Any, Any]:
    from tbasync.pipeline.options import Options
    from tbasync.pipeline.pipeline import Pipeline
    from tbasync.ranks.reduction import Reducer

    pipeline = Pipeline(Options(os.path.join(directory, "run")))
    return pipeline, Reducer(_team(world), pipeline.options.log_dir, {}, pipeline._worker)


def _hear(pipeline: Any, reducer: Any, blocks: list[bytes], serial: int, steps: int) -> tuple[float, float]:
    """CPU seconds of an interval on the writing rank, and of the longest stretch of it without a rest."""
    from tbasync.pipeline.worker import Columns
    from tbasync.ranks.block import decode_block

    own = Columns()
    for step in range(serial * steps, (serial + 1) * steps):
        own.extend([(f"metric/{number}", 1.0, step, time.time()) for number in range(METRICS)])
    breaths = [time.thread_time()]
    breathe = reducer._breathe

    def note_breath() -> None:
        breaths.append(time.thread_time())
        breathe()

    reducer._breathe = reducer._groups._breathe = note_breath
    began = time.thread_time()
    reducer.scalars(None, own)
    for first in range(0, len(blocks), 64):
        reducer.hear([decode_block(block) for block in blocks[first : first + 64]])
    pipeline._output.write()
    reducer._breathe = reducer._groups._breathe = breathe
    return time.thread_time() - began, float(np.diff(breaths).max())


def _print_speaker(request: float) -> None:
    from tbasync.ranks.block import Block, decode_block, encode_block, merge

    steps = max(1, round(_team(WORLDS[-1]).exchange_interval(0.25) * RATE))
    blocks = [encode_block(Block(0.0, [_section(rank, 0, steps)])) for rank in range(NODE - 1)]
    own = _section(NODE - 1, 0, steps)
    rounds = []
    for _ in range(10):
        began = time.thread_time()
        sections = [section for block in blocks for section in decode_block(block).sections]
        encode_block(Block(0.0, merge([*sections, own])))
        rounds.append(time.thread_time() - began)
    print(
        f"a speaker of {NODE} ranks at {WORLDS[-1]:,}: {1e3 * min(rounds):.1f} ms of CPU an interval, "
        f"{7 + NODE} requests ({1e3 * (7 + NODE) * request:.1f} ms); any other rank: 3 requests"
    )

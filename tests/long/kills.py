"""SIGKILL at random moments: what a killed process leaves behind.

    python -m tests.long.kills --kills 200

A child logs scalars from four threads, with histograms, texts and sub-runs in between, and flushes now and then. What
it has pushed and what a returned `flush()` has covered it notes in shared memory, which outlives it. It is killed
at a random moment; then its files must hold, up to the last whole record, every thread's values in order and
without a gap, all that was covered by a flush, and all but the last `interval` of what was pushed.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tbasync import SummaryWriter

from ..support.plain_reader import event_files, events, split

THREADS = 4
INTERVAL = 0.25
_SLOT = struct.Struct("<qqd")  # pushed, flushed, when the writer was made


class Result(NamedTuple):
    """What one kill has shown.

    Attributes:
        records: whole records in the files.
        pushed: scalars pushed.
        lost: scalars pushed and not found.
        lost_seconds: how long before the kill the newest scalar found was pushed, the worst thread's.
        torn: files with a torn end.
        wrong: what must not be.
    """

    records: int
    pushed: int
    lost: int
    lost_seconds: float
    torn: int
    wrong: list[str]


def work(directory: Path, memory: mmap.mmap, seed: int) -> None:
    """What the child does until it is killed."""
    writer = SummaryWriter(directory, interval=INTERVAL)

    def log(thread: int) -> None:
        draw = random.Random(seed * THREADS + thread)
        step = 0
        while True:
            for _ in range(draw.randrange(1, 200)):
                writer.add_scalar(f"thread {thread}", float(step), step)
                step += 1
                struct.pack_into("<q", memory, thread * _SLOT.size, step)
            if draw.random() < 0.3:
                writer.add_histogram("histogram", np.arange(draw.randrange(1, 3000)), step)
                writer.add_text("text", "text " * draw.randrange(1, 300), step)
                writer.add_scalars("main", {"a": 1.0, "b": 2.0}, step)
            if draw.random() < 0.1:
                covered = step
                assert writer.flush()
                struct.pack_into("<q", memory, thread * _SLOT.size + 8, covered)
            time.sleep(draw.random() * 0.01)

    for thread in range(THREADS):
        threading.Thread(target=log, args=(thread,), daemon=True).start()
    signal.pause()


def judge(directory: Path, memory: mmap.mmap, killed_at: float) -> Result:
    """Compares what is in the files with what the child noted."""
    wrong: list[str] = []
    records = torn = 0
    for run in [directory, *(path for path in directory.iterdir() if path.is_dir())]:
        for path in event_files(run):
            data = path.read_bytes()
            payloads = split(data, torn_end=True)
            records += len(payloads)
            torn += sum(len(payload) + 16 for payload in payloads) != len(data)
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(directory, torn_end=True):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, event.wall_time))
    pushed = lost = 0
    lost_seconds = 0.0
    for thread in range(THREADS):
        noted, flushed, _ = _SLOT.unpack_from(memory, thread * _SLOT.size)
        points = found.get(f"thread {thread}", [])
        if [step for step, _ in points] != list(range(len(points))):
            wrong.append(f"thread {thread}: not in order, or not all")
        if len(points) < flushed:
            wrong.append(f"thread {thread}: {flushed} were covered by a flush, {len(points)} are there")
        pushed += noted
        lost += max(0, noted - len(points))
        if noted > len(points):
            newest = points[-1][1] if points else killed_at - INTERVAL
            lost_seconds = max(lost_seconds, killed_at - newest)
    return Result(records, pushed, lost, lost_seconds, torn, wrong)


def kill_once(directory: Path, seed: int, patience: float) -> Result:
    """Starts a child, kills it after `patience` seconds, and looks at what it leaves."""
    memory = mmap.mmap(-1, THREADS * _SLOT.size)
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            work(directory, memory, seed)
        finally:
            os._exit(1)
    # The clock starts when the child has made its file and pushed something.
    deadline = time.monotonic() + 60
    while not _SLOT.unpack_from(memory, 0)[0]:
        assert time.monotonic() < deadline, "the child does not come to life"
        time.sleep(0.001)
    time.sleep(patience)
    os.kill(child, signal.SIGKILL)
    killed_at = time.time()
    os.waitpid(child, 0)
    return judge(directory, memory, killed_at)


def main() -> int:
    """Kills, prints what was found; exit status 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description="SIGKILL at random moments.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=1.5, metavar="SECONDS", help="until a kill")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    results: list[Result] = []
    for kill in range(arguments.kills):
        directory = Path(tempfile.mkdtemp(prefix="tbasync-kill-"))
        result = kill_once(directory, arguments.seed + kill, draw.random() * arguments.longest)
        results.append(result)
        for complaint in result.wrong:
            print(f"kill {kill}: {complaint} ({directory})")
        if not result.wrong:
            shutil.rmtree(directory)
    seconds = sorted(result.lost_seconds for result in results)
    print(
        f"{len(results)} kills, {sum(r.pushed for r in results):,} scalars pushed, "
        f"{sum(r.records for r in results):,} whole records found, "
        f"{sum(r.torn > 0 for r in results)} runs with a torn end; "
        f"newest scalar found is older than the kill by {seconds[len(seconds) // 2]:.3f} s (median), "
        f"{seconds[int(0.95 * len(seconds))]:.3f} s (95%), {seconds[-1]:.3f} s (worst), "
        f"with interval={INTERVAL}; "
        f"{sum(bool(r.wrong) for r in results)} runs with anything wrong"
    )
    return any(result.wrong for result in results)


if __name__ == "__main__":
    sys.exit(main())

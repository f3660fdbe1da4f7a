"""Hours in minutes: many threads, all kinds of summaries, barriers and faults at random, and nothing may grow.

    python -m tests.long.soak --minutes 20

Eight threads log every kind of summary; barriers, closings and faults of the disk (full, broken, hanging, an fsync
that fails) come at random moments. In the end every scalar of every thread is in the files, once and in order, the
counters add up, and neither memory nor open handles have grown.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tbasync import LoggingError, SummaryWriter
from tbasync.file_writer import FileWriter

from ..support.calls import BARRIERS, call_of, public_methods
from ..support.plain_reader import events

THREADS = 8
# A torch model is traced, and a figure drawn, in tens of milliseconds: the soak is of the pipeline.
LEFT_OUT = {*BARRIERS, "add_graph", "add_onnx_graph", "add_openvino_graph", "add_figure", "use_metadata"}
MOST_GROWTH_MIB = 40
MOST_MORE_HANDLES = 2
FAULTS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS)


class Disk:
    """`os.write` and `os.fsync` with spells of bad weather."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.error: int | None = None
        self.spells = {"error": 0, "hang": 0, "fsync": 0}
        self._bad_fsync = False
        self._calm = threading.Event()
        self._calm.set()
        self._write, self._fsync = os.write, os.fsync
        os.write, os.fsync = self.write, self.fsync

    def write(self, handle: int, data: Any) -> int:
        if threading.current_thread().name == "tbasync-writer":
            self._calm.wait(30)
            if self.error is not None:
                if self.draw.random() < 0.5:
                    self._write(handle, memoryview(data)[: self.draw.randrange(len(data))])
                raise OSError(self.error, os.strerror(self.error))
        return self._write(handle, data)

    def fsync(self, handle: int) -> None:
        if self._bad_fsync:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def spell(self) -> None:
        """One fault, for a moment."""
        kind = self.draw.choice(tuple(self.spells))
        self.spells[kind] += 1
        if kind == "error":
            self.error = self.draw.choice(FAULTS)
        elif kind == "hang":
            self._calm.clear()
        else:
            self._bad_fsync = True
        time.sleep(self.draw.random() * 0.5)
        self.heal()

    def heal(self) -> None:
        self.error, self._bad_fsync = None, False
        self._calm.set()

    def restore(self) -> None:
        self.heal()
        os.write, os.fsync = self._write, self._fsync


def calls_of(writer: SummaryWriter) -> list[Callable[[], object]]:
    """Every public method that logs, of the writer and of its file writer."""
    calls = [call_of(writer, name) for name in public_methods(SummaryWriter) if name not in LEFT_OUT]
    files = writer._get_file_writer()
    return calls + [call_of(files, name) for name in public_methods(FileWriter) if name not in LEFT_OUT]


def log(writer: SummaryWriter, thread: int, seed: int, ends: float, pushed: list[int]) -> None:
    """One thread's work: scalars of its own, and now and then anything else."""
    draw = random.Random(seed * THREADS + thread)
    calls = calls_of(writer)
    while time.monotonic() < ends:
        for _ in range(draw.randrange(20)):
            writer.add_scalar(f"thread {thread}", 1.0, pushed[thread])
            pushed[thread] += 1
        draw.choice(calls)()
        try:
            if draw.random() < 0.02:
                writer.flush(draw.choice([None, 0.0, 1.0]), fsync=draw.random() < 0.5)
            if draw.random() < 0.002:
                # With patience: a closing that gives up on a full disk loses what it says it loses.
                writer.close(60)
        except LoggingError:
            pass
        time.sleep(draw.random() * 0.02)


def resident_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_handles() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def settled_handles(writer: SummaryWriter) -> int:
    """How many files are open when everything has been written, trials' runs among it."""
    writer.add_scalar("the file may have been closed", 1.0)
    with contextlib.suppress(LoggingError):
        writer.flush()
    return open_handles()


def by_time(samples: list[float]) -> str:
    """The medians of eight stretches of time, one after the other."""
    size = max(1, len(samples) // 8)
    return ", ".join(
        f"{statistics.median(samples[k : k + size]):.0f}" for k in range(0, size * 8, size) if samples[k:]
    )


def check(directory: Path, writer: SummaryWriter, pushed: list[int]) -> list[str]:
    """What must not be, after the writer was closed."""
    wrong = []
    stats = writer.stats()
    if stats.dropped or stats.failed or stats.waiting or stats.pushed != stats.written:
        wrong.append(f"the counters do not add up: {stats}")
    found: dict[str, list[int]] = {}
    for event in events(directory):
        for value in event.summary.value:
            if value.tag.startswith("thread "):
                found.setdefault(value.tag, []).append(event.step)
    for thread, count in enumerate(pushed):
        if found.get(f"thread {thread}", []) != list(range(count)):
            wrong.append(f"thread {thread}: {count} pushed, {len(found.get(f'thread {thread}', []))} found")
    return wrong


def main() -> int:
    """Soaks, prints what was found; exit status 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description="A soak of the whole pipeline.")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    directory = Path(tempfile.mkdtemp(prefix="tbasync-soak-"))
    writer = SummaryWriter(directory, max_items=1_000_000, keep_scalars=1_000)
    for call in calls_of(writer):  # what is imported or cached at the first call is no growth
        call()
    writer.flush()
    handles = open_handles()
    disk = Disk(arguments.seed)
    ends = time.monotonic() + 60 * arguments.minutes
    pushed = [0] * THREADS
    wrong: list[str] = []
    threading.excepthook = lambda failed: wrong.append(f"a thread ended with {failed.exc_value!r}")
    threads = [
        threading.Thread(target=log, args=(writer, thread, arguments.seed, ends, pushed))
        for thread in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    memory: list[float] = []
    while time.monotonic() < ends:
        disk.spell()
        time.sleep(disk.draw.random())
        gc.collect()
        memory.append(resident_mib())
    disk.restore()
    for thread in threads:
        thread.join()
    more_handles = settled_handles(writer) - handles
    for _ in range(2):
        try:
            writer.close()
        except LoggingError as error:
            if "logged" in str(error) or "lost" in str(error):
                wrong.append(str(error))
    wrong += check(directory, writer, pushed)
    quarter = max(1, len(memory) // 4)
    growth = statistics.median(memory[-quarter:]) - statistics.median(memory[:quarter])
    if growth > MOST_GROWTH_MIB:
        wrong.append(f"memory has grown by {growth:.0f} MiB")
    if more_handles > MOST_MORE_HANDLES:
        wrong.append(f"{more_handles} more handles are open")
    stats = writer.stats()
    print(
        f"{arguments.minutes:g} minutes, {THREADS} threads: {stats.written:,} summaries written, {sum(pushed):,} of "
        f"them scalars of the threads; {stats.write_errors:,} failed writes in {disk.spells['error']} spells, "
        f"{disk.spells['hang']} hangs, {disk.spells['fsync']} spells of failing fsync; blocked for "
        f"{stats.blocked_seconds:.1f} s; memory {growth:+.1f} MiB "
        f"({by_time(memory)} MiB) from the first quarter to the last, "
        f"handles {more_handles:+d}; {len(wrong)} things wrong"
    )
    for complaint in wrong:
        print(complaint)
    if not wrong:
        shutil.rmtree(directory)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

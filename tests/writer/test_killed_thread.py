"""Exceptions thrown into the writer thread from outside, at any instruction: as hard as a thread can be hit."""

from __future__ import annotations

import ctypes
import random
import sys
import threading
import time
from pathlib import Path

import pytest

from tbasync import LoggingError, SummaryWriter

from ..support.plain_reader import scalars

EXCEPTIONS = (RuntimeError, SystemExit, MemoryError, KeyboardInterrupt)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
@pytest.mark.long
def test_hundreds_of_exceptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hang, nothing twice, each thread's order kept, and what is lost is counted, to the last summary."""
    # One that strikes while another is dealt with ends the thread, and the next push starts another; some hit what
    # others have hooked into the garbage collector, which runs anywhere. Hooks in Python would be hit themselves.
    monkeypatch.setattr(threading, "excepthook", id)
    monkeypatch.setattr(sys, "unraisablehook", id)
    draw = random.Random(0)
    writer = SummaryWriter(tmp_path, interval=0.001)
    hits = 0
    pushed = [0] * 3

    def log(thread: int) -> None:
        while hits < 300:
            for _ in range(100):
                writer.add_scalar(f"thread {thread}", 1.0, pushed[thread])
                pushed[thread] += 1
            time.sleep(0.0005)

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=log, args=(thread,)) for thread in range(3)]
        for thread in threads:
            thread.start()
        while hits < 300:
            worker = writer._pipeline._thread._worker
            if worker is not None:
                error = ctypes.py_object(draw.choice(EXCEPTIONS))
                hits += ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker), error)
            time.sleep(draw.random() * 0.004)
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    for _ in range(2):
        try:
            assert writer.close(60)
        except LoggingError:
            continue  # it tells of what was lost
    stats = writer.stats()
    found = {tag: [point.step for point in points] for tag, points in scalars(tmp_path).items()}
    assert all(steps == sorted(set(steps)) for steps in found.values())
    assert (stats.waiting, stats.queue_bytes) == (0, 0)
    assert stats.pushed == sum(pushed) == stats.written + stats.dropped + stats.failed
    assert sum(map(len, found.values())) >= stats.written

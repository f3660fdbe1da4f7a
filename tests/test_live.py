"""TensorBoard follows a loop that calls no barrier."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tbasync import SummaryWriter
from tests.support.tensorboard_server import needs_tensorboard, tensorboard

A_FEW_SECONDS = 10.0  # for the writer's interval, TensorBoard's reload and a busy machine; usually about two
STEP_SECONDS = 0.02

pytestmark = [pytest.mark.slow, needs_tensorboard]


@contextmanager
def endless_loop(writer: SummaryWriter) -> Iterator[None]:
    """A thread that logs a point every STEP_SECONDS and never calls flush or close."""
    stop = threading.Event()

    def loop() -> None:
        step = 0
        while not stop.wait(STEP_SECONDS):
            writer.add_scalar("loss", 1 / (step + 1), step)
            step += 1

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("fast", [True, False], ids=["fast reader", "slow reader"])
def test_points_appear_while_the_loop_runs(tmp_path: Path, fast: bool) -> None:
    """With a writer's default settings new points show up within seconds, again and again, none missing."""
    writer = SummaryWriter(str(tmp_path))
    with tensorboard(tmp_path, fast=fast) as board, endless_loop(writer):
        seen: list[tuple[int, float]] = []

        def more() -> list[tuple[int, float]]:
            points = board.scalars(".", "loss")
            return points if len(points) > len(seen) else []

        for _ in range(3):
            before, seen = seen, board.wait_for(more, A_FEW_SECONDS)
            assert seen[: len(before)] == before
    writer.close()
    assert [step for step, _ in seen] == list(range(len(seen)))

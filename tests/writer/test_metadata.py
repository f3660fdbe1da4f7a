"""use_metadata: nested, overlapping, among threads and tasks, under a user's class; and the second common call."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import SummaryWriter
from tbasync.compat.tensorboardx import TensorboardXWriter

from ..support.plain_reader import events, scalars


def moments(run: Path) -> list[tuple[int, float]]:
    """Step and wall time of each summary, in the order of the file."""
    return [(event.step, event.wall_time) for event in events(run) if event.HasField("summary")]


@pytest.mark.parametrize("kind", [SummaryWriter, TensorboardXWriter])
def test_the_outer_context_counts_again_after_the_inner_one(
    tmp_path: Path, kind: type[SummaryWriter]
) -> None:
    """A call with a step of its own takes the wall time of whichever context is around it."""
    with kind(tmp_path) as writer:
        writer.add_scalar("t", 0.0, 0, 9.0)  # tensorboardX's common call is that of a known tag
        with writer.use_metadata(walltime=1.5):
            with writer.use_metadata(global_step=3):
                writer.add_scalar("t", 1.0, 1)
            with writer.use_metadata(walltime=2.5):
                writer.add_scalar("t", 1.0, 2)
            writer.add_scalar("t", 1.0, 3)
            writer.add_scalar("t", 1.0)
            writer.add_scalar("t", 1.0, 4, 7.0)
            writer.log_metrics({"t": 1.0}, 5)
            writer.add_scalar("t", np.float64(1.0), 6)
        writer.add_scalar("t", 1.0, 7)
    found = moments(tmp_path)
    assert found[1][1] > 1e9  # the inner context has no wall time, and hides that of the outer one
    expected = [(2, 2.5), (3, 1.5), (0, 1.5), (4, 7.0), (5, 1.5), (6, 1.5)]
    assert found[2:-1] == expected
    assert found[-1][1] > 1e9


def test_a_users_own_add_scalar_is_called_within_it(tmp_path: Path) -> None:
    """A subclass that overrides `add_scalar` loses no call to the context, and the context reaches what it calls."""

    class Prefixed(SummaryWriter):
        def add_scalar(self, tag: str, *arguments: Any, **options: Any) -> None:
            super().add_scalar(f"mine/{tag}", *arguments, **options)

    with Prefixed(tmp_path) as writer, writer.use_metadata(global_step=4, walltime=2.5):
        writer.add_scalar("t", 1.0)
        writer.add_scalar("t", 2.0, 5)
    assert scalars(tmp_path) == {"mine/t": [(4, 1.0), (5, 2.0)]}
    assert moments(tmp_path) == [(4, 2.5), (5, 2.5)]


@pytest.mark.parametrize("through_file_writer", [False, True])
def test_contexts_that_overlap(tmp_path: Path, through_file_writer: bool) -> None:
    """Closed in the order they were opened in, each lasts as long as it is open, and nothing stays behind."""
    writer = SummaryWriter(tmp_path)
    files = writer._get_file_writer()
    owner: Any = files if through_file_writer else writer

    def log() -> None:
        if through_file_writer:
            files.add_summary(_summary())
        else:
            writer.add_scalar("t", 1.0)

    first, second = (
        owner.use_metadata(global_step=1, walltime=1.5),
        owner.use_metadata(global_step=2, walltime=2.5),
    )
    first.__enter__()
    second.__enter__()
    log()
    first.__exit__(None, None, None)
    log()
    second.__exit__(None, None, None)
    log()
    writer.close()
    found = moments(tmp_path)
    assert found[:2] == [(2, 2.5), (2, 2.5)]
    assert (found[2][0], found[2][1] > 1e9) == (0, True)
    assert writer._queue is writer._pipeline.queue  # the common call is as cheap again as it was


def _summary() -> Any:
    from tbasync import proto

    summary = proto.Summary()
    summary.value.add(tag="t", simple_value=1.0)
    return summary


def test_another_threads_calls_do_not_take_the_context(tmp_path: Path) -> None:
    """What other threads log meanwhile has its own steps and wall times."""
    with SummaryWriter(tmp_path) as writer:

        def log() -> None:
            writer.add_scalar("other", 1.0)
            writer.add_scalar("other", 1.0, 5)
            writer.log_metrics({"other": 1.0}, 6)

        with writer.use_metadata(global_step=9, walltime=2.5):
            thread = threading.Thread(target=log)
            thread.start()
            thread.join()
            writer.add_scalar("own", 1.0)
    found = moments(tmp_path)
    assert [step for step, _ in found] == [0, 5, 6, 9]
    assert [wall_time > 1e9 for _, wall_time in found] == [True, True, True, False]


def test_tasks_have_contexts_of_their_own(tmp_path: Path) -> None:
    """Tasks that take turns log with their own steps; one that outlives the context it was started in has none."""
    writer = SummaryWriter(tmp_path)

    async def train(step: int) -> None:
        with writer.use_metadata(global_step=step):
            for _ in range(3):
                await asyncio.sleep(0)
                writer.add_scalar(f"task{step}", 1.0)

    async def late(closed: asyncio.Event) -> None:
        writer.add_scalar("within", 1.0)
        await closed.wait()
        writer.add_scalar("after", 1.0)

    async def main() -> None:
        closed = asyncio.Event()
        await asyncio.gather(train(1), train(2))
        with writer.use_metadata(global_step=3):
            task = asyncio.create_task(late(closed))
            await asyncio.sleep(0)
        closed.set()
        await task

    # On a thread of its own: Playwright keeps an event loop running on the tests' thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(main())).result()
    writer.close()
    expected = {"task1": [(1, 1.0)] * 3, "task2": [(2, 1.0)] * 3, "within": [(3, 1.0)], "after": [(0, 1.0)]}
    assert scalars(tmp_path) == expected


@pytest.mark.parametrize("kind", [SummaryWriter, TensorboardXWriter])
def test_values_and_steps_of_the_second_common_call(tmp_path: Path, kind: type[SummaryWriter]) -> None:
    """ints, numpy's floats, no step, and steps of 64 bits take a short way to the same file."""
    steps = [None, 0, -1, 2**30, -(2**63), 2**63 - 1]
    values = [
        1.5,
        3,
        np.float64(0.1),
        np.float32(0.1),
        float("inf"),
        2**200,
        np.float64(-0.0),
        True,
        np.int64(7),
    ]
    with kind(tmp_path) as writer:
        writer._add_scalar = None  # type: ignore[method-assign, assignment]
        for step in steps:
            for value in values:
                writer.add_scalar("t", value, step)
        del writer._add_scalar
    with np.errstate(over="ignore"):
        expected = [(step or 0, float(np.float32(float(value)))) for step in steps for value in values]
    assert scalars(tmp_path) == {"t": expected}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("t", 10**400), "scalar_value is an integer too large"),
        (("t", 1, 2**63), "global_step must fit"),
        (("t", 1.0, 1.5), "global_step must be an integer"),
        ((3, 1), "tag must be a str"),
    ],
)
def test_what_the_second_common_call_does_not_take(
    tmp_path: Path, arguments: tuple[Any, ...], error: str
) -> None:
    """Wrong arguments are told as ever."""
    with SummaryWriter(tmp_path) as writer, pytest.raises((TypeError, ValueError), match=error):
        writer.add_scalar(*arguments)

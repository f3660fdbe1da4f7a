"""Pipelines of the ranks that reduce together: the one that writes, and those that send."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import LoggingError, TbasyncError, WriterStalledError
from ..pipeline.items import Barrier, Task
from ..pipeline.pipeline import Options, Pipeline
from ..pipeline.stats import Reductions, Stats
from .block import Block
from .exchange import Exchange
from .receiver import Receiver
from .reduction import Reducer
from .reports import Pending
from .sender import Sender
from .side import Side
from .team import Reduction, Team, check_reduce

# How often a closing writer looks whether the other ranks are done.
_LOOK_SECONDS = 0.1
# What the last turn gets at least, to close the mailbox.
_LAST_TURN_SECONDS = 1.0


class ReducingPipeline(Pipeline):
    """A pipeline whose scalars meet those of other ranks.

    It has a further thread, the exchange, which talks to the job's store. Neither the threads that push nor
    the one that writes ever wait for it; `flush()` and `close()` do, for a bounded time.

    Attributes:
        team: the ranks.
        overrides: tag -> its reductions, where they are not those of the team.
    """

    def __init__(self, options: Options, purge_step: int | None, team: Team) -> None:
        """Creates the main run's directory and event file, if this rank writes.

        Raises:
            OSError: the directory or file cannot be made.
        """
        self.team = team
        self.overrides: dict[str, tuple[Reduction, ...]] = {}
        self._forked = False
        super().__init__(options, purge_step)
        self._exchange.start()

    def _prepare_exchange(self, side: Side) -> None:
        interval = self.team.exchange_interval(self.options.interval)
        self._side = side
        self._exchange = Exchange(side, interval, self._faults)

    def _begin(self) -> None:
        if not self._forked:
            self._exchange.start()
        super()._begin()

    def reset_after_fork(self) -> None:
        """A forked child reduces nothing: its rank is the parent's, and so is its part in the exchange."""
        self._exchange.forget()
        self._forked = True
        super().reset_after_fork()

    def _with_traffic(self, stats: Stats, reductions: Reductions) -> Stats:
        traffic = self._side.traffic
        return dataclasses.replace(
            stats,
            reductions=dataclasses.replace(
                reductions,
                unread=reductions.unread + traffic.unread,
                blocks_sent=traffic.blocks_sent,
                bytes_sent=traffic.bytes_sent,
                blocks_received=traffic.blocks_received,
                bytes_received=traffic.bytes_received,
                exchange_cpu_seconds=traffic.cpu_seconds,
            ),
        )


class WritingPipeline(ReducingPipeline):
    """The pipeline of the rank that reduces and writes."""

    def _build(self) -> None:
        super()._build()
        if self._forked:
            return
        self._untaken = 0
        self._abandoned = False
        self._reducer = Reducer(self.team, self.options.log_dir, self.overrides, self._worker)
        self._worker.diversion = self._reducer
        self._prepare_exchange(Receiver(self.team, self))

    # -- what the receiver asks of its hearer --------------------------------------------------------------

    def hear(self, blocks: list[Block]) -> None:
        """Has the writer thread take what other ranks sent, in its turn."""
        if (blocks or self._reducer.waits) and not self._abandoned:
            self._untaken += 1
            self.queue.put(Task(lambda: self._take(blocks)))

    def keeps_up(self) -> bool:
        """Whether it has taken what it heard before."""
        return self._untaken <= 0

    def _take(self, blocks: list[Block]) -> None:
        self._untaken = 0
        self._guarded(lambda: self._reducer.hear(blocks))

    def _write_everything(self) -> None:
        self._guarded(lambda: self._reducer.write_ready(everything=True))

    def _guarded(self, reduce: Callable[[], object]) -> None:
        try:
            reduce()
        except Exception as error:
            message = f"scalars of other ranks could not be reduced: {type(error).__name__}: {error}"
            self._faults.failed(("reduce", type(error)), message, error)

    # -- barriers ------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """Writes what this rank has pushed and what others have flushed before, complete or not."""
        self._refuse_on_worker("flush")
        if self._forked or self.closed:
            return super().flush(timeout, fsync=fsync)
        clock = _Clock(timeout, self.team.timeout)
        reached = self._exchange.sync(clock.patience())
        self.queue.put(Task(self._write_everything))
        passed = super().flush(clock.left(), fsync=fsync)
        if not reached and timeout is None:
            raise WriterStalledError(
                f"the job's store has not answered for {self.team.timeout:.0f} s, so that what other ranks "
                "have flushed may not be written yet; nothing is lost, and logging goes on should it answer"
            )
        return reached and passed

    def close(self, timeout: float | None = None) -> bool:
        """Waits, for as long as a group would, until the other ranks are done; then as `Pipeline.close`."""
        self._refuse_on_worker("close")
        if self._forked or self.closed:
            return super().close(timeout)
        clock = _Clock(timeout, self.team.timeout)
        if self.team.world > 1:
            self._await_others(clock)
        self._exchange.finish(max(clock.patience(), _LAST_TURN_SECONDS))
        self.queue.put(Task(self._write_everything))
        return super().close(clock.left())

    def _await_others(self, clock: _Clock) -> None:
        while clock.patience() > 0:
            self._exchange.sync(clock.patience())
            barrier = Barrier()
            self.queue.put_barrier(barrier)
            with contextlib.suppress(TbasyncError):  # the files' trouble is reported when they are closed
                self.wait_for(barrier, clock.patience())
            if self._reducer.settled:
                return
            time.sleep(min(_LOOK_SECONDS, clock.patience()))
        unmet = self._reducer.stats().unmet
        if unmet:
            self._faults.note(
                "unmet",
                f"nothing has been heard of the ranks {_some(unmet)}, so nothing of theirs is in the "
                "reductions; with reduce= every rank must construct the writer, and as many of them",
            )

    def abandon(self) -> None:
        """Writes what there is and ends, in the background."""
        if not self._forked:
            self._abandoned = True
            self._exchange.finish_soon(0.0)
            self.queue.put(Task(self._write_everything))
        super().abandon()

    def stats(self) -> Stats:
        """The counters now."""
        stats = super().stats()
        return stats if self._forked else self._with_traffic(stats, self._reducer.stats())


class SendingPipeline(ReducingPipeline):
    """The pipeline of a rank whose scalars another one writes."""

    def __init__(self, options: Options, purge_step: int | None, team: Team, *, writes: bool) -> None:
        """Creates the main run's directory and event file if this rank writes something else there.

        Raises:
            OSError: the directory or file cannot be made.
        """
        self._writes = writes
        super().__init__(options, purge_step, team)

    def _open(self, purge_step: int | None) -> None:
        if self._writes:
            super()._open(purge_step)

    def _build(self) -> None:
        super()._build()
        worker = self._worker if self._writes else None
        self._pending = Pending(self.options.log_dir, self.team.reduce, self.overrides, worker)
        if not self._forked:
            self._sender = Sender(self.team, self._pending, self.overrides)
            self._prepare_exchange(self._sender)
        if not (self._forked and self._writes):
            self._worker.diversion = self._pending

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """Hands what was pushed to the job's store, where the writing rank's next `flush()` finds it."""
        clock = _Clock(timeout, self.team.timeout)
        sent = False
        try:
            passed = super().flush(timeout, fsync=fsync)
        finally:
            sent = self._forked or self.closed or self._exchange.sync(clock.patience())
        if not sent and timeout is None:
            raise WriterStalledError(
                f"the job's store has not answered for {self.team.timeout:.0f} s; what was pushed is kept, "
                "and sent should it answer"
            )
        return passed and sent

    def close(self, timeout: float | None = None) -> bool:
        """Hands over what was pushed, and tells the writing rank that nothing more will come."""
        clock = _Clock(timeout, self.team.timeout)
        closed_before = self.closed
        try:
            passed = super().close(timeout)
        finally:
            sent = self._forked or closed_before or self._exchange.finish(clock.patience())
        if not sent and self._sender.held:
            lost = self._sender.give_up()
            raise LoggingError(f"{lost} scalars could not be handed to the rank that writes them", lost)
        return passed

    def abandon(self) -> None:
        """Sends what there is and ends, in the background."""
        super().abandon()
        if not self._forked:
            self._exchange.finish_soon(self.team.timeout)

    def stats(self) -> Stats:
        """The counters now."""
        stats = super().stats()
        if self._forked:
            return stats
        held, dropped = self._sender.held, self._sender.dropped + self._pending.dropped
        gone = self._pending.taken_in - held
        stats = dataclasses.replace(
            stats,
            written=stats.written + gone - dropped,
            dropped=stats.dropped + dropped,
            waiting=stats.waiting - gone,
        )
        return self._with_traffic(stats, Reductions())


class _Clock:
    """What is left of a timeout, and of the patience with other ranks."""

    def __init__(self, timeout: float | None, patience: float) -> None:
        now = time.monotonic()
        self._ends = None if timeout is None else now + timeout
        self._patience_ends = now + (patience if timeout is None else min(timeout, patience))

    def left(self) -> float | None:
        """Seconds left of the timeout; None if there is none."""
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())

    def patience(self) -> float:
        """Seconds left to wait for others."""
        return max(0.0, self._patience_ends - time.monotonic())


def _some(ranks: Sequence[int]) -> str:
    named = ", ".join(map(str, ranks[:8]))
    return named if len(ranks) <= 8 else f"{named} and {len(ranks) - 8} others"


def reducing_pipeline(options: Options, purge_step: int | None, team: Team, *, writes: bool) -> Pipeline:
    """The pipeline of this process's rank.

    Args:
        options: the writer's.
        purge_step: as `SummaryWriter` takes it.
        team: the ranks.
        writes: whether this rank has a file of its own.

    Raises:
        OSError: the directory or file cannot be made.
    """
    if team.rank == team.writer:
        return WritingPipeline(options, purge_step, team)
    return SendingPipeline(options, purge_step, team, writes=writes)


def reduce_tag(pipeline: Pipeline, tag: str, reduce: Any) -> None:
    """Has a tag reduced in a way of its own from now on.

    Raises:
        TypeError, ValueError: `reduce` names no reductions, or the writer was made without `reduce=`.
    """
    names = check_reduce(reduce)
    if not isinstance(pipeline, ReducingPipeline):
        raise ValueError(
            f"reduce={reduce!r} was given for the tag {tag!r}, but the writer was constructed without "
            "reduce=; reduce=() there reduces only the tags that ask for it"
        )
    pipeline.overrides[tag] = names

"""Pipelines of the ranks that reduce together: what the one that writes and those that send have in common."""

from __future__ import annotations

import dataclasses
import threading
import time
from abc import abstractmethod
from collections.abc import Callable

from ..pipeline.items import Barrier, Task
from ..pipeline.options import Options
from ..pipeline.pipeline import Pipeline
from ..pipeline.stats import Reductions, Stats
from .exchange import End, Exchange
from .side import Side
from .team import Reduction, Team

# Of a closing caller's timeout, the part spent on other ranks: the rest is for what this one has to write.
_FOR_OTHERS = 0.8
# How much longer than that an exchange may take to end.
_GRACE_SECONDS = 2.0
# Of the timeout, the same for trying to write at all while files cannot be written.
_TRYING = 0.9


class Patience:
    """How long to wait: for everything, and for other ranks, who get as long as a group does at most."""

    def __init__(self, timeout: float | None, for_others: float) -> None:
        """Begins now.

        Args:
            timeout: seconds in all; None is without bound.
            for_others: seconds for the other ranks, or for the store, at most.
        """
        now = time.monotonic()
        self._ends = None if timeout is None else now + timeout
        self.others_end = now + (for_others if timeout is None else min(_FOR_OTHERS * timeout, for_others))

    def left(self) -> float | None:
        """Seconds left in all; None is without bound."""
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())

    def for_others(self) -> float:
        """Seconds left for the other ranks."""
        return max(0.0, self.others_end - time.monotonic())


class Closing:
    """A close that has been asked for: first the exchange ends, then the worker meets the last barrier."""

    def __init__(self, barrier: Barrier, patience: Patience) -> None:
        self.barrier = barrier
        self.patience = patience
        self._once = threading.Lock()

    def first(self) -> bool:
        """True for the first caller alone."""
        return self._once.acquire(blocking=False)


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
        self._start_exchange()

    def _build(self) -> None:
        super()._build()
        self._closing: Closing | None = None
        if self._forked:
            self._build_alone()
            return
        self._side = self._build_side()
        interval = self.team.exchange_interval(self.options.interval)
        self._exchange = Exchange(self._side, interval, self._faults)

    @abstractmethod
    def _build_side(self) -> Side:
        """Has the worker's scalars diverted, and makes this rank's end of the exchange."""

    @abstractmethod
    def _build_alone(self) -> None:
        """The same in a forked child, which reduces nothing: its rank is the parent's."""

    @abstractmethod
    def _ask_exchange_to_end(self, closing: Closing) -> None:
        """Has the exchange end when it may; then `_put_last(closing)`."""

    def _exchanges(self) -> bool:
        """Whether there is anybody to exchange with, now."""
        return self.team.connect is not None and not self._forked

    def _start_exchange(self) -> None:
        # While it is closing the worker may be started to write the rest; what is pushed after that starts
        # another worker, and finds no closing.
        if self._exchanges() and self._closing is None:
            self._exchange.start()

    def _begin(self) -> None:
        self._start_exchange()
        super()._begin()

    def _ended(self) -> None:
        self._closing = None
        # Whoever put the last barrier rings after that. The worker may have ended by then: another one begins,
        # with the exchange, and finds nothing to do.
        if self._exchanges():
            self._exchange.retire()
        super()._ended()

    def _submit(self, function: Callable[[], object]) -> None:
        """Has the worker do something in its turn, however full the queue is."""
        self.queue.append(Task(function))
        if len(self.queue.items) > self.queue.limit:
            self.ring()

    # -- closing -------------------------------------------------------------------------------------------

    def ask_to_close(self, timeout: float | None) -> Barrier | None:
        """Has exchange and worker end when all is done, or when there is no more time for it."""
        if self.closed or not self._exchanges():
            return super().ask_to_close(timeout)
        if self._closing is None:
            give_up_at = time.monotonic() + _TRYING * (timeout or 0.0)
            barrier = Barrier(fsync=self.options.fsync, last=True, give_up_at=give_up_at)
            self._closing = Closing(barrier, Patience(timeout, self.team.timeout))
            self._ask_exchange_to_end(self._closing)
        return self._closing.barrier

    def _end_when(self, closing: Closing, ready: Callable[[], bool]) -> End:
        return End(closing.patience.others_end, ready, lambda: self._put_last(closing))

    def _put_last(self, closing: Closing) -> None:
        if closing.first():
            self._stop_listening()
            self.queue.put_barrier(closing.barrier)

    def _stop_listening(self) -> None:
        """Called once before the last barrier is put: nothing of the exchange may come after it."""

    def wait_for(self, barrier: Barrier, timeout: float | None) -> bool:
        """Waits for a barrier; see `Pipeline.wait_for`. A hung store delays the last one, but not for ever."""
        closing = self._closing
        if closing is None or closing.barrier is not barrier:
            return super().wait_for(barrier, timeout)
        patience = Patience(timeout, self.team.timeout)
        # By then it ends of itself, if it does not hang in a request.
        self._exchange.join(min(patience.for_others(), closing.patience.for_others() + _GRACE_SECONDS))
        self._put_last(closing)
        return super().wait_for(barrier, patience.left())

    # -- the rest ------------------------------------------------------------------------------------------

    def reset_after_fork(self) -> None:
        """In a forked child: as `Pipeline.reset_after_fork`, and the exchange is the parent's."""
        if not self._forked:
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

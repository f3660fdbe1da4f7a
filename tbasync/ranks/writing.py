"""The pipeline of the rank that reduces and writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ..errors import WriterStalledError
from ..pipeline.options import check_timeout
from ..pipeline.stats import Stats
from .base import Closing, Patience, ReducingPipeline
from .block import Block
from .receiver import Receiver
from .reduction import Reducer
from .side import Side


class WritingPipeline(ReducingPipeline):
    """Writes what it and the other ranks push, reduced."""

    def _build_side(self) -> Side:
        self._told = self._taken = 0
        self._deaf = False
        self._telling = threading.Lock()
        self._drained = False
        interval = self.team.exchange_interval(self.options.interval)
        self._reducer = Reducer(self.team, self.options.log_dir, self.overrides, self._worker, interval)
        self._worker.diversion = self._reducer
        return Receiver(self.team, self)

    def _build_alone(self) -> None:
        """What a forked child logs is written as it is, to a file of its own."""

    # -- what the receiver asks of its hearer --------------------------------------------------------------

    def hear(self, blocks: list[Block]) -> None:
        """Has the worker take what other ranks sent, in its turn."""
        if blocks or self._reducer.waits:
            with self._telling:  # or it could come after the last barrier, and start the next worker
                if not self._deaf:
                    self._told += 1
                    self.submit(lambda: self._take(blocks))

    def keeps_up(self) -> bool:
        """Whether the worker has taken what was heard before."""
        return self._taken == self._told

    def _take(self, blocks: list[Block]) -> None:
        self._taken += 1
        self._guarded(lambda: self._reducer.hear(blocks))

    def _write_everything(self) -> None:
        self._guarded(lambda: self._reducer.write_ready(everything=True))

    def _guarded(self, reduce: Callable[[], object]) -> None:
        try:
            reduce()
        except Exception as error:
            message = f"scalars of other ranks could not be reduced: {type(error).__name__}: {error}"
            self._faults.failed(("reduce", type(error)), message, error)

    # -- series that begin anew ----------------------------------------------------------------------------

    def purge(self, step: int) -> None:
        """Hides what was pushed before from a step on, what waits for other ranks included."""
        self._write_what_waits()
        super().purge(step)

    def reset(self, tag: str) -> None:
        """Hides what was pushed before under a scalar's tag, what waits for other ranks included."""
        self._write_what_waits()
        super().reset(tag)

    def _write_what_waits(self) -> None:
        if not self._forked:  # what waits is the parent's
            self.submit(self._write_everything)

    # -- barriers ------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """Writes what this rank has pushed and what others have flushed before, complete or not."""
        timeout = check_timeout(timeout)
        self._refuse_on_worker("flush")
        if self.closed or not self._exchanges():
            return super().flush(timeout, fsync=fsync)
        patience = Patience(timeout, self.team.timeout)
        reached = self._exchange.sync(patience.for_others())
        self.submit(self._write_everything)
        passed = super().flush(patience.left(), fsync=fsync)
        if not reached and timeout is None:
            raise WriterStalledError(
                f"the job's store has not answered for {self.team.timeout:.0f} s, so that what other ranks "
                "have flushed may not be written yet; nothing is lost, and logging goes on should it answer"
            )
        return reached and passed

    def _ask_exchange_to_end(self, closing: Closing) -> None:
        """Lets the other ranks finish: until they have nothing more to say, or the time is over."""
        self._drained = False
        self.submit(self._drain)
        self._exchange.finish(self._end_when(closing, self._settled))

    def _drain(self) -> None:
        """In the worker's turn, after all that was pushed before the close."""
        self._reducer.end()
        self._drained = True

    def _settled(self) -> bool:
        return self._drained and self.keeps_up() and self._reducer.settled

    def _start_exchange(self) -> None:
        if self._closing is None:
            self._deaf = False
        super()._start_exchange()

    def _stop_listening(self) -> None:
        with self._telling:
            self._deaf = True
        unmet = self._reducer.stats().unmet
        if unmet:
            self._faults.note(
                "unmet",
                f"nothing has been heard of the ranks {_some(unmet)}, so nothing of theirs is in the "
                "reductions; with reduce= every rank must construct the writer, and as many of them",
            )
        self.submit(self._write_everything)

    def stats(self) -> Stats:
        """The counters now."""
        stats = super().stats()
        return stats if self._forked else self._with_traffic(stats, self._reducer.stats())


def _some(ranks: Sequence[int]) -> str:
    named = ", ".join(map(str, ranks[:8]))
    return named if len(ranks) <= 8 else f"{named} and {len(ranks) - 8} others"

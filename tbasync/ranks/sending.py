"""The pipeline of a rank whose scalars another one writes."""

from __future__ import annotations

import dataclasses

from ..errors import LoggingError, WriterStalledError
from ..pipeline.items import Barrier
from ..pipeline.options import Options, check_timeout
from ..pipeline.stats import Reductions, Stats
from .base import Closing, Patience, ReducingPipeline
from .reports import Nowhere, Pending
from .sender import Sender
from .side import Side
from .team import Team


class SendingPipeline(ReducingPipeline):
    """Sends what is to be reduced; writes the rest, if this rank writes at all."""

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

    def _build_side(self) -> Side:
        worker = self._worker if self._writes else None
        self._pending = Pending(self.options.log_dir, self.team.reduce, self.overrides, worker)
        self._worker.diversion = self._pending
        self._sender = Sender(self.team, self._pending, self.overrides, self._faults)
        return self._sender

    def _build_alone(self) -> None:
        """A forked child's scalars have nowhere to go, unless this rank writes itself."""
        if not self._writes:
            self._worker.diversion = Nowhere()

    # -- barriers ------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """Hands what was pushed to the job's store, where the writing rank's next `flush()` finds it."""
        timeout = check_timeout(timeout)
        patience = Patience(timeout, self.team.timeout)
        exchanges = self._exchanges() and not self.closed
        sent = True
        try:
            passed = super().flush(timeout, fsync=fsync)
        finally:
            if exchanges:
                sent = self._exchange.sync(patience.for_others())
        if not sent and timeout is None:
            raise WriterStalledError(
                f"the job's store has not answered for {self.team.timeout:.0f} s; what was pushed is kept, "
                "and sent should it answer"
            )
        return passed and sent

    def _ask_exchange_to_end(self, closing: Closing) -> None:
        """Has the worker send the exchange home, after all that was pushed before the close."""
        end = self._end_when(closing, lambda: True)
        self.submit(lambda: self._exchange.finish(end))

    def wait_for(self, barrier: Barrier, timeout: float | None) -> bool:
        """Waits for a barrier; what could not be handed over by the last one is lost, and said."""
        passed = super().wait_for(barrier, timeout)
        if passed and barrier.last and not self._forked:
            lost = self._sender.give_up()
            if lost:
                message = f"{lost} scalars could not be handed to the rank that writes them, and are lost"
                self._faults.failed("unsent", message, LoggingError(message, lost), lost)
        return passed

    def stats(self) -> Stats:
        """The counters now."""
        stats = super().stats()
        if self._forked:
            lost = 0 if self._worker.diversion is None else self._worker.diversion.held
            return dataclasses.replace(stats, dropped=stats.dropped + lost, waiting=stats.waiting - lost)
        held, dropped = self._sender.held, self._sender.dropped + self._pending.dropped
        gone = self._pending.taken_in - held
        stats = dataclasses.replace(
            stats,
            written=stats.written + gone - dropped,
            dropped=stats.dropped + dropped,
            waiting=stats.waiting - gone,
        )
        return self._with_traffic(stats, Reductions())

"""The writer thread's life: wait for work, drain, retry what cannot be written, end at the last barrier."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import LoggingError
from .faults import Faults, describe
from .items import Barrier
from .options import Options
from .output import Output
from .queue import PushQueue
from .thread import WriterThread
from .worker import Worker

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0
_LONGEST_REST_SECONDS = 2.0
# A thread that has failed this often without any progress, within less than a second, will fail again.
_MOST_DEATHS = 5


class Loop:
    """What each writer thread of a pipeline runs, one after the other.

    Attributes:
        thread: who runs it.
        failing: what the thread fails of again and again, without getting anything done.
        deaths: how often it has failed since it last got something done.
    """

    def __init__(
        self,
        options: Options,
        queue: PushQueue,
        output: Output,
        faults: Faults,
        worker: Worker,
        begin: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        """Starts nothing.

        Args:
            options: the pipeline's.
            queue: what to drain.
            output: where to.
            faults: who is told of failures.
            worker: who does the encoding.
            begin: called before a thread starts.
            ended: called, still as the worker, when everything is closed.
        """
        self.thread = WriterThread(queue, begin, self._run, self._run_here)
        self._options = options
        self._queue = queue
        self._output = output
        self._faults = faults
        self._worker = worker
        self._begin = begin
        self._ended = ended
        self._pause = 0.0
        self._tried: set[Barrier] = set()  # barriers that were there when writing was last tried
        self._closed_at = -1  # summaries taken when the files were last closed
        self.failing: BaseException | None = None
        self.deaths = 0  # without a drain that ended well in between

    def _run(self) -> None:
        while self._shift():
            pass

    def _shift(self) -> bool:
        """Works until the thread has resigned, or until something fails that never should: True then."""
        try:
            if self.deaths:  # not at full speed, should it fail again and again
                self.thread.wait(min(0.01 * 2 ** min(self.deaths, 10), _LONGEST_REST_SECONDS))
            while self._turn():
                pass
        except BaseException as error:  # a bug, no memory, an exception injected from another thread
            if self.thread.is_me():
                self._survive(error)
                return True
        return False

    def _run_here(self) -> None:
        """Drains on the calling thread, once: the interpreter is ending, another would not be waited for."""
        while True:
            try:
                last = self._worker.drain()
            except BaseException as error:
                self._survive(error)
                if not isinstance(error, Exception):
                    raise  # the caller's Ctrl-C; the thread's owner gives the claim back
                if self.failing is None:
                    continue
                self.thread.leave()
                return
            if self._output.write_error is not None:
                for barrier in self._queue.barriers.copy():
                    self._queue.settle(barrier, self._cannot_write())
                self.thread.leave()
                return
            if self._departed(last):
                return
            self._output.deliver()
            if self.thread.resign():
                return

    def _turn(self) -> bool:
        """Waits for work, gathers a batch, drains; False when the thread has resigned."""
        if self._closed_at == self._worker.taken and self._queue.empty():
            # Started by who put the last barrier and rang after it had been met: nothing may ever come.
            return not self._resign()
        if self._output.write_error is None:
            self._wait_for_work()
        else:
            self._wait_to_retry()
        # Those that come while it is tried have not been tried for: they are worth another try.
        self._tried = self._queue.barriers.copy()
        last = self._worker.drain()
        self.failing, self.deaths = None, 0
        if self._output.write_error is None:
            self._pause = 0.0
        elif last is None:
            last = self._refuse_barriers()
        return not self._departed(last)

    def _wait_for_work(self) -> None:
        patience = self._options.interval
        if self._queue.park():
            rang = self.thread.wait(self._output.files.due_in())
            self._queue.gather()
            if not rang:  # something is due to be uploaded
                return
        elif self._worker.left:
            patience -= time.perf_counter() - self._worker.began
        if not self._queue.urgent and patience > 0:
            self.thread.wait(patience)
        self._queue.urgent = False

    def _wait_to_retry(self) -> None:
        """Sleeps ever longer, but a new barrier is worth a try at once: its caller waits.

        Pushes ring too, while the queue is full; they must not turn the retries into a busy loop.
        """
        self._pause = min(max(2 * self._pause, _FIRST_RETRY_SECONDS), _LAST_RETRY_SECONDS)
        until = min([time.monotonic() + self._pause, *(b.give_up_at for b in self._tried if b.last)])
        while self._queue.barriers <= self._tried and (left := until - time.monotonic()) > 0:
            self.thread.wait(left)

    def _refuse_barriers(self) -> Barrier | None:
        """Tells who waits that files cannot be written; returns the last barrier if its time is over."""
        for barrier in self._tried:
            if not barrier.last:
                self._queue.settle(barrier, self._cannot_write())
        ended = [b for b in self._tried if b.last and b.give_up_at <= time.monotonic()]
        if not ended:
            return None
        self._give_up(ended[0])
        return ended[0]

    def _cannot_write(self) -> LoggingError:
        error = self._output.write_error
        assert error is not None
        failure = LoggingError(
            f"event files in {self._options.log_dir!r} cannot be written ({describe(error)}); what was "
            "pushed is kept up to the writer's capacity, and writing is tried again",
            max(1, self._output.pending),
        )
        failure.__cause__ = error
        return failure

    def _give_up(self, last: Barrier) -> None:
        """Empties the queue and the output unwritten, and tells who waits; `last` is answered when all is closed."""
        error = self._output.write_error
        assert error is not None
        lost = self._worker.give_up()
        unsent = self._output.files.unsent
        for barrier in {last, *self._queue.barriers.copy()}:
            said = self._of_lost(lost, error) if lost or not unsent else []
            failure = LoggingError("; ".join(said + self._of_unsent(unsent, error)), max(1, lost + unsent))
            failure.__cause__ = error
            if barrier is last:
                last.failure = failure
            else:
                self._queue.settle(barrier, failure)

    def _of_lost(self, lost: int, error: Exception) -> list[str]:
        where = repr(self._options.log_dir)
        return [f"{lost} summaries could not be written to {where} and are lost ({describe(error)})"]

    def _of_unsent(self, unsent: int, error: Exception) -> list[str]:
        if not unsent:
            return []
        where, spool = self._options.log_dir, self._output.files.spool
        return [
            f"{unsent} summaries are not in {where!r} ({describe(error)}), but in event files in {spool!r}: copy "
            "what is in its folder 'files' there, or use the writer again, which uploads them first"
        ]

    def _departed(self, last: Barrier | None) -> bool:
        """Ends if the last barrier was met, or if there was nothing but barriers since; whether it has."""
        if last is not None:
            return self._end(last)
        return self._closed_at == self._worker.taken and self._resign()

    def _end(self, last: Barrier) -> bool:
        """Closes the files, resigns unless something was pushed meanwhile, answers the last barrier."""
        failure = self._output.close()
        self._closed_at = self._worker.taken
        resigned = self._resign()
        self._queue.settle(last, last.failure or failure)
        return resigned

    def _resign(self) -> bool:
        self._ended()
        if self.thread.resign():
            return True
        self._begin()
        return False

    def _survive(self, error: BaseException) -> None:
        """The worker itself has failed: what it was busy with is lost, all else goes on."""
        self.deaths += 1
        self.failing = error if self.deaths >= _MOST_DEATHS else None
        lost = self._worker.recover()
        message = f"the writer thread met {describe(error)}; {lost} summaries are lost, and it goes on"
        if lost:
            self._faults.failed("worker", message, error, lost)
        else:
            self._faults.note("worker", message)

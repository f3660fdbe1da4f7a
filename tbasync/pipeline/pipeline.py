"""One writer's queue, writer thread and files, and how they are opened, waited for, closed and forked."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

from ..errors import TbasyncError, WriterStalledError
from ..files.event_file import FileNames
from ..files.interface import Files
from ..files.remote import RemoteFiles
from ..files.runs import RunFiles
from ..files.store import Store
from . import process
from .faults import Faults, describe
from .items import Barrier, Task, summaries_of
from .loop import Loop
from .options import Options, check_timeout
from .output import Output
from .queue import PushQueue
from .self_report import SelfReport
from .stats import Stats
from .worker import Worker

__all__ = ["Options", "Pipeline"]

# Without a timeout a barrier waits for as long as the worker gets on. If it has not moved for this long, it
# hangs in a call that may never return, such as a write to a dead network disk.
STALL_SECONDS = 60.0
# How often a waiting barrier looks whether the worker is alive. The answer itself comes at once.
_LOOK_SECONDS = 0.1
# Of a closing caller's timeout, the part spent on trying to write: the rest is for saying what is lost.
_TRYING = 0.9


class Pipeline:
    """One queue, one writer thread, the files of one writer.

    The thread is started by the first push that finds none, and ended by `close()`; the next push starts
    another one, which opens new files. Who may do what when is the claim's affair: see `thread.py`.

    Attributes:
        options: as given.
        queue: where to push.
        closed: whether `close()` has ended it and no push has started it again.
        report: what gathers the writer's report on itself; None without `self_report`.
    """

    def __init__(self, options: Options, purge_step: int | None = None, *, lazy: bool = False) -> None:
        """Creates the main run's directory and event file; the thread waits for the first push.

        Args:
            options: how it behaves.
            purge_step: hides what earlier files hold from this step on.
            lazy: create nothing before something is to be written.

        Raises:
            OSError: the directory or file cannot be made.
        """
        self.options = options
        self.queue = PushQueue(
            options.capacity, options.device_capacity, options.max_items, options.on_full, self
        )
        self._abandoned = False
        self._build()
        if options.remote is not None:
            process.flush_before_threads_end()
        if lazy:
            process.reset_in_children(self)
        else:
            self._open(purge_step)
            process.register(self)

    def _open(self, purge_step: int | None) -> None:
        if self.options.remote is None:
            self._files.open_main(purge_step)
        elif purge_step is not None:  # the store is the writer thread's affair
            self.purge(purge_step)

    def _build(self) -> None:
        options = self.options
        self.closed = False
        self._files = self._make_files()
        self._faults = Faults(options.on_error)
        self._output = Output(self._files, self._faults)
        self.report = SelfReport(self.queue) if options.self_report else None
        self._worker = Worker(self.queue, self._output, self._faults, self.report)
        self._loop = Loop(
            options, self.queue, self._output, self._faults, self._worker, self._begin, self._ended
        )
        self._thread = self._loop.thread

    def _begin(self) -> None:
        self.closed = False
        process.register(self)
        # A destructor has logged after the writer's own: nobody is left to close it.
        if self._abandoned and not any(barrier.last for barrier in self.queue.barriers.copy()):
            self.queue.put_barrier(Barrier(fsync=self.options.fsync, last=True))

    def _ended(self) -> None:
        self.closed = True
        process.forget(self)

    def _make_files(self) -> Files:
        options, remote = self.options, self.options.remote
        if remote is None:
            return RunFiles(options.log_dir, FileNames(options.filename_suffix), options.anchor)
        return RemoteFiles(
            options.log_dir,
            options.filename_suffix,
            Store(options.log_dir, remote.storage_options),
            segment_seconds=remote.flush_secs,
            segment_bytes=remote.segment_bytes,
            spool_bytes=remote.spool_bytes,
            spool_dir=remote.spool_dir,
        )

    # -- what the queue asks of its host -------------------------------------------------------------------

    def ring(self) -> None:
        """Wakes the worker, or starts one."""
        self._thread.ring()

    def waiting_is_hopeless(self) -> bool:
        self._thread.assist()
        return self._output.write_error is not None or self._thread.is_me() or not self._thread.busy

    def beats(self) -> int:
        return self._worker.beats

    def alarmed(self) -> bool:
        return self._faults.raise_at_push

    def raise_alarm(self) -> None:
        if not self._thread.is_me():
            self._faults.raise_untold()

    def note_blocked(self) -> None:
        self._faults.note(
            "blocked",
            "a push had to wait because the writer thread cannot keep up with what is logged; log less, "
            'enlarge capacity or max_items, or choose on_full="drop_newest"; stats().blocked_seconds tells '
            "how long pushes have waited",
        )

    def note_lost(self, summaries: int) -> None:
        error = self._output.write_error
        why = describe(error) if error else "the writer thread does not get on"
        message = f"summaries are dropped, for the queue is full and {why}; stats().dropped counts them"
        self._faults.failed("dropped", message, error or TbasyncError(message), summaries)

    # -- what is done in its turn --------------------------------------------------------------------------

    def submit(self, function: Callable[[], object]) -> None:
        """Has the worker do something in its turn, however full the queue is."""
        self.queue.append(Task(function))
        if len(self.queue.items) > self.queue.limit:
            self.ring()

    def purge(self, step: int) -> None:
        """Hides what was pushed before from a step on; see `SummaryWriter.purge`."""
        now = time.time()
        self.submit(lambda: self._worker.purge(now, step))

    def reset(self, tag: str) -> None:
        """Hides what was pushed before under a scalar's tag; see `SummaryWriter.reset`."""
        now = time.time()
        self.submit(lambda: self._worker.reset(now, tag))

    # -- barriers ------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """Waits until what was pushed before is with the operating system; see `SummaryWriter.flush`."""
        timeout = check_timeout(timeout)
        self._refuse_on_worker("flush")
        if sys.is_finalizing():
            return False  # no thread runs any more, and one may have been stopped with a lock in its hands
        barrier = self.ask_to_flush(fsync=fsync)
        if barrier is not None and not self.wait_for(barrier, timeout):
            return False
        self.raise_failures()
        return True

    def ask_to_flush(self, *, fsync: bool = False) -> Barrier | None:
        """Has the worker say when all that was pushed is written; None if it is already."""
        # In this order: a worker that has left the claim has emptied the queue before.
        if not self._thread.busy and self.queue.empty():
            return None
        barrier = Barrier(fsync=fsync or self.options.fsync)
        self.queue.put_barrier(barrier)
        return barrier

    def close(self, timeout: float | None = None) -> bool:
        """Flushes, ends the thread, closes the files; see `SummaryWriter.close`."""
        timeout = check_timeout(timeout)
        self._refuse_on_worker("close")
        if sys.is_finalizing():
            return False
        barrier = self.ask_to_close(timeout)
        if barrier is not None and not self.wait_for(barrier, timeout):
            return False
        self.raise_failures()
        return True

    def ask_to_close(self, timeout: float | None) -> Barrier | None:
        """Has the worker end when all is written; None if there was nothing to wait for."""
        # In this order: a worker that has left the claim has emptied the queue, and closed, before.
        if not self._thread.busy and self.closed and self.queue.empty():
            return None
        give_up_at = time.monotonic() + _TRYING * (timeout or 0.0)
        barrier = Barrier(fsync=self.options.fsync, last=True, give_up_at=give_up_at)
        self.queue.put_barrier(barrier)
        return barrier

    @property
    def closes_by_barrier(self) -> bool:
        """Whether `ask_to_close()` is all that closing takes; not for pipelines with more to do in `close()`."""
        return type(self).close is Pipeline.close

    def wait_for(self, barrier: Barrier, timeout: float | None) -> bool:
        """Waits for a barrier; False when the timeout passes first.

        Raises:
            LoggingError: it was reached, but what is before it could not be written.
            WriterStalledError: there is no timeout, and the worker hangs.
            TbasyncError: the worker fails whatever it does.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        beats, moved_at = self._worker.beats, time.monotonic()
        deaths = self._loop.deaths
        self._thread.assist()
        while not barrier.reached.acquire(timeout=_patience(deadline)):
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return False
            if self._loop.failing is not None and self._loop.deaths > deaths + 1:
                raise TbasyncError(
                    f"the writer thread fails again and again, of {describe(self._loop.failing)}: a bug in "
                    "tbasync, please report it; what was pushed is kept up to the writer's capacity"
                ) from self._loop.failing
            if self._worker.beats != beats:
                beats, moved_at = self._worker.beats, now
            elif deadline is None and now - moved_at > STALL_SECONDS:
                raise WriterStalledError(
                    f"the writer thread has not moved for {STALL_SECONDS:.0f} s; it hangs in a call that "
                    f"does not return, perhaps a write to {self.options.log_dir!r}; nothing is lost yet, "
                    "and logging goes on should it return"
                )
            if not self._thread.busy:
                self.ring()
        if barrier.failure is not None:
            raise barrier.failure
        return True

    def raise_failures(self) -> None:
        """Raises what could not be logged since the last call, if anything."""
        self._faults.raise_pending()

    def reopen(self) -> None:
        """After `close()`: open again; the next push starts a thread, which creates a new event file."""
        if self.closed:
            self._begin()

    def abandon(self) -> None:
        """Lets the thread write what was pushed and end; for a writer that was forgotten unclosed."""
        self._abandoned = True
        self.ask_to_close(None)

    @property
    def spool(self) -> str | None:
        """Where what a remote store lacks is; None for local files, or if there is nothing."""
        return self._files.spool

    def version_beside(self, path: str) -> object:
        """The version of a file in the writer's own directory, before anything is pushed; None if there is none."""
        with contextlib.suppress(OSError, ValueError):
            return self._files.read_beside(None, path)[1]
        return None

    def on_worker_thread(self) -> bool:
        """Whether the caller is this pipeline's own writer thread."""
        return self._thread.is_me()

    def _refuse_on_worker(self, method: str) -> None:
        if self._thread.is_me():
            raise TbasyncError(
                f"{method}() was called on the writer thread, which would wait for itself; call it on "
                "another thread (an on_error callback or an object's __del__ may run on this one)"
            )

    # -- the rest ------------------------------------------------------------------------------------------

    def reset_after_fork(self) -> None:
        """In a forked child: nothing is queued, no thread runs, no file is open; the parent has all that.

        What was queued is kept from being destroyed, for its destructors (a device tensor's, say) belong to
        the parent.
        """
        process.keep_for_ever((self.queue.items, self._worker, self._output))
        self._files.close()
        self.queue.reset()
        self._build()

    def stats(self) -> Stats:
        """The counters now."""
        queue, worker, output = self.queue, self._worker, self._output
        # From the end of a summary's way to its beginning, so that none is counted as done and not as begun.
        written, failed = output.written, worker.failed + output.lost
        dropped = worker.lost + queue.dropped.total
        taken = worker.taken + queue.dropped.total
        pushed = taken + sum(map(summaries_of, queue.items.copy()))
        length, nbytes = len(queue.items), queue.nbytes  # the writer thread may not have met them yet
        error = self._faults.last_error
        return Stats(
            pushed=pushed,
            written=written,
            dropped=dropped,
            failed=failed,
            waiting=pushed - written - dropped - failed,
            queue_length=length,
            queue_bytes=nbytes,
            queue_length_peak=max(length, queue.peak_items),
            queue_bytes_peak=max(nbytes, queue.peak_bytes),
            device_bytes=queue.device_bytes,
            device_bytes_peak=queue.peak_device_bytes,
            blocked_seconds=queue.blocked_nanoseconds.total / 1e9,
            worker_cpu_seconds=worker.cpu_seconds,
            bytes_written=self._files.bytes_written,
            nonfinite=worker.nonfinite,
            write_errors=output.write_errors,
            unsent=self._files.unsent,
            last_error=None if error is None else describe(error),
        )


def _patience(deadline: float | None) -> float:
    if deadline is None:
        return _LOOK_SECONDS
    return max(0.0, min(_LOOK_SECONDS, deadline - time.monotonic()))

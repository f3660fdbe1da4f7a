"""The life of a writer's queue, thread and files: started on demand, ended by a barrier, reset by a fork."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass

from ..errors import LoggingError, TbasyncError, WriterStalledError
from ..files.runs import RunFiles
from . import process
from .faults import Faults, OnError
from .items import Barrier, summaries_of
from .output import Output
from .queue import OnFull, PushQueue
from .stats import Stats
from .worker import Worker

# Without a timeout a barrier waits for as long as the worker gets on. If it has not moved for this long, it
# hangs in a call that may never return, such as a write to a dead network disk.
_STALL_SECONDS = 60.0
# How often a waiting barrier looks whether the worker is alive. The answer itself comes at once.
_LOOK_SECONDS = 0.1
_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class Options:
    """How a pipeline behaves; `SummaryWriter` documents them.

    Attributes:
        log_dir: directory of the main run.
        filename_suffix: ends the names of the event files.
        interval: seconds within which a push reaches the operating system.
        capacity: bytes that may wait.
        max_items: pushes that may wait.
        on_full: what a push does when there is no room.
        on_error: what becomes of failures.
    """

    log_dir: str
    filename_suffix: str = ""
    interval: float = 0.25
    capacity: int = 256 << 20
    max_items: int = 200_000
    on_full: OnFull = "block"
    on_error: OnError = "warn"


class Pipeline:
    """One queue, one writer thread, the files of one writer.

    The thread is started by the first push that finds none, and ended by `close()`; the next push starts
    another one, which opens new files. `_life` guards that alone: it is held for moments, never while
    anything is encoded or written.

    Attributes:
        queue: where to push.
        closed: whether `close()` has ended it and no push has started it again.
    """

    def __init__(self, options: Options, purge_step: int | None = None) -> None:
        """Creates the main run's directory and event file; the thread waits for the first push.

        Raises:
            OSError: the directory or file cannot be made.
        """
        self.options = options
        self.queue = PushQueue(options.capacity, options.max_items, options.on_full, self)
        self._build()
        self._open(purge_step)
        process.register(self)

    def _open(self, purge_step: int | None) -> None:
        self._files.open_main(purge_step)

    def _build(self) -> None:
        self.closed = False
        self._life = threading.RLock()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread: threading.Thread | None = None
        self._running = False
        self._given_up = 0
        self._death: BaseException | None = None
        self._files = RunFiles(self.options.log_dir, self.options.filename_suffix)
        self._faults = Faults(self.options.on_error)
        self._output = Output(self._files, self._faults)
        self._worker = Worker(self.queue, self._output, self._faults)

    # -- what the queue asks of its host -------------------------------------------------------------------

    def ring(self) -> None:
        """Wakes the worker, or starts one.

        Raises:
            LoggingError: `on_error="raise"`, and something failed since the last call.
        """
        with self._life:  # or the worker could be ending between the look and the ring: see `_end()`
            if not self._running:
                self._start()
        # A lock as a bell: rung twice before it is heard, it is heard once. Releasing a lock is one C call,
        # so a signal handler may ring while its own thread is ringing; an Event's lock would hang it.
        if self._bell.locked():
            with contextlib.suppress(RuntimeError):  # another thread was faster
                self._bell.release()
        if self.alarmed() and not self.on_worker_thread():
            self._faults.raise_pending()

    def waiting_is_hopeless(self) -> bool:
        return self._output.write_error is not None or self.on_worker_thread() or not self._running

    def beats(self) -> int:
        return self._worker.beats

    def alarmed(self) -> bool:
        return self._faults.raise_at_push

    def note_blocked(self) -> None:
        self._faults.note(
            "blocked",
            "a push had to wait because the writer thread cannot keep up with what is logged; log less, "
            'enlarge capacity or max_items, or choose on_full="drop_newest"; stats().blocked_seconds tells '
            "how long pushes have waited",
        )

    def on_worker_thread(self) -> bool:
        """Whether the caller is this pipeline's own writer thread."""
        return self._thread is threading.current_thread()

    # -- barriers ------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """Waits until what was pushed before is with the operating system; see `SummaryWriter.flush`."""
        self._refuse_on_worker("flush")
        with self._life:
            idle = not self._running and not self.queue.items
        if not idle:
            barrier = Barrier(fsync=fsync)
            self.queue.put_barrier(barrier)
            if not self._await(barrier, timeout):
                return False
        self._faults.raise_pending()
        return True

    def close(self, timeout: float | None = None) -> bool:
        """Flushes, ends the thread, closes the files; see `SummaryWriter.close`."""
        self._refuse_on_worker("close")
        with self._life:
            if not self._running and not self.queue.items:
                self._end_files()
                return True
        barrier = Barrier(last=True, give_up_at=time.monotonic() + (timeout or 0.0))
        self.queue.put_barrier(barrier)
        if not self._await(barrier, timeout):
            return False
        self._faults.raise_pending()
        return True

    def reopen(self) -> None:
        """After `close()`: starts anew with a new event file; otherwise does nothing."""
        with self._life:
            if self.closed:
                self._start()

    def abandon(self) -> None:
        """Lets the thread write what was pushed and end; for a writer that was forgotten unclosed."""
        if self._running:
            self.queue.put_barrier(Barrier(last=True))
        else:
            self._end_files()

    def _end_files(self) -> None:
        self._files.close()
        self.closed = True
        process.forget(self)

    def _refuse_on_worker(self, method: str) -> None:
        if self.on_worker_thread():
            raise TbasyncError(
                f"{method}() was called on the writer thread, which would wait for itself; call it on "
                "another thread (an on_error callback or an object's __del__ may run on this one)"
            )

    def _await(self, barrier: Barrier, timeout: float | None) -> bool:
        """Waits for a barrier; False when the timeout passes first. Raises if it can never be passed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        beats, moved_at = self._worker.beats, time.monotonic()
        while True:
            now = time.monotonic()
            patience = _LOOK_SECONDS if deadline is None else max(0.0, min(_LOOK_SECONDS, deadline - now))
            if barrier.reached.acquire(timeout=patience):
                break
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return False
            if self._worker.beats != beats:
                beats, moved_at = self._worker.beats, now
            elif deadline is None and now - moved_at > _STALL_SECONDS:
                raise WriterStalledError(
                    f"the writer thread has not moved for {_STALL_SECONDS:.0f} s; it hangs in a call that "
                    f"does not return, perhaps a write to {self.options.log_dir!r}; nothing is lost yet, "
                    "and logging goes on should it return"
                )
            if not self._running and self.queue.items:
                self.ring()
        if not barrier.passed:
            raise self._why_not() from (self._death or self._output.write_error)
        return True

    def _why_not(self) -> LoggingError:
        error = self._output.write_error
        if error is not None and not self._given_up:
            return LoggingError(
                f"event files in {self.options.log_dir!r} cannot be written ({error}); what was pushed is "
                "kept up to the writer's capacity, and writing is tried again",
                max(1, self._output.pending),
            )
        return LoggingError(
            f"{self._given_up} summaries could not be written to {self.options.log_dir!r} and are lost "
            f"({error or self._death})",
            max(1, self._given_up),
        )

    # -- the thread ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._running = True
        self.closed = False
        self._death = None
        process.register(self)
        self._thread = threading.Thread(target=self._run, name="tbasync-writer", daemon=True)
        if process.exiting():
            self._run_here()
            return
        try:
            self._thread.start()
        except RuntimeError:  # "can't start new thread at interpreter shutdown"
            self._run_here()

    def _run_here(self) -> None:
        """Drains on the calling thread: the interpreter is ending, a thread would not be waited for."""
        self._thread = threading.current_thread()
        try:
            last = self._worker.drain()
        finally:
            self._thread = None
            self._running = False
            self.queue.park()
        for barrier in tuple(self.queue.barriers):
            self.queue.settle(barrier, passed=barrier is last)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as death:
            self._die(death)

    def _turn(self) -> bool:
        """Waits for work, gathers a batch, drains; False when the thread is to end."""
        if self.queue.park():
            self._bell.acquire()
            self.queue.gather()
        if not self.queue.urgent:
            self._bell.acquire(timeout=self.options.interval)
        self.queue.urgent = False
        last = self._worker.drain()
        if self._output.write_error is not None:
            last = self._retry()
        return last is None or not self._end(last)

    def _retry(self) -> Barrier | None:
        """Tries again to write, ever more slowly, until it works or the last barrier's patience ends."""
        pause = _FIRST_RETRY_SECONDS
        while self._output.write_error is not None:
            last = None
            for barrier in tuple(self.queue.barriers):
                if barrier.last:
                    last = barrier
                else:
                    self.queue.settle(barrier, passed=False)
            if last is not None and time.monotonic() >= last.give_up_at:
                self._given_up += self._worker.give_up()
                return last
            self._bell.acquire(timeout=pause)
            pause = min(2 * pause, _LAST_RETRY_SECONDS)
            met = self._worker.drain()
            if met is not None:
                return met
        return None

    def _end(self, last: Barrier) -> bool:
        """Ends the thread's work unless something was pushed after the last barrier; answers its caller."""
        self._files.close()
        with self._life:
            # Who pushes from now on is either seen here or finds `limit` low, and then waits in `ring()` for
            # `_life` and starts the next thread.
            ended = self.queue.park()
            if ended:
                self._running = False
                self.closed = True
                process.forget(self)
            self.queue.settle(last, passed=self._output.write_error is None)
        self._output.write_error = None
        return ended

    def _die(self, death: BaseException) -> None:
        """The worker itself has failed, a bug: what it was busy with is lost, a push starts another."""
        worker, output = self._worker, self._output
        kept = worker.gathered + output.pending + self._given_up
        lost = worker.taken - worker.failed - output.lost - output.written - kept
        self._given_up += lost
        self._death = death
        message = f"the writer thread died of {type(death).__name__}: {death}; another one takes over"
        self._faults.failed("worker", message, death, lost)
        with self._life:
            self._running = False
            self.queue.park()
        for barrier in tuple(self.queue.barriers):
            self.queue.settle(barrier, passed=False)

    # -- the rest ------------------------------------------------------------------------------------------

    def reset_after_fork(self) -> None:
        """In a forked child: nothing is queued, no thread runs, no file is open; the parent has all that.

        What was queued is kept from being destroyed, for its destructors (a device tensor's, say) belong to
        the parent.
        """
        process.keep_for_ever(self.queue.items)
        self._files.close()
        self.queue.reset()
        self._build()

    def stats(self) -> Stats:
        """The counters now."""
        queue, worker, output = self.queue, self._worker, self._output
        queued = sum(map(summaries_of, queue.items.copy()))
        dropped_at_push = queue.dropped.total
        error = self._faults.last_error
        return Stats(
            pushed=worker.taken + queued + dropped_at_push,
            written=output.written,
            dropped=dropped_at_push + self._given_up,
            failed=worker.failed + output.lost,
            waiting=queued + worker.taken - worker.failed - output.lost - output.written - self._given_up,
            queue_length=len(queue.items),
            queue_bytes=queue.nbytes,
            queue_length_peak=queue.peak_items,
            queue_bytes_peak=queue.peak_bytes,
            blocked_seconds=queue.blocked_nanoseconds.total / 1e9,
            worker_cpu_seconds=worker.cpu_seconds,
            bytes_written=self._files.bytes_written,
            nonfinite=worker.nonfinite,
            write_errors=output.write_errors,
            last_error=None if error is None else f"{type(error).__name__}: {error}",
        )

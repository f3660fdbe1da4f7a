"""SummaryWriter: the face. Each `add_*` freezes what it is given and pushes it."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from .encode.projector import CONFIG, ProjectorList
from .errors import TbasyncError, TbasyncWarning
from .file_writer import FileWriter
from .files.paths import check_no_url, default_log_dir, is_url
from .integrations import wandb
from .integrations.torch_compile import not_compiled, skip_frames
from .methods.distributions import DistributionMethods
from .methods.graphs import GraphMethods
from .methods.hyperparameters import HyperparameterMethods
from .methods.kept_scalars import KeptScalars, Points, check_keep_scalars
from .methods.media import MediaMethods
from .methods.scalars import ScalarMethods
from .methods.structures import StructureMethods
from .methods.timed import become_timed
from .pipeline import metadata, sigterm
from .pipeline.faults import OnError
from .pipeline.freeze import check_tag, freeze_step
from .pipeline.options import RemoteOptions, check_compatible
from .pipeline.pipeline import Options, Pipeline
from .pipeline.queue import OnFull
from .pipeline.stats import Stats
from .ranks.null import become_null, null_class
from .ranks.pipeline import pipeline_of
from .ranks.role import REDUCE_TIMEOUT, Ranks, Role, choose_role, role_of_call
from .ranks.team import Reduce

_Writer = TypeVar("_Writer", bound="SummaryWriter")


@functools.cache
def _default_bins() -> tuple[float, ...]:
    """The edges of `bins="tensorflow"`: 0 and ±1e-12 · 1.1**k below 1e20, multiplied up one by one."""
    positive = []
    edge = 1e-12
    while edge < 1e20:
        positive.append(edge)
        edge *= 1.1
    return (*(-edge for edge in reversed(positive)), 0.0, *positive)


def _one_directory(
    log_dir: str | os.PathLike[str] | None, logdir: str | os.PathLike[str] | None
) -> str | os.PathLike[str] | None:
    """Whichever is given; raises TypeError if both are, and differ."""
    if log_dir and logdir and os.fspath(log_dir) != os.fspath(logdir):
        raise TypeError(f"log_dir and logdir are two names of one argument, got {log_dir!r} and {logdir!r}")
    return log_dir or logdir


def _remote_options(
    log_dir: str,
    flush_secs: float,
    segment_bytes: int,
    spool_bytes: int,
    spool_dir: str | os.PathLike[str] | None,
    storage_options: Mapping[str, Any] | None,
) -> RemoteOptions | None:
    if not is_url(log_dir):
        return None
    spool = None if spool_dir is None else os.path.abspath(os.fspath(spool_dir))
    return RemoteOptions(flush_secs, segment_bytes, spool_bytes, spool, storage_options or {})


def warn_of_comet(comet_config: Mapping[str, object] | None) -> None:
    """Warns whoever constructs a writer, two calls up, if logging to Comet is asked for."""
    if comet_config is not None and not comet_config.get("disabled", False):
        warnings.warn(
            "comet_config is ignored: tbasync writes event files and nothing else; log to Comet with the "
            "comet_ml package itself",
            TbasyncWarning,
            stacklevel=3,
        )


@not_compiled
class SummaryWriter(
    ScalarMethods, HyperparameterMethods, DistributionMethods, MediaMethods, StructureMethods, GraphMethods
):
    """Logs to TensorBoard event files from a training loop without holding it up.

    A drop-in for `torch.utils.tensorboard.SummaryWriter`, and for tensorboardX's: every `add_*` freezes the
    value, appends it to a queue and returns; one thread encodes and writes. Any thread may call any method.

    What was logged reaches the operating system within `interval` seconds without further ado, and all of it
    at a normal end of the process. `flush()` and `close()` are there to know it has.

    A writer that is not to write (`ranks=`, `write_to_disk=False`) is a null writer, of a class made from the
    writer's own: its logging methods are empty functions, those that a subclass has overridden included.
    Methods that only a subclass has are its own still.

    Attributes:
        log_dir: the run's directory; also `logdir` and `get_logdir()`.
        purge_step: as given until the purge has been written, then None.
        max_queue: as given; without effect, for the queue is bounded by `capacity` and `max_items`.
        flush_secs: as given; without effect for local files, which are written every `interval` seconds.
        filename_suffix: as given.
        scalar_dict: with `keep_scalars`, what `export_scalars_to_json` would write.
    """

    scalar_dict: Points

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
        write_to_disk: bool = True,
        *,
        logdir: str | os.PathLike[str] | None = None,
        interval: float = 0.25,
        capacity: int = 256 << 20,
        device_capacity: int = 512 << 20,
        max_items: int = 200_000,
        on_full: OnFull = "block",
        on_error: OnError = "warn",
        fsync: bool = False,
        install_sigterm: bool = False,
        self_report: bool = False,
        ranks: Ranks = None,
        rank: int | None = None,
        reduce: Reduce = None,
        reduce_timeout: float = REDUCE_TIMEOUT,
        keep_scalars: int = 0,
        storage_options: Mapping[str, Any] | None = None,
        segment_bytes: int = 8 << 20,
        spool_bytes: int = 1 << 30,
        spool_dir: str | os.PathLike[str] | None = None,
        comet_config: Mapping[str, object] | None = None,
    ) -> None:
        """Creates the run's directory and event file.

        Args:
            log_dir: the run's directory, or a URL that fsspec knows, such as `s3://bucket/run`; None is
                `runs/<date>_<time>_<host><comment>`.
            comment: ends the default directory's name; without effect when `log_dir` is given.
            purge_step: hides what earlier event files of the directory hold from this step on: for a job
                that resumes from a checkpoint.
            max_queue: accepted for compatibility.
            flush_secs: for a URL, seconds after which what was logged is uploaded without a barrier; otherwise
                accepted for compatibility.
            filename_suffix: ends the event files' names.
            write_to_disk: False makes a null writer, as for the ranks that do not write (tensorboardX).
            logdir: tensorboardX's name for `log_dir`.
            interval: seconds within which what was logged reaches the operating system; also how often the
                thread wakes while there is work. 0 writes at once and costs the most.
            capacity: bytes that may wait to be written. One value larger than that is taken when nothing
                else waits.
            device_capacity: bytes that values which wait may hold on devices, bounded in the same way.
            max_items: calls that may wait to be written.
            on_full: what a call does when there is no room: `"block"` waits for some (not while files cannot
                be written: it drops then), `"drop_newest"` and `"drop_oldest"` lose a value and count it,
                `"raise"` loses the value and raises `QueueFullError`.
            on_error: what becomes of a failure to log: `"warn"` says each cause once as a `TbasyncWarning`
                and raises `LoggingError` in the next `flush()` or `close()`; `"raise"` raises it in the next
                call of any method as well; a callable is given the exception, on the thread that met it: the
                writer thread, as a rule.
            fsync: every `flush()`, and `close()`, waits until all is on the disk, not only with the operating
                system; for machines that may lose power.
            install_sigterm: drain when the process is sent SIGTERM, for ten seconds at most, and then do what
                the signal did before; for jobs that are preempted. On the main thread only.
            self_report: log what this writer costs into the run itself, as scalars `tbasync/…` by seconds since
                the start: the mean cost of a call, the share of the time that is spent in calls and in the
                writer thread, the longest queue, drops. Every few seconds while something is logged, and at
                `close()`. Taking the time adds about 0.2 µs to a call.
            ranks: which processes of the job write: a rank or several, each of which then has a sub-run
                `rank<k>` of its own. The others get a null writer: no file, no thread, and every call does
                nothing. None is every process that constructs a writer.
            rank: this process's rank; None asks torch.distributed, the launcher's environment (torchrun,
                SLURM, Open MPI, MPICH/PMI) or JAX, in this order.
            reduce: `"mean"`, `"sum"`, `"min"`, `"max"` or several of them: scalars are pushed on every rank
                of torch.distributed's process group, each of which constructs the writer, and the first rank
                of `ranks`, 0 if None, writes their reductions: the first under the tag, the others under
                `tag/min` and so on. Empty reduces only what `add_scalar(..., reduce=)` names.
            reduce_timeout: seconds (30) that a step's value waits for ranks that do not report theirs, before the
                reduction over the others is written.
            keep_scalars: points of `add_scalars` to keep in memory, in `scalar_dict`, for
                `export_scalars_to_json` (tensorboardX keeps them all, for ever); 0 keeps none.
            storage_options: for a URL, what fsspec's file system is to be made with: credentials, endpoint.
            segment_bytes: for a URL, bytes of a run that are uploaded without a barrier.
            spool_bytes: for a URL, bytes that may wait in local files while the store takes nothing. One write
                larger than that is taken when nothing else waits.
            spool_dir: for a URL, where to make the folder of those files; None is the system's directory for
                temporary files.
            comet_config: nothing goes to Comet; a warning says so where it was asked for (tensorboardX).

        Raises:
            OSError: the directory or file cannot be made; not for a URL, where nothing is made yet.
            ImportError: `log_dir` is a URL, and fsspec or its package for such a store is not installed.
            TypeError, ValueError: an option is not what it should be.
        """
        make_way = vars(self).pop("_make_way", None)  # by `wrap()`
        check_compatible(max_queue, flush_secs)
        chosen = _one_directory(log_dir, logdir) or default_log_dir(comment)
        role: Role = vars(self).pop("_role", None) or choose_role(
            ranks, rank, write_to_disk, reduce, reduce_timeout
        )
        self.log_dir = os.path.join(os.fspath(chosen), role.sub_run) if role.sub_run else os.fspath(chosen)
        self.purge_step = None if purge_step is None else freeze_step(purge_step, "purge_step")
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self._keep(check_keep_scalars(keep_scalars))
        warn_of_comet(comet_config)
        if not role.writes:
            become_null(self, SummaryWriter, sends=role.team is not None)
            if role.team is None:
                self.purge_step = None
                return
        if isinstance(chosen, os.PathLike):
            check_no_url(chosen)
        remote = _remote_options(
            self.log_dir, flush_secs, segment_bytes, spool_bytes, spool_dir, storage_options
        )
        options = Options(
            log_dir=self.log_dir,
            filename_suffix=filename_suffix,
            interval=interval,
            capacity=capacity,
            device_capacity=device_capacity,
            max_items=max_items,
            on_full=on_full,
            on_error=on_error,
            fsync=fsync,
            self_report=self_report and role.writes,
            anchor="" if remote or os.path.isabs(self.log_dir) else os.getcwd(),
            remote=remote,
        )
        drains = sigterm.wanted(install_sigterm)
        if make_way is not None:
            make_way()
        self._open_pipeline(options, role, drains)
        wandb.announce(self.log_dir)

    def _open_pipeline(self, options: Options, role: Role, drains: bool) -> None:
        self._attach(pipeline_of(options, self.purge_step, role))
        if drains:
            sigterm.drain(self._pipeline)
        self.purge_step = None
        self._embeddings = ProjectorList(self._pipeline.version_beside(CONFIG))
        if options.self_report:
            become_timed(self)

    def _keep(self, points: int) -> None:
        self._kept = KeptScalars(self.log_dir, points) if points else None
        if self._kept is not None:
            self.scalar_dict = self._kept.points

    def _attach(self, pipeline: Pipeline) -> None:
        skip_frames(SummaryWriter)
        self._pipeline = pipeline
        self._queue = pipeline.queue
        self._contexts = 0
        self._writers = {}
        self._finalizer = weakref.finalize(self, pipeline.abandon)
        self._finalizer.atexit = False  # closing at exit is the pipeline's own affair

    def __getstate__(self) -> dict[str, Any]:
        """All but what belongs to this process: the copy has a queue, a thread and a file of its own.

        It creates its file, in the same directory and with the same options, when something is logged to it.
        """
        own = {"_pipeline", "_queue", "_writers", "_finalizer", "_contexts"}
        state = {name: value for name, value in vars(self).items() if name not in own}
        if "_embeddings" in state:
            state["_embeddings"] = self._embeddings.copy()
        return {**state, "_options": self._pipeline.options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).pop("_role", None)
        options = state.pop("_options")
        vars(self).update(state)
        self._attach(Pipeline(options, lazy=True))

    def __new__(cls: type[_Writer], *args: Any, **options: Any) -> _Writer:
        """Decides whether this process writes, if the arguments are known to be those of `__init__`.

        `__init__` decides for subclasses with a signature of their own: it can still change the object's
        class, but CPython looks up the methods of such an object more slowly.
        """
        role = role_of_call(args, options) if cls.__init__ is SummaryWriter.__init__ else None
        own = cls
        if role is not None and not role.writes:
            own = null_class(cls, SummaryWriter, sends=role.team is not None)
        writer: _Writer = object.__new__(own)
        vars(writer)["_role"] = role
        return writer

    vars(__new__)["__wrapped__"] = __init__  # for inspect.signature()

    # -- barriers ------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None = None, *, fsync: bool = False) -> bool:
        """Waits until everything pushed before this call, by any thread, is with the operating system.

        A reader that opens the files the moment this returns True sees all of it.

        Args:
            timeout: seconds to wait at most; None waits for as long as the writer thread gets on.
            fsync: wait until it is on the disk.

        Returns:
            False if the timeout passed first; nothing is lost then.

        Raises:
            LoggingError: something pushed before could not be logged, or the files cannot be written.
            WriterStalledError: `timeout` is None and the writer thread has hung for a minute.
            TbasyncError: called on the writer thread, which cannot wait for itself.
        """
        return self._pipeline.flush(timeout, fsync=fsync)

    def close(self, timeout: float | None = None) -> bool:
        """Flushes, ends the writer thread and closes the files; a second call does nothing.

        The next `add_*` starts anew, with a new event file in the same directory.

        Args:
            timeout: seconds to wait at most; None waits for as long as the writer thread gets on. While
                files cannot be written, how long to go on trying; None tries once.

        Returns:
            False if the timeout passed first; the thread goes on, and ends when it can.

        Raises what `flush()` raises. The writer is closed all the same unless the thread hangs.
        """
        self._writers = {}
        return self._pipeline.close(timeout)

    def __enter__(self: _Writer) -> _Writer:
        return self

    def __exit__(self, kind: object, exception: object, trace: object) -> None:
        """Closes; raises what could not be logged, but not in place of an exception that is on its way."""
        try:
            self.close()
        except TbasyncError as error:
            if exception is None:
                raise
            warnings.warn(f"after the exception that ended the block: {error}", TbasyncWarning, stacklevel=2)

    def stats(self) -> Stats:
        """What has been pushed, written, dropped and spent so far."""
        return self._pipeline.stats()

    # -- series that begin anew ----------------------------------------------------------------------------

    def purge(self, step: Any) -> None:
        """Hides what was logged before, by this call's thread or any other, from a step on.

        For a loop that goes back to a checkpoint: what it logs again takes the place of what it had logged.
        Nothing is removed from the files. It concerns this run, its earlier event files included, and the
        sub-runs that `add_scalars` has logged to, but no trial of `add_hparams`. It never waits, and is never
        dropped.

        TensorBoard's data server (`--load_fast=true`, its default) hides scalars that this writer has logged, and
        keeps the points of everything else until that is logged again, at or below their steps.

        Args:
            step: an integer of 64 bits; the first step to hide.

        Raises:
            TypeError: `step` is no integer.
            ValueError: it does not fit 64 bits.
        """
        if step is None:
            raise TypeError("step must be an integer, got None: purge(0) hides everything")
        self._pipeline.purge(freeze_step(step, "step"))

    def reset(self, tag: str) -> None:
        """Restarts a scalar's series: TensorBoard shows only what is logged after this, at whatever steps.

        For a live curve of the epoch, say, that begins at step 0 each time. Nothing is removed from the files.
        It concerns the series of this run, and of the sub-runs that `add_scalars` has logged this tag to. It
        never waits, and is never dropped.

        Args:
            tag: the series' name. One that does not exist yet is empty then.

        Raises:
            TypeError: `tag` is no str.
            ValueError: no file can hold it.
        """
        check_tag(tag)
        tag.encode()
        self._pipeline.reset(str(tag))

    # -- what third parties use ----------------------------------------------------------------------------

    @property
    def logdir(self) -> str:
        """The run's directory."""
        return self.log_dir

    def get_logdir(self) -> str:
        """The run's directory."""
        return self.log_dir

    @property
    def file_writer(self) -> FileWriter | None:
        """Takes ready-made events and summaries; None after `close()`."""
        return None if self._pipeline.closed else self._writer_of(None)

    @property
    def all_writers(self) -> dict[str, FileWriter] | None:
        """The run's and the sub-runs' file writers by directory; None after `close()`."""
        if self._pipeline.closed:
            return None
        self._writer_of(None)
        return self._writers

    def _get_file_writer(self) -> FileWriter:
        """`file_writer`, opened again if the writer was closed."""
        self._pipeline.reopen()
        return self._writer_of(None)

    @property
    def default_bins(self) -> list[float]:
        """The 1,549 edges of `add_histogram(bins="tensorflow")`."""
        return list(_default_bins())

    @contextlib.contextmanager
    def use_metadata(
        self, *, global_step: Any = None, walltime: float | None = None
    ) -> Iterator[SummaryWriter]:
        """Within it, calls without a step or wall time of their own take these (tensorboardX).

        Those of this thread, or asyncio task, and of tasks that it starts. Contexts may nest and overlap: the
        last one opened counts.

        Raises:
            TypeError, ValueError: as those of a call that is given the step or wall time.
        """
        with (
            metadata.metadata(self, global_step, walltime),
            self._dated(),
            self._writer_of(None).use_metadata(global_step=global_step, walltime=walltime),
        ):
            yield self

    @contextlib.contextmanager
    def _dated(self) -> Iterator[None]:
        """Has the common call of `add_scalar`, which looks for no context, take its wall time from it."""
        with metadata.opening():
            self._contexts += 1
            self._queue = metadata.Dated(self, self._pipeline.queue)
        try:
            yield
        finally:
            with metadata.opening():
                self._contexts -= 1
                if not self._contexts:
                    self._queue = self._pipeline.queue

    def _writer_of(self, run: str | None) -> FileWriter:
        directory = run or self.log_dir
        writer = self._writers.get(directory)
        if writer is None:
            writer = self._writers[directory] = FileWriter(self._pipeline, run)
        return writer

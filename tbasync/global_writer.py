"""GlobalSummaryWriter: tensorboardX's writer for several processes and modules, which counts the steps itself."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
import weakref
from time import time
from typing import Any

from .encode.image import check_image
from .encode.text import check_text
from .errors import TbasyncWarning
from .file_writer import FileWriter
from .pipeline.deferred import Deferred
from .pipeline.freeze import check_tag, freeze_array, freeze_scalar, freeze_wall_time
from .pipeline.process import EXIT_SECONDS
from .pipeline.relay import Relay, Sender
from .writer import SummaryWriter

_log = logging.getLogger(__name__)
_global: GlobalSummaryWriter | None = None
_global_lock = threading.Lock()


class GlobalSummaryWriter:
    """A writer that several processes and modules may log through, each with no step of its own.

    Each tag of each kind has its own steps, 0, 1, 2 and so on in the order of the calls, from whichever
    process they come. What other processes log goes through a pipe to the one that made the writer, and
    stands in one event file: TensorBoard does not show the points of several files in order.

    Other processes are those forked after the writer was made, and those that get it as an argument of
    `multiprocessing.Process` or of a pool's `initializer`. It needs POSIX's pipes.

    Attributes:
        smw: the `SummaryWriter` behind it; to be used by the process that made this.
    """

    smw: SummaryWriter
    _relay: Relay | None  # None in a spawned process
    _sender: Sender

    def __init__(
        self,
        logdir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
        write_to_disk: bool = True,
        log_dir: str | os.PathLike[str] | None = None,
        coalesce_process: bool = True,
        **options: Any,
    ) -> None:
        """Creates the run's directory and event file.

        Args:
            logdir: the run's directory; where it is None, `log_dir` is.
            coalesce_process: accepted for compatibility.
            comment, purge_step, max_queue, flush_secs, filename_suffix, write_to_disk: as for `SummaryWriter`.
            options: keyword arguments of `SummaryWriter`.
        """
        directory = log_dir if logdir is None else logdir
        self.smw = SummaryWriter(
            directory, comment, purge_step, max_queue, flush_secs, filename_suffix, write_to_disk, **options
        )
        self._owner = os.getpid()
        self._steps = _Steps(self.smw)
        self._relay = Relay(self._steps.log_received)
        self._sender = self._relay.sender
        self._told = False
        weakref.finalize(self, self._relay.end).atexit = False
        _wait_at_exit(self._relay, self.smw)

    def add_scalar(self, tag: str, scalar_value: Any, walltime: float | None = None) -> None:
        """Logs one number at the tag's next step; arguments and errors as those of `SummaryWriter`'s."""
        check_tag(tag)
        if os.getpid() != self._owner:
            scalar_value = freeze_scalar(scalar_value)
        self._log("add_scalar", tag, scalar_value, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, walltime: float | None = None, dataformats: str = "CHW"
    ) -> None:
        """Logs one picture at the tag's next step; arguments and errors as those of `SummaryWriter`'s."""
        check_tag(tag)
        if os.getpid() != self._owner:
            img_tensor = freeze_array(img_tensor, "img_tensor", copy=False)  # sent before the call returns
            check_image(img_tensor.shape, img_tensor.dtype, dataformats)
        self._log("add_image", tag, img_tensor, walltime, dataformats=dataformats)

    def add_text(self, tag: str, text_string: str, walltime: float | None = None) -> None:
        """Logs a text at the tag's next step; arguments and errors as those of `SummaryWriter`'s."""
        check_tag(tag)
        check_text(text_string)
        self._log("add_text", tag, text_string, walltime)

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until all that was logged before, by any process, is with the operating system.

        Returns:
            False if the timeout, in seconds, passed first; or in a process other than the one that made the
            writer, which cannot know.

        Raises what `SummaryWriter.flush()` raises.
        """
        return self._relayed(timeout) and self.smw.flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Closes the files as `SummaryWriter.close()` does, with what other processes have logged so far.

        What is logged later, here or there, goes to a new event file in the same directory. In a process
        other than the one that made the writer it does nothing, and returns False.
        """
        return self._relayed(timeout) and self.smw.close(timeout)

    @property
    def file_writer(self) -> FileWriter:
        """Takes ready-made events and summaries, in the process that made the writer."""
        return self.smw._get_file_writer()

    @staticmethod
    def getSummaryWriter() -> GlobalSummaryWriter:
        """The program's one writer, made at the first call in the default directory."""
        global _global
        with _global_lock:
            if _global is None:
                _global = GlobalSummaryWriter()
        _log.debug("the global writer logs in %s", _global.smw.get_logdir())
        return _global

    def _relayed(self, timeout: float | None) -> bool:
        return os.getpid() == self._owner and self._relay is not None and self._relay.wait(timeout)

    def _log(self, method: str, tag: str, value: Any, walltime: float | None, **options: Any) -> None:
        moment = time() if walltime is None else freeze_wall_time(walltime)
        if os.getpid() == self._owner:
            self._steps.log(method, tag, value, moment, options)
            return
        if isinstance(value, Deferred):
            value = value.resolve()
        try:
            self._sender.send((method, tag, value, moment, options))
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            message = (
                f"what is logged here is lost, the process that made the writer does not take it: {error}"
            )
            with contextlib.suppress(UserWarning):  # a failure to log never ends training
                warnings.warn(message, TbasyncWarning, stacklevel=4)

    def __getstate__(self) -> dict[str, Any]:
        """For processes that are being spawned: all but what belongs to the process that made the writer."""
        return {"_owner": self._owner, "_sender": self._sender, "_told": self._told}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._relay = None
        vars(self).update(state)


class _Steps:
    """The next step of each tag of each kind, and the writer that logs at it."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer
        self._next: dict[tuple[str, str], int] = {}
        # Keeps two threads from the same step, and their points from standing in the file in another order.
        self._lock = threading.RLock()

    def log(self, method: str, tag: str, value: Any, walltime: float, options: dict[str, Any]) -> None:
        place = method, tag
        with self._lock:
            step = self._next.get(place, 0)
            self._next[place] = step + 1  # before the call: a signal handler within it may log as well
            try:
                getattr(self._writer, method)(tag, value, step, walltime=walltime, **options)
            except BaseException:
                if self._next[place] == step + 1:
                    self._next[place] = step  # nothing stands at this step
                raise

    def log_received(self, message: tuple[str, str, Any, float, dict[str, Any]]) -> None:
        try:
            self.log(*message)
        except Exception as error:
            warnings.warn(f"{message[1]!r} of another process was not logged: {error}", TbasyncWarning, 2)


def _wait_at_exit(relay: Relay, writer: SummaryWriter) -> None:
    from multiprocessing.util import Finalize

    # A negative priority has it run after multiprocessing has waited for its processes.
    Finalize(None, _wait, (weakref.ref(relay), weakref.ref(writer)), exitpriority=-100)


def _wait(relay: weakref.ref[Relay], writer: weakref.ref[SummaryWriter]) -> None:
    here, there = relay(), writer()
    if here is not None and there is not None and here.wait(EXIT_SECONDS):
        there.flush(EXIT_SECONDS)

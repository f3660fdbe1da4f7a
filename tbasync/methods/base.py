"""What every `add_*` does with a frozen value: push it, with its step and wall time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time
from typing import Any

from ..encode.result import Encoded
from ..file_writer import FileWriter
from ..integrations import wandb
from ..pipeline.freeze import check_tag, freeze_step, freeze_wall_time
from ..pipeline.items import Summary
from ..pipeline.metadata import Pushes, defaults_of
from ..pipeline.pipeline import Pipeline


class Pushing:
    """The part of a writer that the methods of every kind build on.

    Attributes:
        log_dir: the run's directory.
    """

    log_dir: str
    _pipeline: Pipeline
    _queue: Pushes
    _contexts: int  # how many of `use_metadata` are open, in whatever thread
    _writers: dict[str, FileWriter]

    def _push(
        self,
        tag: str,
        step: Any,
        walltime: float | None,
        encode: Callable[..., Encoded],
        arguments: Sequence[Any],
        run: str | None = None,
    ) -> None:
        """Pushes a frozen value and the function that will encode it on the writer thread."""
        check_tag(tag)
        self._queue.put(Summary(run, tag, *self._moment(step, walltime), encode, arguments))

    def _moment(self, step: Any, walltime: float | None, name: str = "global_step") -> tuple[int, float]:
        """The step, which is the argument `name`, and wall time of a call, defaults filled in."""
        if type(step) is int and walltime is None and -1 < step < 0x3FFF_FFFF and not self._contexts:
            return step, time()  # the common case, without further calls
        default_step, default_time = defaults_of(self) if self._contexts else (None, None)
        wall_time = default_time if walltime is None else walltime
        return (
            freeze_step(default_step if step is None else step, name),
            time() if wall_time is None else freeze_wall_time(wall_time),
        )

    def _note_run(self, run: str) -> None:
        if run not in self._writers:
            self._writers[run] = FileWriter(self._pipeline, run)
            wandb.announce(run)

"""Accelerate's TensorBoard tracker with tbasync's writer.

from tbasync.integrations.accelerate import AsyncTensorBoardTracker

accelerator = Accelerator(log_with=AsyncTensorBoardTracker("name", "runs"))
accelerator.init_trackers("name", config={"lr": 0.1})
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from accelerate.tracking import GeneralTracker, on_main_process

from ..files.paths import sub_run
from ..writer import SummaryWriter
from ._logging import close, log_values, refuse_ranks


class AsyncTensorBoardTracker(GeneralTracker):
    """Logs what `log_with="tensorboard"` logs, without waiting for it at every `accelerator.log`.

    Only the main process has a writer, and only there Accelerate calls it.

    Attributes:
        name: "tensorboard", so that `accelerator.get_tracker("tensorboard")` finds it.
        writer: the `SummaryWriter`, from `accelerator.init_trackers`, or the first call, on.
    """

    name = "tensorboard"
    requires_logging_directory = True
    main_process_only = True

    def __init__(self, run_name: str, logging_dir: str | os.PathLike[str], **options: Any) -> None:
        """Makes no directory yet.

        Args:
            run_name: the run's directory below `logging_dir`.
            logging_dir: where runs go.
            options: further arguments of `SummaryWriter`, such as `interval=`.

        Raises:
            ValueError: `reduce` or `ranks` is given.
        """
        refuse_ranks(options, "Accelerate")
        super().__init__()
        self.run_name = run_name
        self.logging_dir = os.path.join(logging_dir, run_name)
        self.init_kwargs = options

    @on_main_process  # type: ignore[untyped-decorator]
    def start(self) -> None:
        """Makes the writer; earlier releases of Accelerate do not call this, and the first call that logs does."""
        if not hasattr(self, "writer"):
            self.writer = SummaryWriter(self.logging_dir, **self.init_kwargs)

    @property
    def tracker(self) -> SummaryWriter:
        """The writer."""
        return self.writer

    @on_main_process  # type: ignore[untyped-decorator]
    def store_init_configuration(self, values: dict[str, Any]) -> None:
        """Logs hyperparameters as a trial, and writes them to `hparams.yml` in the trial's sub-run.

        Args:
            values: name -> bool, number, str or None.

        Raises:
            TypeError, ValueError: a value is none of these.
        """
        self.start()
        name = str(time.time())
        self.writer.add_hparams(values, {}, run_name=name)
        directory = sub_run(self.writer.log_dir, name)
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "hparams.yml"), "w", encoding="utf-8") as file:
            yaml.safe_dump({name: _plain(value) for name, value in values.items()}, file)

    @on_main_process  # type: ignore[untyped-decorator]
    def log(self, values: Mapping[str, Any], step: int | None = None, **options: Any) -> None:
        """Logs the values of one step.

        Args:
            values: tag -> number, array or tensor of one element, str, or dict of numbers for one chart.
            step: an integer of 64 bits, or None for 0.
            options: further arguments of the writer's method for the kind of value, such as `walltime=`.
        """
        self.start()
        log_values(self.writer, values, step, **options)

    @on_main_process  # type: ignore[untyped-decorator]
    def log_images(self, values: Mapping[str, Any], step: int | None = None, **options: Any) -> None:
        """Logs batches of pictures, each batch as one grid.

        Args:
            values: tag -> array or tensor of pictures (NCHW unless `dataformats` says otherwise), or list of
                equally large arrays or PIL images (those are NHWC).
            step: an integer of 64 bits, or None for 0.
            options: further arguments of `SummaryWriter.add_images`.

        Raises:
            TypeError, ValueError: the pictures are not as above.
        """
        self.start()
        for tag, pictures in values.items():
            batch = pictures
            if isinstance(pictures, (list, tuple)):
                batch = np.stack([np.asarray(picture) for picture in pictures])
                if not hasattr(pictures[0], "shape"):
                    options = {"dataformats": "NHWC", **options}
            self.writer.add_images(tag, batch, step, **options)

    @on_main_process  # type: ignore[untyped-decorator]
    def finish(self) -> None:
        """Waits until everything is written, and closes the event files."""
        if hasattr(self, "writer"):
            close(self.writer, self.init_kwargs)


def _plain(value: Any) -> Any:
    """A number of numpy's or torch's as one of Python's."""
    return value.item() if hasattr(value, "item") else value

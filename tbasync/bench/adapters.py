"""Writers with another interface than `SummaryWriter`, given the few methods of it that are measured.

Each adapter does what that package's own documentation tells its users to do, and no more: what the adapter's
own call costs, about 50 ns, is in its figures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

_STEP = "global_step"


class _Adapter:
    """What all have in common: several values are logged by one call where the package can."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        raise NotImplementedError

    def add_scalar(self, tag: str, value: Any, step: int) -> None:
        """One value."""
        self.log_metrics({tag: value}, step)


class Clu(_Adapter):
    """clu's `AsyncWriter` around its `SummaryWriter`, which writes with TensorFlow."""

    def __init__(self, log_dir: str) -> None:
        metric_writers = import_module("clu.metric_writers")
        self._writer = metric_writers.AsyncWriter(metric_writers.SummaryWriter(log_dir))
        self.flush, self.close = self._writer.flush, self._writer.close

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """One call for all values."""
        self._writer.write_scalars(step, metrics)

    def add_histogram(self, tag: str, values: Any, step: int) -> None:
        """clu takes what has `__array__`."""
        self._writer.write_histograms(step, {tag: _array(values)})

    def add_image(self, tag: str, pixels: Any, step: int) -> None:
        """uint8 (channels, height, width); clu wants a batch with the channels last."""
        self._writer.write_images(step, {tag: _array(pixels).transpose(1, 2, 0)[None]})


class TensorFlow(_Adapter):
    """`tf.summary` with an event file writer as the default one."""

    def __init__(self, log_dir: str) -> None:
        self._summary = import_module("tensorflow").summary
        self._writer = self._summary.create_file_writer(log_dir)
        self._as_default = self._writer.as_default()
        self._as_default.__enter__()
        self.flush = self._writer.flush

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """A call for each value."""
        for tag, value in metrics.items():
            self._summary.scalar(tag, value, step=step)

    def add_histogram(self, tag: str, values: Any, step: int) -> None:
        """With its own default of 30 buckets."""
        self._summary.histogram(tag, _array(values), step=step)

    def add_image(self, tag: str, pixels: Any, step: int) -> None:
        """uint8 (channels, height, width); `tf.summary` wants a batch with the channels last."""
        self._summary.image(tag, _array(pixels).transpose(1, 2, 0)[None], step=step)

    def close(self) -> None:
        """Ends being the default, and closes the file."""
        self._as_default.__exit__(None, None, None)
        self._writer.close()


class Wandb(_Adapter):
    """wandb's run, offline: its own service, a process beside this one, writes the file.

    Steps are logged as a value, as its documentation advises for steps that are not always rising: what comes
    with a lower `step=` than before is thrown away.
    """

    def __init__(self, log_dir: str) -> None:
        os.makedirs(log_dir, exist_ok=True)
        self._wandb = wandb = import_module("wandb")
        settings = wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True)
        self._run = wandb.init(project="bench", dir=log_dir, mode="offline", settings=settings)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """One call for all values."""
        self._run.log({**metrics, _STEP: step})

    def add_histogram(self, tag: str, values: Any, step: int) -> None:
        """wandb bins on the caller's thread."""
        self._run.log({tag: self._wandb.Histogram(_array(values)), _STEP: step})

    def add_image(self, tag: str, pixels: Any, step: int) -> None:
        """uint8 (channels, height, width); wandb wants the channels last."""
        self._run.log({tag: self._wandb.Image(_array(pixels).transpose(1, 2, 0)), _STEP: step})

    def flush(self) -> None:
        """wandb has no barrier but the run's end."""

    def close(self) -> None:
        """Ends the run, and the service with it: its CPU time is known only of a process that has ended."""
        self._run.finish()
        self._wandb.teardown()


def _array(values: Any) -> Any:
    """A numpy array of an array or a tensor."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values

"""What a typed program that uses tbasync may write; checked by mypy in strict mode, never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np

import tbasync
import tbasync.hparams as hp
from tbasync import summary


def log(directory: Path) -> None:
    """Every way to make a writer, and one call of each kind."""
    with tbasync.SummaryWriter(
        directory, on_full="drop_oldest", on_error=print, interval=0.1, self_report=True
    ) as writer:
        assert_type(writer, tbasync.SummaryWriter)
        writer.add_scalar("loss", 0.5, 1)
        writer.add_scalar("loss", np.float32(0.5), np.int64(1), new_style=True)
        writer.log_metrics({"a": 1, "b": np.ones(())}, 2)
        writer.add_scalars("both", {"train": 1.0, "test": 2.0}, 3, same_run=True)
        writer.add_histogram("weights", [1.0, 2.0], 4, bins="auto", max_bins=10)
        writer.add_image("image", np.zeros((3, 4, 5)), 5, dataformats="CHW", copy=False)
        writer.add_scalar("loss", 0.5, 1, None, "tensorboardX's title", "and description")
        writer.add_pr_curve("pr", np.ones(3, bool), [0.1, 0.2, 0.3], 6, weights=np.ones(3))
        writer.add_onnx_graph(Path("model.onnx"))
        writer.add_hparams({"lr": 0.1}, {"accuracy": 0.9}, "tensorboardX's name", 3)
        writer.add_hparams({"lr": 0.1, "adam": True}, {"accuracy": 0.9}, same_run=True)
        writer.purge(np.int64(3))
        writer.reset("loss")
        assert_type(writer.flush(timeout=1.0, fsync=True), bool)
        assert_type(writer.stats().written, int)
        assert_type(str(writer.stats()), str)
        assert_type(writer.get_logdir(), str)


def log_in_tensorflows_style(directory: Path) -> None:
    """A writer of `tbasync.summary`, and hyperparameters."""
    units = hp.HParam("units", hp.Discrete([16, 32]), display_name="Units")
    writer = summary.create_file_writer(directory, filename_suffix=".mine", interval=0.1, ranks=0)
    assert_type(writer.writer, tbasync.SummaryWriter)
    with writer.as_default(step=1), summary.record_if(lambda: True):
        assert_type(summary.scalar("loss", np.float32(0.5)), bool)
        summary.image("image", np.zeros((1, 2, 3, 1)), step=np.int64(3), max_outputs=1, description="none")
        summary.histogram("weights", [1.0, 2.0], buckets=10)
        summary.text("text", ["a", "b"])
        hp.hparams_config([units], [hp.Metric("loss", dataset_type=hp.Metric.TRAINING)])
        assert_type(hp.hparams({units: 16, "rate": 0.1}, trial_id="first"), bool)
        with summary.experimental.summary_scope("scope") as (tag, scope):
            assert_type(tag, str)
            summary.write(tag, scope)
    assert_type(summary.flush(writer), bool)


class Extended(tbasync.SummaryWriter):
    """A writer with a method of its own."""

    def add_loss(self, value: float, step: int) -> None:
        """Logs the loss."""
        self.add_scalar("loss", value, step)

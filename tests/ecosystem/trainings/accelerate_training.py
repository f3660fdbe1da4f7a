"""A linear model on four points, trained with Accelerate; what it should have logged is noted beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from .notes import train_thrice

CONFIG = {"rate": 0.05, "name": "x"}


def train(log_dir: str, tracker: Any) -> tuple[Any, dict[str, Any]]:
    """Five steps with a scalar, two in one chart and a text each; pictures at the end."""
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()
    torch.manual_seed(0)
    log_with = "tensorboard" if isinstance(tracker, str) else tracker("project", log_dir)
    accelerator = Accelerator(log_with=log_with, project_dir=log_dir, cpu=True)
    accelerator.init_trackers("project", config=CONFIG)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    model, optimizer = accelerator.prepare(model, optimizer)
    x = torch.arange(4.0).reshape(4, 1)
    noted = []
    for step in range(5):
        loss = torch.nn.functional.mse_loss(model(x), 2 * x)
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
        noted.append(("loss", step, loss.item()))
        metrics = {"loss": loss.detach(), "both": {"a": step, "b": 1.0}, "text": f"step {step}"}
        accelerator.log(metrics, step=step)
    pictures = np.full((2, 4, 4, 3), 200, np.uint8)
    accelerator.get_tracker("tensorboard").log_images({"pictures": pictures}, step=5, dataformats="NHWC")
    writer = accelerator.get_tracker("tensorboard", unwrap=True)
    accelerator.end_training()
    return writer, {"scalars": noted, "hparams": CONFIG}


def integration() -> Any:
    """tbasync's tracker."""
    from tbasync.integrations.accelerate import AsyncTensorBoardTracker

    return AsyncTensorBoardTracker


if __name__ == "__main__":
    train_thrice(train, "tensorboard", integration)

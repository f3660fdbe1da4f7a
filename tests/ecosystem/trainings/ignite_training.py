"""A line, trained by Ignite with its TensorboardLogger, plain and under `install()`; what should be logged is noted."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from ignite.engine import Events, create_supervised_trainer
from ignite.handlers.tensorboard_logger import (
    GradsScalarHandler,
    OptimizerParamsHandler,
    TensorboardLogger,
    WeightsHistHandler,
)

import tbasync

from .notes import note


def train(log_dir: str) -> tuple[Any, dict[str, Any]]:
    """Two epochs of three steps; returns the writer, and what should be in the run."""
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    trainer = create_supervised_trainer(model, optimizer, torch.nn.MSELoss())
    noted: list[tuple[str, int, float]] = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def _(engine: Any) -> None:
        noted.append(("training/loss", engine.state.iteration, engine.state.output))
        noted.append(("lr/group_0", engine.state.iteration, 0.05))

    x = torch.arange(8.0).reshape(8, 1) / 8
    with TensorboardLogger(log_dir=log_dir) as logger:
        each = Events.ITERATION_COMPLETED
        logger.attach_output_handler(
            trainer, each, tag="training", output_transform=lambda loss: {"loss": loss}
        )
        logger.attach(trainer, OptimizerParamsHandler(optimizer), each)
        logger.attach(trainer, GradsScalarHandler(model), each)
        logger.attach(trainer, WeightsHistHandler(model), Events.EPOCH_COMPLETED)
        trainer.run([(x, 2 * x)] * 3, max_epochs=2)
    return logger.writer, {"scalars": noted}


def main() -> None:
    warnings.simplefilter("ignore")
    first, plain = train("plain")
    with tbasync.install():
        second, installed = train("installed")
    assert not isinstance(first, tbasync.SummaryWriter)
    assert isinstance(second, tbasync.SummaryWriter)
    note(plain=plain, installed=installed)


if __name__ == "__main__":
    main()

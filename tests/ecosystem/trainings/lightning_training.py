"""A linear model on four points, trained by Lightning; what it should have logged is noted beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from .notes import train_thrice


class Model(lightning.LightningModule):
    """A line; it notes its own losses by step, as (tag, step, value)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)
        self.example_input_array = torch.zeros(2, 1)
        self.noted: list[tuple[str, int, float]] = []

    def forward(self, x: Any) -> Any:
        return self.layer(x)

    def training_step(self, batch: Any, index: int) -> Any:
        loss = torch.nn.functional.mse_loss(self(batch[0]), batch[1])
        self.log("loss", loss, on_step=True, on_epoch=True)
        self.noted.append(("loss_step", self.global_step, loss.item()))
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("hp_metric", torch.nn.functional.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.hparams.rate)


def fit(logger: TensorBoardLogger, model: Model) -> None:
    """Three epochs of two steps each, and a validation of two after each epoch."""
    points = torch.arange(4.0).reshape(4, 1)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(points, 2 * points), batch_size=2)
    trainer = lightning.Trainer(
        logger=logger,
        max_epochs=3,
        log_every_n_steps=1,
        accelerator="cpu",
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(model, data, data)


def train(log_dir: str, logger_class: type[TensorBoardLogger]) -> tuple[Any, dict[str, Any]]:
    """Trains, and returns the writer that was made and what should be in the run."""
    lightning.seed_everything(0, verbose=False)
    model = Model(0.05)
    logger = logger_class(log_dir, name="", version="", log_graph=True)
    fit(logger, model)
    logger.log_metrics({"after": torch.tensor(1.5)}, step=7)
    logger.log_metrics({"both": {"a": 1.0, "b": 2.0}}, step=8)
    logger.log_hyperparams({"second": "x"}, {"best": 0.25})
    logger.finalize("success")
    logged = [*model.noted, ("after", 7, 1.5), ("best", 0, 0.25)]
    files = {"hparams.yaml": (Path(logger.log_dir) / "hparams.yaml").read_text()}
    return logger.experiment, {"scalars": logged, "files": files, "hparams": {"rate": 0.05}}


def integration() -> type[TensorBoardLogger]:
    """tbasync's logger."""
    from tbasync.integrations.lightning import AsyncTensorBoardLogger

    return AsyncTensorBoardLogger


if __name__ == "__main__":
    train_thrice(train, TensorBoardLogger, integration)

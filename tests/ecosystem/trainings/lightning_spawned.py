"""Two ranks of Lightning, spawned from this process, with one logger that they get pickled."""

from __future__ import annotations

import os
from typing import Any

import lightning
import torch

from tbasync import SummaryWriter
from tbasync.integrations.lightning import AsyncTensorBoardLogger

from .notes import note


class Model(lightning.LightningModule):
    """A line; logs its rank, and the mean over ranks of a number that is 1 and 3."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: Any, index: int) -> Any:
        self.log("rank", float(self.global_rank))
        self.log("mean", 1.0 + 2 * self.global_rank, sync_dist=True)
        experiment = self.logger.experiment
        assert isinstance(experiment, SummaryWriter) == (self.global_rank == 0)
        experiment.add_text("from", f"rank {self.global_rank}", index)
        return torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.05)


def main() -> None:
    x = torch.arange(8.0).reshape(8, 1) / 8
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, 2 * x), batch_size=2)
    logger = AsyncTensorBoardLogger("runs", name="spawned", version=0, interval=0.1)
    logger.experiment.add_text("from", "the parent", 100)  # has a thread and a file when it is pickled
    trainer = lightning.Trainer(
        logger=logger,
        accelerator="cpu",
        devices=2,
        strategy="ddp_spawn",
        max_epochs=1,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(Model(), data)
    logger.finalize("success")
    note(pid=os.getpid())


if __name__ == "__main__":
    main()

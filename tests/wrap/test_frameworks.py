"""Lightning, Transformers and Accelerate, untouched, train under `install()`; TensorBoard reads the result."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch.utils.tensorboard")

from . import runs

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow

# Every script trains a linear model on four points, twice: installed after the framework is imported, and not
# installed at all. It prints the class of the writer that the framework has made.
LIGHTNING = """
    import lightning
    import torch
    from lightning.pytorch.loggers import TensorBoardLogger

    class Model(lightning.LightningModule):
        def __init__(self, rate):
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(1, 1)
        def training_step(self, batch, index):
            loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
            self.log("loss", loss, on_step=True, on_epoch=True)
            return loss
        def validation_step(self, batch, index):
            self.log("hp_metric", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), self.hparams.rate)

    def train(log_dir):
        lightning.seed_everything(0, verbose=False)
        points = torch.arange(4.0).reshape(4, 1)
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(points, 2 * points), batch_size=2)
        logger = TensorBoardLogger(log_dir, name="", version="", log_graph=False)
        trainer = lightning.Trainer(
            logger=logger, max_epochs=3, log_every_n_steps=1, accelerator="cpu", enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False,
        )
        trainer.fit(Model(0.05), data, data)
        logger.log_metrics({"after": 1.5}, step=7)
        logger.finalize("success")
        return logger.experiment
"""

TRANSFORMERS = """
    import torch
    from transformers import Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
        def forward(self, x, labels):
            output = self.layer(x)
            return {"loss": torch.nn.functional.mse_loss(output, labels), "logits": output}

    def train(log_dir):
        torch.manual_seed(0)
        os.environ["TENSORBOARD_LOGGING_DIR"] = log_dir
        data = [{"x": torch.tensor([float(x)]), "labels": torch.tensor([2.0 * x])} for x in range(4)]
        arguments = TrainingArguments(
            output_dir="out", report_to="tensorboard", logging_steps=1, max_steps=6, use_cpu=True, seed=0,
            per_device_train_batch_size=2, save_strategy="no", disable_tqdm=True, learning_rate=0.05,
        )
        trainer = Trainer(model=Model(), args=arguments, train_dataset=data)
        callback = next(c for c in trainer.callback_handler.callbacks if type(c).__name__ == "TensorBoardCallback")
        made = []
        init = callback._init_summary_writer
        def note(*arguments):
            init(*arguments)
            made.append(callback.tb_writer)
        callback._init_summary_writer = note
        trainer.train()
        return made[0]
"""

ACCELERATE = """
    import torch
    from accelerate import Accelerator

    def train(log_dir):
        torch.manual_seed(0)
        accelerator = Accelerator(log_with="tensorboard", project_dir=log_dir, cpu=True)
        accelerator.init_trackers("project", config={"rate": 0.05, "name": "x"})
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.05)
        model, optimizer = accelerator.prepare(model, optimizer)
        x = torch.arange(4.0).reshape(4, 1)
        for step in range(5):
            loss = torch.nn.functional.mse_loss(model(x), 2 * x)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            accelerator.log({"loss": loss.item(), "both": {"a": step, "b": 1.0}, "text": "step"}, step=step)
        writer = accelerator.get_tracker("tensorboard").writer
        accelerator.end_training()
        return writer
"""

MAIN = """
    import os, sys, warnings
    warnings.simplefilter("ignore")
    {script}
    import tbasync
    first = train("plain")
    with tbasync.install():
        second = train("ours")
    assert not isinstance(first, tbasync.SummaryWriter)
    assert isinstance(second, tbasync.SummaryWriter)
    assert isinstance(second, type(first))
"""

FRAMEWORKS = {"lightning": LIGHTNING, "transformers": TRANSFORMERS, "accelerate": ACCELERATE}

# What must be there at least, so that two empty runs are not taken for equal ones.
LOGGED = {
    "lightning": {"loss_step", "loss_epoch", "hp_metric", "after", "_hparams_/session_start_info"},
    "transformers": {"train/loss", "train/learning_rate", "args/text_summary"},
    "accelerate": {"loss", "both", "text/text_summary", "_hparams_/session_start_info"},
}
# Speed and the run's name, which differ from run to run.
VARYING = ("train/train_runtime", "train/train_s", "args/text_summary", "model_config")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_training_logs_the_same(framework: str, tmp_path: Path) -> None:
    """The framework makes a tbasync writer, and the runs are equal to those that it logs without."""
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    script = textwrap.dedent(MAIN).format(script=textwrap.dedent(FRAMEWORKS[framework]))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert ended.returncode == 0, ended.stderr
    logged, expected = comparable(tmp_path / "ours"), comparable(tmp_path / "plain")
    assert {value.tag for values in logged.values() for value in values} >= LOGGED[framework]
    assert logged == expected


def comparable(log_dir: Path) -> dict[str, list[runs.Logged]]:
    """All runs below a directory, trials' sub-runs by their order instead of their time."""
    read = runs.read(log_dir)
    names = {run: "trial" if run.rpartition("/")[2].replace(".", "").isdigit() else run for run in read}
    return {
        names[run]: [
            value._replace(content=None) if value.tag.startswith(VARYING) else value for value in values
        ]
        for run, values in read.items()
    }

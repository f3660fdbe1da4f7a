"""A linear model on four points, trained by Transformers' Trainer; what it should have logged is noted beside it."""

from __future__ import annotations

import os
from typing import Any

import torch
from transformers import PretrainedConfig, Trainer, TrainerCallback, TrainingArguments

from .notes import train_thrice


class Config(PretrainedConfig):
    """A configuration made here; nothing is fetched."""

    model_type = "line"


class Model(torch.nn.Module):
    """A line."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x: Any, labels: Any) -> dict[str, Any]:
        output = self.layer(x)
        return {"loss": torch.nn.functional.mse_loss(output, labels), "logits": output}


class Noting(TrainerCallback):
    """Notes the numbers that every logging callback is given, as (tag, step, value)."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, int, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        for name, value in logs.items():
            kind, _, rest = name.partition("_")
            tag = f"{kind}/{rest}" if kind in ("eval", "test") else f"train/{name}"
            self.noted.append((tag, state.global_step, float(value)))


def train(log_dir: str, ours: type[TrainerCallback] | None) -> tuple[Any, dict[str, Any]]:
    """Six steps, and one evaluation after three; another one after the training."""
    torch.manual_seed(0)
    os.environ["TENSORBOARD_LOGGING_DIR"] = log_dir
    data = [{"x": torch.tensor([float(x)]), "labels": torch.tensor([2.0 * x])} for x in range(4)]
    arguments = TrainingArguments(
        output_dir="out",
        report_to="none" if ours else "tensorboard",
        logging_steps=1,
        max_steps=6,
        eval_strategy="steps",
        eval_steps=3,
        use_cpu=True,
        seed=0,
        per_device_train_batch_size=2,
        save_strategy="no",
        disable_tqdm=True,
        learning_rate=0.05,
    )
    noting = Noting()
    callbacks = [noting, ours()] if ours else [noting]
    trainer = Trainer(
        model=Model(), args=arguments, train_dataset=data, eval_dataset=data, callbacks=callbacks
    )
    made: list[Any] = []
    callback = next(c for c in trainer.callback_handler.callbacks if hasattr(c, "tb_writer"))
    trainer.add_callback(_taking_note_of(callback, made))
    trainer.train()
    trainer.evaluate()
    if callback.tb_writer is not None:
        callback.tb_writer.close()
    return made[0], {"scalars": noting.noted}


def _taking_note_of(callback: Any, made: list[Any]) -> TrainerCallback:
    """A callback that notes the other one's writer while there is one."""

    class Taking(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            made.append(callback.tb_writer)

    return Taking()


def integration() -> type[TrainerCallback]:
    """tbasync's callback."""
    from tbasync.integrations.transformers import AsyncTensorBoardCallback

    return AsyncTensorBoardCallback


if __name__ == "__main__":
    train_thrice(train, None, integration)

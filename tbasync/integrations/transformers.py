"""Transformers' TensorBoard callback with tbasync's writer.

from tbasync.integrations.transformers import AsyncTensorBoardCallback

trainer = Trainer(..., args=TrainingArguments(..., report_to="none"), callbacks=[AsyncTensorBoardCallback()])
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from ..errors import TbasyncWarning
from ..files.paths import default_log_dir
from ..writer import SummaryWriter
from ._logging import close, log_values, refuse_ranks

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments


class AsyncTensorBoardCallback(TrainerCallback):
    """Logs what `report_to="tensorboard"` logs, without waiting for it at every `logging_steps`.

    These are the arguments and the model's configuration as texts, and each number and text of the trainer's
    logs under `train/`, `eval/` or `test/`. Only the world's process zero logs.

    Attributes:
        tb_writer: the writer; None until the first training or evaluation begins.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        *,
        tb_writer: SummaryWriter | None = None,
        **options: Any,
    ) -> None:
        """Makes no directory yet.

        Args:
            log_dir: the run's directory; None is that which the environment variable TENSORBOARD_LOGGING_DIR
                names, or a new one below `runs` in the trainer's output directory. In a hyperparameter search
                each trial has a sub-run of its name.
            tb_writer: a writer to use instead of one of the callback's own.
            options: further arguments of `SummaryWriter`, such as `interval=`.

        Raises:
            ValueError: `reduce` or `ranks` is given.
        """
        refuse_ranks(options, "Transformers")
        self.tb_writer = tb_writer
        self._log_dir = log_dir or os.environ.get("TENSORBOARD_LOGGING_DIR") or None
        self._options = options
        self._own = tb_writer is None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Logs the arguments and the model's configuration."""
        if not state.is_world_process_zero:
            return
        if "tensorboard" in (getattr(args, "report_to", None) or ()):
            warnings.warn(
                'the training is logged twice, by Transformers\' own callback as well: leave "tensorboard" out of '
                "TrainingArguments(report_to=...)",
                TbasyncWarning,
                stacklevel=2,
            )
        writer = self._writer(args, state)
        writer.add_text("args", args.to_json_string())
        config = getattr(kwargs.get("model"), "config", None)
        if config is not None:
            writer.add_text("model_config", config.to_json_string())

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Logs what the trainer reports, at its global step."""
        if state.is_world_process_zero and logs:
            values = {_tag(name): value for name, value in logs.items()}
            log_values(self._writer(args, state), values, state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Waits until everything is written; what is logged later goes to a new file of the same run."""
        if state.is_world_process_zero and self.tb_writer is not None:
            close(self.tb_writer, self._options)

    def _writer(self, args: TrainingArguments, state: TrainerState) -> SummaryWriter:
        """The writer, a new one if this is another trial of a search."""
        if not self._own:
            assert self.tb_writer is not None
            return self.tb_writer
        if self._log_dir is None:
            self._log_dir = os.path.join(args.output_dir or ".", default_log_dir(""))
        trial = state.trial_name if state.is_hyper_param_search else None
        log_dir = os.path.join(os.path.expanduser(self._log_dir), *([trial] if trial else []))
        if self.tb_writer is None or self.tb_writer.log_dir != log_dir:
            self.tb_writer = SummaryWriter(log_dir, **self._options)
        return self.tb_writer


def _tag(name: str) -> str:
    """`eval_loss` -> `eval/loss`, `test_loss` -> `test/loss`, `loss` -> `train/loss`."""
    kind, separator, rest = name.partition("_")
    return f"{kind}/{rest}" if separator and kind in ("eval", "test") else f"train/{name}"

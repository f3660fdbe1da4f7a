"""Lightning's TensorBoardLogger with tbasync's writer.

    from tbasync.integrations.lightning import AsyncTensorBoardLogger

    trainer = lightning.Trainer(logger=AsyncTensorBoardLogger("runs"))

Lightning is one code base in two packages whose classes do not mix: `lightning` is taken, unless only
`pytorch_lightning` is installed, or only that has been imported when this module is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..writer import SummaryWriter
from ._logging import close, refuse_ranks


def _is_pytorch_lightning() -> bool:
    """Whether it is the package of that name whose trainer will be used."""
    if find_spec("pytorch_lightning") is None:
        return False
    imported = "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules
    return imported or find_spec("lightning") is None


if TYPE_CHECKING or not _is_pytorch_lightning():
    from lightning.fabric.loggers.logger import rank_zero_experiment
    from lightning.pytorch.core.saving import save_hparams_to_yaml
    from lightning.pytorch.loggers import TensorBoardLogger
    from lightning.pytorch.utilities.rank_zero import rank_zero_only
else:
    from lightning_fabric.loggers.logger import rank_zero_experiment
    from pytorch_lightning.core.saving import save_hparams_to_yaml
    from pytorch_lightning.loggers import TensorBoardLogger
    from pytorch_lightning.utilities.rank_zero import rank_zero_only


class AsyncTensorBoardLogger(TensorBoardLogger):
    """A `TensorBoardLogger` whose `experiment` is a `tbasync.SummaryWriter`.

    Names, versions, directories, `hparams.yaml`, and that rank zero alone writes are Lightning's. All that
    differs is when things happen: the metrics of a step are one push, a tensor on a device is not waited for,
    and `save()`, which the trainer calls at every logged step, is no barrier. `finalize()` is.
    """

    _experiment: SummaryWriter | None

    def __init__(self, save_dir: str | os.PathLike[str], *arguments: Any, **options: Any) -> None:
        """Makes no directory yet.

        Args:
            save_dir: as `TensorBoardLogger` takes it.
            arguments: likewise: name, version, log_graph, default_hp_metric, prefix, sub_dir.
            options: likewise, by keyword; all others go to `SummaryWriter`, such as `interval=`.

        Raises:
            ValueError: `reduce` or `ranks` is given.
        """
        refuse_ranks(options, "Lightning")
        super().__init__(save_dir, *arguments, **options)

    @property
    @rank_zero_experiment  # type: ignore[untyped-decorator]
    def experiment(self) -> SummaryWriter:
        """The writer, made when it is first asked for; on other ranks than zero a dummy that does nothing."""
        if self._experiment is None:
            self._experiment = SummaryWriter(self.log_dir, **self._kwargs)
        return self._experiment

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Logs numbers, arrays or tensors of one element, and dicts of them, each dict as one chart.

        Raises:
            ValueError: a value is nothing of that; then none of the plain numbers is logged.
        """
        prefix = f"{self._prefix}{self.LOGGER_JOIN_CHAR}" if self._prefix else ""
        numbers = {}
        for name, value in metrics.items():
            if isinstance(value, dict):
                self.experiment.add_scalars(prefix + name, value, step)
            else:
                numbers[prefix + name] = value
        try:
            self.experiment.log_metrics(numbers, step)
        except (TypeError, ValueError) as error:
            raise ValueError(f"metrics must be numbers or dicts of numbers: {error}") from error

    @rank_zero_only  # type: ignore[untyped-decorator]
    def save(self) -> None:
        """Writes the hyperparameters to `hparams.yaml` if that is not there; waits for nothing else."""
        file = os.path.join(self.log_dir, self.NAME_HPARAMS_FILE)
        if self._fs.isdir(self.log_dir) and not self._fs.isfile(file):
            save_hparams_to_yaml(file, self.hparams)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def finalize(self, status: str) -> None:
        """Waits until everything is written, and closes the event files; another call of `log_…` opens new ones."""
        if self._experiment is not None:
            close(self._experiment, self._kwargs)
        if status == "success":
            self.save()

"""Hyperparameters and the metrics that they are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Any

from ..encode.hparams import check_hparams, hparams, plain
from ..encode.result import Encoded
from ..files.paths import sub_run
from ..integrations import wandb
from ..pipeline.frameworks import is_torch_tensor
from ..pipeline.freeze import freeze_here, freeze_metrics
from ..pipeline.items import EndRun, Group, Metrics, Summary
from ..wire.event import SUMMARY
from .base import Pushing


class HyperparameterMethods(Pushing):
    """`add_hparams`."""

    def add_hparams(
        self,
        hparam_dict: dict[str, Any],
        metric_dict: dict[str, Any],
        hparam_domain_discrete: Mapping[str, Sequence[Any]] | str | None = None,
        run_name: str | int | None = None,
        global_step: Any = None,
        *,
        name: str | None = None,
        same_run: bool = False,
    ) -> None:
        """Logs a trial for the HParams dashboard: what was varied, and what came out.

        Args:
            hparam_dict: name -> bool, number, str, or None for unknown. Types are kept: a bool stays one.
            metric_dict: tag -> number, as `add_scalar` takes it.
            hparam_domain_discrete: name -> list of all values that the hyperparameter may take.
            run_name: the trial's sub-run; None is the time of the call.
            global_step: an integer of 64 bits, or None for 0.
            name: tensorboardX's name for `run_name`. There it is the third argument, and `global_step` the
                fourth: a str in the third place is taken for it.
            same_run: log into this run and not a sub-run of its own, so that the trial carries the run's
                own curves.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        if isinstance(hparam_domain_discrete, str):
            name = hparam_domain_discrete or name
            global_step = run_name if global_step is None else global_step
            hparam_domain_discrete = run_name = None
        run_name = _checked_name(run_name or name)
        values = {key: _plain(value, key) for key, value in _as_dict(hparam_dict, "hparam_dict").items()}
        metrics = _as_dict(metric_dict, "metric_dict")
        check_hparams(values, metrics, hparam_domain_discrete)
        step, wall_time = self._moment(global_step, None)
        run = None if same_run else sub_run(self.log_dir, run_name or str(time()))
        frozen, deferred = freeze_metrics(metrics)
        domains = {
            key: [plain(value) for value in among] for key, among in (hparam_domain_discrete or {}).items()
        }
        arguments = ({key: plain(value) for key, value in values.items()}, tuple(frozen), domains)
        items = [
            Summary(run, "hparams", step, wall_time, _trial, arguments, summaries=3),
            Metrics(run, frozen, step, wall_time, deferred),
        ]
        # In one push: a full queue takes the whole trial, or nothing of it.
        self._queue.put(Group(items if run is None else [*items, EndRun(run)]))
        if run is not None:
            wandb.announce(run)


def _trial(_: str, *arguments: Any) -> Encoded:
    return Encoded(b"", events=tuple((SUMMARY, encoded.summary) for encoded in hparams(*arguments)))


def _as_dict(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be a dict, got {type(value).__name__}")
    return value


def _checked_name(run_name: object) -> str | None:
    if run_name is not None and not isinstance(run_name, str):
        raise TypeError(f"run_name must be a str or None, got {type(run_name).__name__}: {run_name!r}")
    return run_name


def _plain(value: Any, key: str) -> Any:
    return freeze_here(value, f"hparam_dict[{key!r}]") if is_torch_tensor(value) else value

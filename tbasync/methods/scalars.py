"""Scalars: one, several at once, several in one chart."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import Any

import numpy as np

from ..encode.scalar import check_described, described_scalar, scalar_tensor
from ..errors import TbasyncError
from ..files.paths import sub_run
from ..pipeline.deferred import Deferred
from ..pipeline.freeze import INT64_MAX, INT64_MIN, check_tag, freeze_metrics, freeze_scalar
from ..pipeline.items import Metrics
from ..ranks.pipeline import reduce_tag
from ..ranks.team import Reduce
from .base import Pushing
from .kept_scalars import KeptScalars

# What `float()` makes a float of at once.
NUMBERS = frozenset((float, int, bool, np.float64, np.float32, np.float16, np.int64, np.int32))


class ScalarMethods(Pushing):
    """`add_scalar`, `log_metrics`, `add_scalars`, `export_scalars_to_json`."""

    _kept: KeptScalars | None  # of `keep_scalars`
    flush: Callable[[], bool]

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        new_style: bool | str = False,
        double_precision: bool | str = False,
        *,
        display_name: str | None = None,
        summary_description: str | None = None,
        reduce: Reduce = None,
    ) -> None:
        """Logs one number.

        Args:
            tag: the series' name.
            scalar_value: a real number: Python's or numpy's, or an array or tensor of one element. NaN and
                infinities are logged. Stored as float32; beyond its range it is infinite.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.
            new_style: store a tensor, as `tf.summary` does.
            double_precision: with `new_style`, store a float64.
            display_name: the chart's title, if not the tag (tensorboardX). There it is the fifth argument,
                and `summary_description` the sixth: a str in those places is taken for them.
            summary_description: the chart's description in Markdown (tensorboardX).
            reduce: for a writer with `reduce=`, the reductions of this tag over the ranks, from now on.

        Raises:
            TypeError: `tag` is no str, `global_step` no integer, `scalar_value` no real number.
            ValueError: `scalar_value` has not one element, or `global_step` does not fit 64 bits.
        """
        # The common call, spelled out: this is the critical path, and a function call would double it.
        if (
            type(scalar_value) is float
            and type(global_step) is int
            and type(tag) is str
            and walltime is None
            and new_style is False
            and display_name is None
            and summary_description is None
            and reduce is None
            and -1 < global_step < 0x3FFF_FFFF
        ):
            queue = self._queue
            queue.append((tag, scalar_value, global_step, time()))
            if len(queue.items) > queue.limit:
                queue.attend()
            return
        if (
            type(scalar_value) in NUMBERS
            and walltime is None
            and new_style is False
            and double_precision is False
            and display_name is None
            and summary_description is None
            and reduce is None
            and self._push_number(tag, scalar_value, global_step)
        ):
            return
        self._add_scalar(
            tag,
            scalar_value,
            global_step,
            walltime,
            new_style,
            double_precision,
            display_name=display_name,
            summary_description=summary_description,
            reduce=reduce,
        )

    def _add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        new_style: bool | str = False,
        double_precision: bool | str = False,
        *,
        display_name: str | None = None,
        summary_description: str | None = None,
        reduce: Reduce = None,
    ) -> None:
        """`add_scalar` for every value and option."""
        check_tag(tag)
        if isinstance(new_style, str):
            display_name = new_style or display_name
            new_style = False
        if isinstance(double_precision, str):
            summary_description = double_precision or summary_description
            double_precision = False
        check_described(display_name, summary_description)
        value = freeze_scalar(scalar_value)
        if reduce is not None:
            reduce_tag(self._pipeline, str(tag), reduce)
        if new_style:
            self._push(tag, global_step, walltime, scalar_tensor, (value, bool(double_precision)))
        elif display_name or summary_description:
            described = (value, display_name or "", summary_description or "")
            self._push(tag, global_step, walltime, described_scalar, described)
        elif isinstance(value, Deferred):
            self._queue.put(Metrics(None, {tag: value}, *self._moment(global_step, walltime), (value,)))
        else:
            self._push_scalar(str(tag), value, *self._moment(global_step, walltime))

    def log_metrics(
        self, metrics: Mapping[str, Any], step: Any = None, walltime: float | None = None
    ) -> None:
        """Logs several numbers of one step with a single push: one wall time, and a fraction of the cost.

        Args:
            metrics: tag -> value, as `add_scalar` takes them. It may be changed after the call.
            step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.

        Raises:
            TypeError, ValueError: as `add_scalar`; then none of the metrics is logged.
        """
        values, deferred = freeze_metrics(metrics)
        if type(step) is int and walltime is None and -1 < step < 0x3FFF_FFFF and not self._contexts:
            wall_time = time()  # the common case of `_moment`
        else:
            step, wall_time = self._moment(step, walltime, "step")
        self._queue.put(Metrics(None, values, step, wall_time, deferred))

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: Any = None,
        walltime: float | None = None,
        *,
        same_run: bool = False,
    ) -> None:
        """Logs several numbers to be compared in one chart: a sub-run for each, all tagged `main_tag`.

        Args:
            main_tag: the chart's name. The sub-runs are `<main_tag>_<key>` below the run's directory, with
                the slashes of `main_tag` made underscores.
            tag_scalar_dict: sub-run's key -> value, as `add_scalar` takes it.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.
            same_run: log into this run, under the tags `<main_tag>/<key>`, and not into sub-runs, each of
                which is a file, a directory and a legend entry.

        Raises:
            TypeError, ValueError: as `add_scalar`, or a key would lead out of the run's directory; then none
                of the values is logged.
        """
        check_tag(main_tag, "main_tag")
        step, wall_time = self._moment(global_step, walltime)
        prefix = main_tag.replace("/", "_")
        values, _ = freeze_metrics(tag_scalar_dict, "tag_scalar_dict")
        runs = [] if same_run else [sub_run(self.log_dir, f"{prefix}_{key}") for key in values]
        if self._kept is not None:
            values = self._kept.add(main_tag, values, None if global_step is None else step, wall_time)
        if same_run:
            tagged = {f"{main_tag}/{key}": value for key, value in values.items()}
            deferred = tuple(value for value in values.values() if isinstance(value, Deferred))
            self._queue.put(Metrics(None, tagged, step, wall_time, deferred))
            return
        self._push_to_runs(runs, main_tag, values, step, wall_time)

    def export_scalars_to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes what `add_scalars` has logged to a file, as JSON, and forgets it (tensorboardX).

        Args:
            path: the file; `<log_dir>/<main_tag>/<key>` -> [[wall time, step, value], ...]. Until then the
                same can be read in `scalar_dict`, where a value that is on a device is None until it has
                been written. A value that was lost is null in the file.

        Raises:
            TbasyncError: nothing has been kept, for the writer was constructed without `keep_scalars`.
            OSError: the file cannot be written; nothing is forgotten then.
            LoggingError: as `flush()`, which is called if there are values that were on a device; nothing is
                forgotten then.
        """
        if self._kept is None:
            raise TbasyncError(
                "no scalars were kept to be exported: construct the writer with keep_scalars=N, the most "
                "points of add_scalars to hold in memory; or read the event files"
            )
        self._kept.export(path, self.flush)

    def _push_to_runs(
        self,
        runs: Sequence[str],
        tag: str,
        values: Mapping[str, float | Deferred],
        step: int,
        wall_time: float,
    ) -> None:
        """Pushes each value to the sub-run of the same place."""
        for run, value in zip(runs, values.values(), strict=True):
            self._note_run(run)
            deferred = (value,) if isinstance(value, Deferred) else ()
            self._queue.put(Metrics(run, {tag: value}, step, wall_time, deferred))

    def _push_number(self, tag: str, value: Any, step: Any) -> bool:
        """Pushes a value of `NUMBERS` now, the second most common call; False for what takes longer to look at."""
        if self._contexts or type(tag) is not str:
            return False
        if step is None:
            step = 0
        elif type(step) is not int or not INT64_MIN <= step <= INT64_MAX:
            return False
        try:
            number = float(value)
        except OverflowError:
            return False
        queue = self._queue
        queue.append((tag, number, step, time()))
        if len(queue.items) > queue.limit:
            queue.attend()
        return True

    def _push_scalar(self, tag: str, value: float, step: int, wall_time: float) -> None:
        queue = self._pipeline.queue  # past the one of `use_metadata`: this has its wall time
        queue.append((tag, value, step, wall_time))
        if len(queue.items) > queue.limit:
            queue.attend()

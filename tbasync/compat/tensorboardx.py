"""The writer for scripts written for tensorboardX: its constructor, argument orders, tags and sub-runs."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Mapping
from time import time
from typing import Any

from ..files.paths import sub_run
from ..integrations.torch_compile import not_compiled, skip_frames
from ..methods.scalars import NUMBERS
from ..pipeline.freeze import check_tag, freeze_metrics
from ..writer import SummaryWriter, warn_of_comet

# tensorboardX/summary.py: what it replaces in a tag. It does so for scalars and these kinds, and no others.
_ILLEGAL = re.compile(r"[^-/\w.]")
_CLEANED = ("add_figure", "add_histogram", "add_image", "add_images", "add_video")

# Methods whose arguments tensorboardX orders or names otherwise: its order, each "its name" or "its:ours".
_ORDERS = {
    "add_hparams": "hparam_dict metric_dict name:run_name global_step",
    "add_image_with_boxes": "tag img_tensor box_tensor global_step walltime dataformats labels",
    "add_onnx_graph": "onnx_model_file:prototxt",
    "add_video": "tag vid_tensor global_step fps walltime dataformats",
}

# tensorboardX keeps all points of `add_scalars` for its export, for ever; here this many.
_KEPT_SCALARS = 100_000
# Cleaned tags are remembered, up to this many: a script may make up new ones for ever.
_MOST_TAGS = 1 << 16


def clean_tag(tag: str) -> str:
    """`tag` as tensorboardX writes it: odd characters made underscores, leading slashes removed."""
    return _ILLEGAL.sub("_", tag).lstrip("/")


@not_compiled
class TensorboardXWriter(SummaryWriter):
    """A drop-in for `tensorboardX.SummaryWriter` where that differs from torch's; else `SummaryWriter`."""

    # What tensorboardX's own methods look at, should one be called that tbasync does not have.
    _comet_config: Mapping[str, object] = {"disabled": True}
    _comet_logger = None

    def __init__(
        self,
        logdir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
        write_to_disk: bool = True,
        log_dir: str | os.PathLike[str] | None = None,
        comet_config: Mapping[str, object] | None = None,
        **options: Any,
    ) -> None:
        """Creates the run's directory and event file.

        Args:
            logdir: the run's directory; where it is None, `log_dir` is.
            comment: as for `SummaryWriter`, and so are all others that are not named here.
            options: tbasync's own, as for `SummaryWriter`; `keep_scalars` is 100,000 where it is not given.
        """
        warn_of_comet(comet_config)
        options.setdefault("keep_scalars", _KEPT_SCALARS)
        super().__init__(
            log_dir if logdir is None else logdir,
            comment,
            purge_step,
            max_queue,
            flush_secs,
            filename_suffix,
            write_to_disk,
            **options,
        )
        skip_frames(TensorboardXWriter)
        self._clean_tags: dict[str, str] = {}

    def add_scalar(  # type: ignore[override]
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        display_name: str | None = "",
        summary_description: str | None = "",
        **options: Any,
    ) -> None:
        """Logs one number; arguments and errors as those of `SummaryWriter.add_scalar`, in another order."""
        # The common call, spelled out as in SummaryWriter and for the same reason.
        if (
            type(scalar_value) is float
            and type(global_step) is int
            and type(tag) is str
            and (clean := self._clean_tags.get(tag)) is not None
            and walltime is None
            and not display_name
            and not summary_description
            and not options
            and -1 < global_step < 0x3FFF_FFFF
        ):
            queue = self._queue
            queue.append((clean, scalar_value, global_step, time()))
            if len(queue.items) > queue.limit:
                queue.attend()
            return
        if (
            type(scalar_value) in NUMBERS
            and walltime is None
            and not display_name
            and not summary_description
            and not options
            and self._push_number(self._cleaned(tag), scalar_value, global_step)
        ):
            return
        self._add_scalar(
            tag, scalar_value, global_step, walltime, display_name, summary_description, **options
        )

    def _add_scalar(  # type: ignore[override]
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        display_name: str | None = "",
        summary_description: str | None = "",
        **options: Any,
    ) -> None:
        super()._add_scalar(
            self._cleaned(tag),
            scalar_value,
            global_step,
            walltime,
            display_name=display_name,
            summary_description=summary_description,
            **options,
        )

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: Any = None,
        walltime: float | None = None,
        **options: Any,
    ) -> None:
        """Logs several numbers to be compared in one chart, in the sub-runs `<main_tag>/<key>`.

        Args:
            main_tag: the chart's name.
            tag_scalar_dict: sub-run's key -> value, as `add_scalar` takes it.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.
            options: tbasync's own, as for `SummaryWriter.add_scalars`.

        Raises:
            TypeError, ValueError: as `add_scalar`, or a key would lead out of the run's directory; then none
                of the values is logged.
        """
        tag = self._cleaned(main_tag)
        if any(options.values()):
            super().add_scalars(tag, tag_scalar_dict, global_step, walltime, **options)
            return
        step, wall_time = self._moment(global_step, walltime)
        values, _ = freeze_metrics(tag_scalar_dict, "tag_scalar_dict")
        runs = [sub_run(self.log_dir, f"{main_tag}/{key}") for key in values]
        if self._kept is not None:
            values = self._kept.add(main_tag, values, None if global_step is None else step, wall_time)
        self._push_to_runs(runs, tag, values, step, wall_time)

    def _cleaned(self, tag: str) -> str:
        check_tag(tag)
        clean = self._clean_tags.get(tag)
        if clean is None:
            if len(self._clean_tags) >= _MOST_TAGS:
                self._clean_tags.clear()
            clean = self._clean_tags[tag] = clean_tag(tag)
        return clean


def _cleaning(method: Callable[..., None]) -> Callable[..., None]:
    """The same method with its tag cleaned first."""

    @functools.wraps(method)
    def cleaned(self: TensorboardXWriter, tag: str, *arguments: Any, **options: Any) -> None:
        method(self, self._cleaned(tag), *arguments, **options)

    return cleaned


def _ordered(method: Callable[..., None], names: str) -> Callable[..., None]:
    """The same method with tensorboardX's order and names of arguments."""
    ours = dict(name.partition(":")[::2] for name in names.split())
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY, default=None) for name in ours]
    order = inspect.Signature(parameters)

    @functools.wraps(method)
    def ordered(self: TensorboardXWriter, *arguments: Any, **options: Any) -> None:
        positional = order.bind(*arguments).arguments
        named = [*positional.items(), *options.items()]
        if len(positional.keys() | options.keys()) < len(named):
            raise TypeError(f"{method.__name__}() got multiple values for an argument")
        method(self, **{ours.get(name) or name: value for name, value in named})

    return ordered


for _name, _names in _ORDERS.items():
    if hasattr(SummaryWriter, _name):
        setattr(TensorboardXWriter, _name, _ordered(getattr(SummaryWriter, _name), _names))
for _name in _CLEANED:
    if hasattr(SummaryWriter, _name):
        setattr(TensorboardXWriter, _name, _cleaning(getattr(TensorboardXWriter, _name)))

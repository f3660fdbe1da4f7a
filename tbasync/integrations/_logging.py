"""What the frameworks' loggers share: numbers, texts and charts told apart, and an end that ends no training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import TbasyncError, TbasyncWarning
from ..pipeline.frameworks import is_torch_tensor
from ..writer import SummaryWriter


def refuse_ranks(options: Mapping[str, Any], framework: str) -> None:
    """Raises ValueError for options that need a writer on every rank: the framework makes one on the first alone."""
    for name in ("ranks", "reduce"):
        if options.get(name) is not None:
            raise ValueError(
                f"{name}= cannot be given to {framework}'s logger, which logs on rank zero alone; reduce the value "
                f"before it is logged, or log it with a SummaryWriter(..., {name}=) of your own on every rank"
            )


def log_values(writer: SummaryWriter, values: Mapping[str, Any], step: int | None, **options: Any) -> None:
    """Logs what a framework hands over for one step, with a single push for all its numbers.

    Args:
        writer: where to.
        values: tag -> number, array or tensor of one element, str, or dict of numbers for one chart. Anything
            else is left out, which is said once for each tag: a framework's own logging does not raise either.
        step: an integer of 64 bits, or None for 0.
        options: further arguments of `add_scalar`, `add_text` or `add_scalars`; with any, each is a push.
    """
    numbers = {}
    for tag, value in values.items():
        if not options and _is_number(value):
            numbers[tag] = value
        else:
            _log_one(writer, tag, value, step, options)
    if numbers:
        writer.log_metrics(numbers, step)


def _is_number(value: Any) -> bool:
    """Whether `log_metrics` takes it for sure; tensors on devices above all, which it then fetches together."""
    if isinstance(value, (int, float, np.number, np.bool_)):
        return not isinstance(value, np.complexfloating)
    return is_torch_tensor(value) and value.numel() == 1 and not value.is_complex()


def _log_one(
    writer: SummaryWriter, tag: str, value: Any, step: int | None, options: Mapping[str, Any]
) -> None:
    if isinstance(value, str):
        writer.add_text(tag, value, step, **options)
        return
    log = writer.add_scalars if isinstance(value, Mapping) else writer.add_scalar
    try:
        log(tag, value, step, **options)
    except (TypeError, ValueError) as error:
        # The same text each time, so that Python's own filter says it once for a tag.
        message = f"{tag!r} is not logged, for a {type(value).__name__} is not what it can be: {error}"
        warnings.warn(message.partition(", got ")[0], TbasyncWarning, stacklevel=4)


def close(writer: SummaryWriter, options: Mapping[str, Any]) -> None:
    """Closes a writer at the end of a training.

    What could not be logged is said in a warning: it must not cost the trained model. It is raised if `options`,
    those that the writer was made with, have `on_error="raise"`.

    Raises:
        LoggingError: see above.
    """
    try:
        writer.close()
    except TbasyncError as error:
        if options.get("on_error") == "raise":
            raise
        warnings.warn(f"not everything was logged: {error}", TbasyncWarning, stacklevel=3)

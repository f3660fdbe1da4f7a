"""What the same calls would have cost under tbasync: some of them made again, with a writer of its own."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import warnings
from array import array
from collections.abc import Callable, Iterable
from time import monotonic, perf_counter_ns
from typing import Any

from ..compat.kinds import TENSORBOARDX, moment_cut_down
from ..compat.tensorboardx import TensorboardXWriter
from ..writer import SummaryWriter
from .instruments import CONSTRUCTOR, FILE_WRITER
from .sample import Sampled


class _TorchWriter(SummaryWriter):
    _moment = moment_cut_down


class _TensorboardXWriter(TensorboardXWriter):
    _moment = moment_cut_down


# Tracing a graph takes as long under tbasync as without, and can take long.
_MOST_SECONDS = 10.0
# The sample comes at once and not over a whole run: the queue is emptied before it fills up.
_CALLS_BETWEEN_FLUSHES = 64


def estimate(calls: Iterable[Sampled], place: str | None = None) -> dict[str, array[int]]:
    """Makes calls again, in their order, with a tbasync writer in a temporary directory.

    Args:
        calls: in their order.
        place: where to make the directory; None is where the system has temporary files.

    Returns:
        Method -> nanoseconds of each call. Methods that tbasync does not have, and calls that raise, as they
        may have done the first time, are missing.
    """
    durations: dict[str, array[int]] = {}
    with tempfile.TemporaryDirectory(prefix="tbasync-profile-", dir=place) as directory:
        writer = _time(durations, CONSTRUCTOR, lambda: _writer_for_this_script(directory))
        # Nothing may be said about what the sample fails at: the script has been told already.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _warm_up(writer)
            _make_again(calls, writer, durations)
        with contextlib.suppress(Exception):
            writer.flush()  # in a script most has been written by the time it closes
            _time(durations, "close", writer.close)
    floor = _time_of_nothing()
    return {name: array("q", (max(0, spent - floor) for spent in spans)) for name, spans in durations.items()}


def _time_of_nothing() -> int:
    """What `_time` measures of a call that does nothing."""
    durations: dict[str, array[int]] = {}
    for _ in range(1000):
        _time(durations, "nothing", lambda: _nothing("tag", 0.0, 0))
    return sorted(durations["nothing"])[500]


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _writer_for_this_script(directory: str) -> SummaryWriter:
    cls = _TensorboardXWriter if TENSORBOARDX.module in sys.modules else _TorchWriter
    return cls(directory, on_error=lambda error: None)


def _warm_up(writer: SummaryWriter) -> None:
    # The script's loop pays once for the start of the thread and for what is looked up first.
    for step in range(100):
        writer.add_scalar("warm up", float(step), step)
    writer.flush()


def _make_again(calls: Iterable[Sampled], writer: SummaryWriter, durations: dict[str, array[int]]) -> None:
    end = monotonic() + _MOST_SECONDS
    for number, sampled in enumerate(calls):
        method = _method(writer, sampled.name)
        if method is None or sampled.name == "close":
            continue
        arguments, options = sampled.call.arguments, sampled.call.options
        with contextlib.suppress(Exception):
            _time(durations, sampled.name, lambda: method(*arguments, **options))  # noqa: B023
        if number % _CALLS_BETWEEN_FLUSHES == 0:
            writer.flush()
        if monotonic() > end:
            return


def _method(writer: SummaryWriter, name: str) -> Callable[..., Any] | None:
    if name.startswith(FILE_WRITER):
        return getattr(writer._get_file_writer(), name.removeprefix(FILE_WRITER), None)
    return getattr(writer, name, None)


def _time(durations: dict[str, array[int]], name: str, function: Callable[[], Any]) -> Any:
    start = perf_counter_ns()
    result = function()
    spent = perf_counter_ns() - start
    durations.setdefault(name, array("q")).append(spent)
    return result

"""How a pipeline behaves: the options that `SummaryWriter` documents, checked."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .faults import OnError
from .queue import ON_FULL, OnFull

# Longer than anyone waits for a dashboard, shorter than what a lock's timeout can hold.
_LONGEST_INTERVAL = 86_400.0


@dataclass(frozen=True)
class RemoteOptions:
    """What concerns a writer only whose directory is a URL.

    Attributes:
        flush_secs: seconds after which a segment is uploaded without a barrier.
        segment_bytes: bytes at which it is.
        spool_bytes: bytes that may wait in the spool while the store is away.
        spool_dir: the directory to make the spool in; None is the system's for temporary files.
        storage_options: what fsspec's file system is to be made with.
    """

    flush_secs: float = 120
    segment_bytes: int = 8 << 20
    spool_bytes: int = 1 << 30
    spool_dir: str | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError for an option that is not what it should be."""
        if not _is_number(self.flush_secs):
            raise TypeError(f"flush_secs must be a number of seconds, got {self.flush_secs!r}")
        if not 0 <= self.flush_secs <= _LONGEST_INTERVAL:
            raise ValueError(f"flush_secs must be 0 to {_LONGEST_INTERVAL:.0f}, got {self.flush_secs!r}")
        _check_sizes(self, "segment_bytes", "spool_bytes")
        if not isinstance(self.storage_options, Mapping):
            raise TypeError(f"storage_options must be a mapping, got {self.storage_options!r}")


@dataclass(frozen=True)
class Options:
    """One writer's options.

    Attributes:
        log_dir: directory of the main run, as the user gave it.
        filename_suffix: ends the names of the event files.
        interval: seconds within which a push reaches the operating system.
        capacity: bytes that may wait.
        device_capacity: bytes that values which wait may hold on devices.
        max_items: pushes that may wait.
        on_full: what a push does when there is no room.
        on_error: what becomes of failures.
        fsync: whether every barrier waits for the disk.
        self_report: whether the writer logs what it costs into its own run.
        anchor: the directory that relative directories are meant from, wherever the process goes afterwards.
        remote: for a `log_dir` that is a URL; None for one that is a directory.
    """

    log_dir: str
    filename_suffix: str = ""
    interval: float = 0.25
    capacity: int = 256 << 20
    device_capacity: int = 512 << 20
    max_items: int = 200_000
    on_full: OnFull = "block"
    on_error: OnError = "warn"
    fsync: bool = False
    self_report: bool = False
    anchor: str = ""
    remote: RemoteOptions | None = None

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError for an option that is not what it should be."""
        self._check_suffix()
        if not _is_number(self.interval):
            raise TypeError(f"interval must be a number of seconds, got {self.interval!r}")
        if not 0 <= self.interval <= _LONGEST_INTERVAL:
            raise ValueError(f"interval must be 0 to {_LONGEST_INTERVAL:.0f} seconds, got {self.interval!r}")
        _check_sizes(self, "capacity", "device_capacity", "max_items")
        if self.on_full not in ON_FULL:
            raise ValueError(f"on_full must be one of {', '.join(map(repr, ON_FULL))}, got {self.on_full!r}")
        if not callable(self.on_error) and self.on_error not in ("warn", "raise"):
            raise ValueError(f'on_error must be "warn", "raise" or a callable, got {self.on_error!r}')

    def _check_suffix(self) -> None:
        suffix = self.filename_suffix
        if not isinstance(suffix, str):
            raise TypeError(f"filename_suffix must be a str, got {suffix!r}")
        if "\0" in suffix or os.sep in suffix or (os.altsep or os.sep) in suffix:
            raise ValueError(f"filename_suffix must be part of a name, without separators, got {suffix!r}")


def _check_sizes(options: object, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an int, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value!r}")


def check_timeout(timeout: object) -> float | None:
    """Seconds to wait, None for as long as the worker gets on; raises TypeError or ValueError for others."""
    if timeout is None:
        return None
    if not _is_number(timeout):
        raise TypeError(f"timeout must be a number of seconds or None, got {timeout!r}")
    seconds = float(timeout)  # type: ignore[arg-type]
    if not seconds >= 0:
        raise ValueError(f"timeout must be 0 seconds or more, or None, got {timeout!r}")
    return None if math.isinf(seconds) else seconds


def check_compatible(max_queue: object, flush_secs: object) -> None:
    """Raises TypeError unless the options that are there for compatibility are numbers, as for torch's writer."""
    for name, value in (("max_queue", max_queue), ("flush_secs", flush_secs)):
        if not _is_number(value):
            raise TypeError(f"{name} must be a number, got {type(value).__name__}: {value!r:.80}")


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") or hasattr(value, "__index__")

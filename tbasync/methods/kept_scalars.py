"""What `export_scalars_to_json` writes: the points that `add_scalars` has logged, kept up to a bound."""

from __future__ import annotations

import json
import operator
import os
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from ..errors import TbasyncWarning
from ..pipeline.deferred import Deferred

Points = dict[str, list[list[Any]]]


def check_keep_scalars(keep_scalars: object) -> int:
    """How many points to keep; raises TypeError or ValueError unless it is an integer of 0 or more."""
    try:
        number = operator.index(keep_scalars)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"keep_scalars must be an integer, got {keep_scalars!r}") from None
    if number < 0:
        raise ValueError(f"keep_scalars must be 0 or more points, got {number}")
    return number


class KeptScalars:
    """Points of `add_scalars` since the last export; what comes when it is full is not kept, and said once.

    Attributes:
        points: `<log_dir>/<main_tag>/<key>` -> [wall time, step or None, value] of each point, as
            tensorboardX keeps them in `scalar_dict`.
    """

    def __init__(self, log_dir: str, limit: int) -> None:
        self.points: Points = {}
        self._log_dir = log_dir
        self._limit = limit
        self._count = 0
        self._said: set[str] = set()
        # Keeps additions from the copying in `export`. Reentrant: a signal handler may log as well.
        self._lock = threading.RLock()

    def add(
        self, main_tag: str, values: Mapping[str, float | Deferred], step: int | None, wall_time: float
    ) -> None:
        """Keeps the values of one call, as far as there is room."""
        with self._lock:
            for key, value in values.items():
                if self._count >= self._limit:
                    self._say(f"has {self._limit:,} points, keep_scalars, and takes no more until an export")
                elif isinstance(value, Deferred):
                    self._say("takes no values that are on a device")
                else:
                    self._count += 1
                    series = os.path.join(self._log_dir, main_tag, key)
                    self.points.setdefault(series, []).append([wall_time, step, value])

    def export(self, path: str | os.PathLike[str]) -> None:
        """Writes all points to a file as JSON and forgets them; if that fails, none is forgotten."""
        with self._lock:  # taken away at once: another thread's export finds what has come since
            taken = dict(self.points)
            self.points.clear()
            self._count -= _length(taken)
        try:
            with open(path, "w", encoding="ascii") as file:
                json.dump(taken, file)
        except BaseException:
            with self._lock:
                for series, points in taken.items():
                    self.points[series] = points + self.points.get(series, [])
                self._count += _length(taken)
            raise

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def _say(self, what: str) -> None:
        if what in self._said:
            return
        self._said.add(what)
        warnings.warn(
            f"scalar_dict {what}: the event files will have all that add_scalars logs, but "
            "export_scalars_to_json will not",
            TbasyncWarning,
            stacklevel=4,
        )


def _length(points: Points) -> int:
    return sum(map(len, points.values()))

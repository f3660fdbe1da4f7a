"""What `export_scalars_to_json` writes: the points that `add_scalars` has logged, kept up to a bound."""

from __future__ import annotations

import json
import operator
import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import TbasyncWarning
from ..pipeline.deferred import Array, Deferred, Element

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
            tensorboardX keeps them in `scalar_dict`. A value is None while a device has it, and stays so if
            it is lost.
    """

    def __init__(self, log_dir: str, limit: int) -> None:
        self.points: Points = {}
        self._log_dir = log_dir
        self._limit = limit
        self._count = 0
        self._said = False
        # Keeps additions and exports apart. Reentrant: a signal handler may log as well.
        self._lock = threading.RLock()

    def add(
        self, main_tag: str, values: Mapping[str, float | Deferred], step: int | None, wall_time: float
    ) -> dict[str, float | Deferred]:
        """Keeps the values of one call, as far as there is room; returns what to log in their place."""
        logged = dict(values)
        with self._lock:
            for key, value in values.items():
                if self._count >= self._limit:
                    self._say_full()
                    break
                point = [wall_time, step, value]
                if isinstance(value, Deferred):
                    point[2] = None
                    logged[key] = _EnteredInPoint(value, point)
                self._count += 1
                # Joined as tensorboardX does, where a tag that begins with a slash leads nowhere else.
                self.points.setdefault(f"{self._log_dir}/{main_tag}/{key}", []).append(point)
        return logged

    def take_over(self, points: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        """Keeps points that another writer has kept, `points` in this form, as far as there is room."""
        with self._lock:
            for series, given in dict(points).items():
                taken = [list(point) for point in given[: self._limit - self._count]]
                if taken:
                    self.points.setdefault(series, []).extend(taken)
                    self._count += len(taken)
                if len(taken) < len(given):
                    self._say_full(stacklevel=5)

    def export(self, path: str | os.PathLike[str], flush: Callable[[], object]) -> None:
        """Writes all points to a file as JSON and forgets them; if that fails, none is forgotten.

        What another thread's call has kept but not pushed yet, that call not having returned, is null if it
        is on a device.

        Args:
            path: the file.
            flush: fetches the values that are on a device; called if there are any.

        Raises:
            OSError: the file cannot be written.
            LoggingError: as `flush`.
        """
        with self._lock:  # taken away at once: another thread's export finds what has come since
            taken = dict(self.points)
            self.points.clear()
            self._count -= _length(taken)
        try:
            if any(point[2] is None for points in taken.values() for point in points):
                flush()
            with open(path, "w", encoding="ascii") as file:
                json.dump(taken, file)
        except BaseException:
            self._put_back(taken)
            raise

    def _put_back(self, taken: Points) -> None:
        with self._lock:
            since = dict(self.points)
            self.points.clear()
            self.points.update(taken)
            for series, points in since.items():
                self.points[series] = taken.get(series, []) + points
            self._count += _length(taken)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def _say_full(self, stacklevel: int = 4) -> None:
        if self._said:
            return
        self._said = True
        warnings.warn(
            f"scalar_dict has {self._limit:,} points, keep_scalars, and takes no more until an export: the "
            "event files will have all that add_scalars logs, but export_scalars_to_json will not",
            TbasyncWarning,
            stacklevel=stacklevel,
        )


class _EnteredInPoint(Element):
    """A scalar that is entered in its point when the writer thread has fetched it."""

    def __init__(self, value: Deferred, point: list[Any]) -> None:
        super().__init__(value.array if isinstance(value, Element) else value, 0)
        self.device_bytes = value.device_bytes
        self._value = value
        self._point = point

    def resolve(self) -> Array:
        """The scalar."""
        array = self._value.resolve()
        self._point[2] = array.item()
        return array


def _length(points: Points) -> int:
    return sum(map(len, points.values()))

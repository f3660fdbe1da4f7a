"""tensorboardX's `scalar_dict`: the points of `add_scalars`, kept for `export_scalars_to_json`, but bounded."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

from ..errors import TbasyncWarning
from ..pipeline.deferred import Array, Deferred, Element

_MOST_POINTS = 100_000


class ExportedScalars:
    """Points by the directory of their sub-run, in the order of the calls.

    Attributes:
        points: directory -> [wall time, step, value] of each point; a value is None while a device has it.
        awaits: whether there is such a value.
    """

    def __init__(self) -> None:
        self.points: dict[str, list[list[Any]]] = {}
        self.awaits = False
        self._count = 0
        self._warned = False

    def add(self, run: str, wall_time: float, step: int | None, value: float | Deferred) -> float | Deferred:
        """Keeps a point, if there is room; returns what is to be logged in the place of `value`."""
        if self._count >= _MOST_POINTS:
            self._warn()
            return value
        point = [wall_time, step, value]
        self._count += 1
        self.points.setdefault(run, []).append(point)
        if not isinstance(value, Deferred):
            return value
        self.awaits = True
        point[2] = None
        return _EnteredInPoint(value, point)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Writes all points as JSON and forgets them; raises OSError, and forgets none, if it cannot."""
        with open(path, "w") as file:
            json.dump(self.points, file)
        self.__init__()  # type: ignore[misc]

    def _warn(self) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"scalar_dict holds {_MOST_POINTS:,} points and takes no more: the event files will have all that "
            "add_scalars logs, but export_scalars_to_json will not",
            TbasyncWarning,
            stacklevel=4,
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

"""Reads event files back with TensorBoard's own reader."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image


class Point(NamedTuple):
    """One point of a series."""

    step: int
    value: float
    wall_time: float


def read_events(run: Path | str) -> list[Any]:
    """All events of the files of one directory, in the order of TensorBoard; sub-runs are left out."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    files = sorted(path for path in Path(run).iterdir() if "tfevents" in path.name)
    return [Event.FromString(raw) for path in files for raw in RawEventFileLoader(str(path)).Load()]


def scalars(run: Path | str) -> dict[str, list[Point]]:
    """The `simple_value` series of one directory, by tag."""
    found: dict[str, list[Point]] = {}
    for event in read_events(run):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                point = Point(event.step, value.simple_value, event.wall_time)
                found.setdefault(value.tag, []).append(point)
    return found


def images(run: Path | str) -> dict[str, list[np.ndarray[Any, Any]]]:
    """The decoded pictures of one directory, by tag."""
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    for event in read_events(run):
        for value in event.summary.value:
            if value.HasField("image"):
                picture = np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))
                found.setdefault(value.tag, []).append(picture)
    return found

"""Reads what a writer has left in its directory, with TensorBoard's loader, in a form made for comparing."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from .stand_ins import FRAMES, frames_of

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

# Wall times given in calls are before this; those after are of the moment of the call.
_NOW = 1.5e9

# Runs that are named by the moment of the call.
_TIMED = re.compile(r"\d{10}\.\d+$")


@dataclass(frozen=True)
class Logged:
    """One event.

    Attributes:
        step: the event's.
        wall_time: as given in the call, or None for the moment of the call.
        message: the event as text, without these two and without media.
        media: what stands in the event's pictures and sounds, decoded, value by value.
    """

    step: int
    wall_time: float | None
    message: str
    media: tuple[Any, ...]


@dataclass(frozen=True)
class Left:
    """All that a writer has left.

    Attributes:
        runs: run's path relative to the log directory -> its events in order. Runs without events count.
        files: other files by relative path; pictures decoded.
    """

    runs: dict[str, list[Logged]]
    files: dict[str, Any]


def read(log_dir: Path | str, amend: Callable[[Any], None] | None = None, shades: int = 0) -> Left:
    """Reads a directory and all below it.

    Args:
        log_dir: the directory.
        amend: changes an event before it is compared.
        shades: by how much samples may differ from those that they are compared with.
    """
    root = Path(log_dir)
    runs: dict[str, list[Logged]] = {}
    files = {}
    for path in sorted(root.rglob("*"), key=_in_order):
        name = _TIMED.sub("<now>", path.parent.relative_to(root).as_posix())
        if "tfevents" in path.name:
            runs.setdefault(name, []).extend(_logged(path, amend, shades))
        elif path.suffix == ".png":
            files[f"{name}/{path.name}"] = _pixels(path.read_bytes())
        elif path.is_file():
            files[f"{name}/{path.name}"] = path.read_bytes()
    return Left(runs, files)


def events(run: Path | str) -> list[Any]:
    """The events of one run as messages, those about the file itself left out."""
    paths = sorted(path for path in Path(run).iterdir() if "tfevents" in path.name)
    return [event for path in paths for event in _events(path)]


def first_event(path: Path) -> Any:
    """The event with which a file begins: what tells its version."""
    return Event.FromString(next(iter(RawEventFileLoader(str(path)).Load())))


def values(run: Path | str) -> list[Any]:
    """All values of a run's summaries, in order."""
    return [value for event in events(run) for value in event.summary.value]


def _events(path: Path) -> Iterator[Any]:
    for record in RawEventFileLoader(str(path)).Load():
        event = Event.FromString(record)
        if not event.file_version:
            yield event


def _in_order(path: Path) -> tuple[float, str, list[int]]:
    """By name, but runs that are named by the time by that: its last digits may be left out.

    A run's files are in the order in which they were opened: torch numbers all files of a process, and its tenth
    one stands before its ninth by name.
    """
    times = [float(part) for part in path.parts if _TIMED.fullmatch(part)]
    name, _, number = str(path).partition("tfevents")
    return times[0] if times else 0.0, name, [int(digits) for digits in re.findall("[0-9]+", number)]


def _logged(path: Path, amend: Callable[[Any], None] | None, shades: int) -> Iterator[Logged]:
    for event in _events(path):
        if amend is not None:
            amend(event)
        media = tuple(_take_media(value, shades) for value in event.summary.value)
        for value in event.summary.value:
            _sort_maps(value)
        if event.graph_def:
            event.graph_def = GraphDef.FromString(event.graph_def).SerializeToString(deterministic=True)
        wall_time = event.wall_time if event.wall_time < _NOW else None
        step = event.step
        event.ClearField("wall_time")
        event.ClearField("step")
        yield Logged(step, wall_time, str(event), media)


def _take_media(value: Any, shades: int) -> Any:
    """What a picture or sound holds, which is then taken out of the value."""
    kind = value.WhichOneof("value")
    if kind == "image":
        data, value.image.encoded_image_string = value.image.encoded_image_string, b""
        return _frames(data) if data[:3] == b"GIF" or data.startswith(FRAMES) else _pixels(data)
    if kind == "audio":
        data, value.audio.encoded_audio_string = value.audio.encoded_audio_string, b""
        with wave.open(io.BytesIO(data)) as sound:
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
            return sound.getparams(), Near(samples, shades)
    return None


def _pixels(png: bytes) -> Any:
    with Image.open(io.BytesIO(png)) as picture:
        return picture.mode, picture.size, picture.tobytes()


@dataclass(frozen=True)
class Near:
    """The frames of a film, (T, H, W, 3), or samples; equal to others that differ by a few shades at most."""

    shown: np.ndarray[Any, Any]
    shades: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Near) or self.shown.shape != other.shown.shape:
            return False
        farthest = int(np.abs(self.shown.astype(int) - other.shown).max(initial=0))
        return farthest <= max(self.shades, other.shades)


def _frames(gif: bytes) -> Near:
    if gif.startswith(FRAMES):
        frames = frames_of(gif)
        return Near(np.repeat(frames, 3, axis=3) if frames.shape[3] == 1 else frames[..., :3], 1)
    with Image.open(io.BytesIO(gif)) as film:
        return Near(np.array([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]), 0)


def _sort_maps(value: Any) -> None:
    plugin = value.metadata.plugin_data
    if plugin.plugin_name == "hparams":
        data = HParamsPluginData.FromString(plugin.content)
        plugin.content = data.SerializeToString(deterministic=True)

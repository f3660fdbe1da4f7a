"""Reads runs with TensorBoard's own loader, in a form that is equal if TensorBoard shows the same."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData


class Logged(NamedTuple):
    """One value of an event, without its wall time.

    Attributes:
        step: the event's.
        tag: the value's, or the name of the event's field for what is no summary.
        content: all else of it: a message's bytes, pixels, or samples.
    """

    step: int
    tag: str
    content: Any


def read(log_dir: Path | str) -> dict[str, list[Logged]]:
    """All that was logged below a directory, in order: run's relative path -> values."""
    runs = {}
    for folder, _, names in os.walk(log_dir):
        files = sorted(name for name in names if "tfevents" in name)
        if files:
            run = os.path.relpath(folder, log_dir)
            runs[run] = [value for name in files for value in _values(os.path.join(folder, name))]
    return runs


def files(log_dir: Path | str) -> dict[str, bytes]:
    """What lies below a directory beside event files, such as the projector's: relative path -> content."""
    root = Path(log_dir)
    found = (path for path in root.rglob("*") if path.is_file() and "tfevents" not in path.name)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def scalars(log_dir: Path | str) -> dict[str, list[tuple[int, float]]]:
    """The points of all series: `run/tag` (the tag alone in the main run) -> (step, value)."""
    series: dict[str, list[tuple[int, float]]] = {}
    for run, logged in read(log_dir).items():
        for step, tag, content in logged:
            if isinstance(content, float):
                series.setdefault(tag if run == "." else f"{run}/{tag}", []).append((step, content))
    return series


def _values(path: str) -> list[Logged]:
    logged = []
    for record in RawEventFileLoader(path).Load():
        event = Event.FromString(record)
        field = event.WhichOneof("what")
        if field == "summary":
            logged += [Logged(event.step, value.tag, _content(value)) for value in event.summary.value]
        elif field == "tagged_run_metadata":
            logged.append(Logged(event.step, field, event.tagged_run_metadata.run_metadata))
        elif field == "session_log":
            logged.append(Logged(event.step, field, event.session_log.status))
        elif field == "graph_def":
            logged.append(Logged(event.step, field, _in_order(GraphDef, event.graph_def)))
        elif field != "file_version":
            logged.append(Logged(event.step, str(field), getattr(event, str(field))))
    return logged


def _content(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "simple_value" and not value.HasField("metadata"):
        return value.simple_value
    if kind == "image":
        return _pixels(value.image)
    if kind == "audio":
        return _samples(value.audio)
    copy = type(value)()
    copy.CopyFrom(value)
    copy.tag = ""
    plugin = copy.metadata.plugin_data
    if plugin.plugin_name == "hparams":
        plugin.content = _in_order(HParamsPluginData, plugin.content)
    return copy.SerializeToString(deterministic=True)


def _in_order(message: Any, data: bytes) -> bytes:
    """The same message with the entries of its maps sorted; writers leave them in any order."""
    in_order: bytes = message.FromString(data).SerializeToString(deterministic=True)
    return in_order


def _pixels(image: Any) -> tuple[Any, ...]:
    pixels = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
    return image.height, image.width, image.colorspace, pixels.shape, pixels.tobytes()


def _samples(audio: Any) -> tuple[Any, ...]:
    with wave.open(io.BytesIO(audio.encoded_audio_string)) as sound:
        frames = sound.readframes(sound.getnframes())
        return audio.sample_rate, audio.num_channels, audio.length_frames, sound.getparams()[:4], frames

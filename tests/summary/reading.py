"""What functions in the style of tf.summary have left in a directory, in a form made for comparing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tbasync.proto import GraphDef
from tests.support import plain_reader

_PNG = b"\x89PNG"


def logged(directory: Path | str) -> list[tuple[int, str, list[Any], str]]:
    """Of each event: step, summary as text without pictures, the pictures decoded, the graph."""
    found = []
    for event in plain_reader.events(directory):
        if event.file_version:
            continue
        pictures = []
        for value in event.summary.value:
            strings = value.tensor.string_val
            for place, data in enumerate(strings):
                if data.startswith(_PNG):
                    pictures.append(_decoded(data))
                    strings[place] = b"a picture"
        found.append((event.step, str(event.summary), pictures, str(GraphDef.FromString(event.graph_def))))
    return found


def numbers(directory: Path | str) -> list[tuple[str, int, float]]:
    """Tag, step and value of each scalar, in order."""
    return [
        (value.tag, event.step, float(np.frombuffer(value.tensor.tensor_content, "<f4")[0]))
        for event in plain_reader.events(directory)
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "scalars"
    ]


def values(directory: Path | str) -> list[Any]:
    """All summary values, in order."""
    return [value for event in plain_reader.events(directory) for value in event.summary.value]


def _decoded(data: bytes) -> tuple[str, Any, bytes]:
    picture = Image.open(io.BytesIO(data))
    return picture.mode, picture.size, picture.tobytes()

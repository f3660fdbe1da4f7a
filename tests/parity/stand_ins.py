"""Small stand-ins for packages that the originals' writers need and the tests' environment lacks.

What they are given is what matters here: the "GIF" of the stand-in for moviepy holds the frames themselves, and
the stand-in for onnx reads a file of its own kind. And one for a function of tensorboardX whose result is left
to chance.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import json
import math
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

FRAMES = b"FRAMES"  # how a "GIF" of the stand-in begins


class ImageSequenceClip:
    """moviepy's, as far as the originals use it."""

    def __init__(self, frames: list[np.ndarray[Any, Any]], fps: float) -> None:
        self._frames = np.array(frames)

    def write_gif(self, filename: str, **options: object) -> None:
        """Writes the frames as they are."""
        with open(filename, "wb") as file:
            file.write(FRAMES)
            np.save(file, self._frames, allow_pickle=False)


def frames_of(gif: bytes) -> np.ndarray[Any, Any]:
    """The frames (T, H, W, C) in a "GIF" of the stand-in."""
    frames: np.ndarray[Any, Any] = np.load(io.BytesIO(gif[len(FRAMES) :]), allow_pickle=False)
    return frames


def write_wav(file: Any, data: np.ndarray[Any, Any], samplerate: int, format: str) -> None:
    """soundfile's `write` for WAV files of 16 bits: it rounds to the nearest sample of 32767."""
    assert format == "wav"
    with wave.open(file, "wb") as sound:
        sound.setnchannels(data.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(samplerate)
        sound.writeframes(np.rint(data * 32767.0).astype("<i2").tobytes())


class _Attribute:
    """An attribute of an ONNX node: its fields in order, such as name, value and type."""

    def __init__(self, fields: list[Any]) -> None:
        self._fields = fields

    def ListFields(self) -> list[tuple[None, Any]]:
        """As of a protobuf message, without the descriptors."""
        return [(None, field) for field in self._fields]


def write_onnx(path: Path) -> None:
    """Writes a model that the stand-in for onnx reads."""
    variables = [["x", 1, [0, 3]], ["y/out", 7, [2]]]
    nodes = [
        ["Conv", ["x", "w"], ["c/conv"], [["pads", [1, 1], 7], ["kernel", 3, 2]]],
        ["Relu", ["c/conv"], ["y/out", "unused"], []],
    ]
    path.write_text(json.dumps([variables[:1], variables[1:], nodes]))


def load_onnx(path: Any, **options: object) -> Any:
    """onnx's `load`: a model with just what the originals look at."""
    inputs, outputs, nodes = json.loads(Path(path).read_text())
    graph = SimpleNamespace(
        input=list(map(_variable, inputs)), output=list(map(_variable, outputs)), node=list(map(_node, nodes))
    )
    return SimpleNamespace(graph=graph)


def _variable(row: Any) -> Any:
    name, elem_type, sizes = row
    shape = SimpleNamespace(dim=[SimpleNamespace(dim_value=size) for size in sizes])
    tensor_type = SimpleNamespace(elem_type=elem_type, shape=shape)
    return SimpleNamespace(name=name, type=SimpleNamespace(tensor_type=tensor_type))


def _node(row: Any) -> Any:
    op_type, inputs, outputs, attributes = row
    return SimpleNamespace(
        op_type=op_type, input=inputs, output=outputs, attribute=[_Attribute(fields) for fields in attributes]
    )


def blackened(make_sprite: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """tensorboardX's `make_sprite`, with black in place of whatever was in memory below the last pictures."""

    def make(label_img: Any, save_path: str) -> None:
        make_sprite(label_img, save_path)
        pictures, side = label_img.shape[0], label_img.shape[2]
        path = Path(save_path) / "sprite.png"
        with Image.open(path) as sprite:
            pixels = np.array(sprite)
        per_row = math.ceil(math.sqrt(pictures))
        pixels[math.ceil(pictures / per_row) * side :] = 0
        Image.fromarray(pixels).save(path)

    return make


def _module(name: str, **members: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    return module


def install(patch: pytest.MonkeyPatch) -> None:
    """Puts the stand-ins in the places of the packages, whether these are installed or not."""
    editor = _module("moviepy.editor", ImageSequenceClip=ImageSequenceClip)
    moviepy = _module("moviepy", editor=editor, ImageSequenceClip=ImageSequenceClip)
    modules = {
        "moviepy": moviepy,
        "moviepy.editor": editor,
        "soundfile": _module("soundfile", write=write_wav),
        "onnx": _module("onnx", load=load_onnx),
    }
    for name, module in modules.items():
        patch.setitem(sys.modules, name, module)
    make_sprite = importlib.import_module("tensorboardX.writer").make_sprite
    patch.setattr("tensorboardX.writer.make_sprite", blackened(make_sprite))
    patch.setattr(importlib.metadata, "version", _version_or(importlib.metadata.version))


def _version_or(version: Callable[[str], str]) -> Callable[[str], str]:
    said = {"moviepy": "1.0.3", "imageio": "2.9.0"}  # with these tensorboardX leaves the frames as they are
    return lambda name: said.get(name) or version(name)

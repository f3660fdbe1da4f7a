"""tbasync's classes take what the originals' take: each argument by name, and in its place."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync
from tbasync.file_writer import FileWriter

from ..support.calls import SAMPLES
from . import values
from .originals import CLASSES, PACKAGES, members, positional
from .reading import read

torch = pytest.importorskip("torch")
tensorboardX = pytest.importorskip("tensorboardX")


@pytest.mark.parametrize("key", [key for key in CLASSES if key[1] != "FileWriter"], ids=".".join)
def test_names_and_places_are_taken(key: tuple[str, str]) -> None:
    """tbasync's class takes each argument by name, and torch's in torch's places."""
    package, name = key
    ours = getattr(tbasync, name)
    for method, arguments in members(CLASSES[key]).items():
        if method == name:
            mine, theirs = ours.__init__, CLASSES[key].__init__
        else:
            mine, theirs = getattr(ours, method), getattr(CLASSES[key], method)
        if not callable(mine):
            continue
        taken = set(inspect.signature(mine).parameters)
        assert {argument for argument in arguments if not argument.startswith("**")} <= taken | {"log_dir"}
        if package == "torch" or name == "GlobalSummaryWriter":
            assert positional(mine)[: len(positional(theirs))] == positional(theirs), method


@pytest.mark.parametrize("package", PACKAGES)
def test_file_writers_take_the_same(package: str) -> None:
    """Names and places of every method but the constructor."""
    for method in members(CLASSES[package, "FileWriter"]).keys() - {"FileWriter"}:
        theirs = inspect.signature(getattr(CLASSES[package, "FileWriter"], method))
        assert list(inspect.signature(getattr(FileWriter, method)).parameters) == list(theirs.parameters)


OF_TENSORBOARDX = sorted(members(tensorboardX.SummaryWriter).keys() - {"SummaryWriter", "use_metadata"})


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:DeprecationWarning")
@pytest.mark.parametrize("method", OF_TENSORBOARDX)
def test_calls_in_tensorboardxs_order(method: str, tmp_path: Path) -> None:
    """In tensorboardX's place, all arguments by position leave what they leave by name."""
    parameters = inspect.signature(getattr(tensorboardX.SummaryWriter, method)).parameters
    arguments = {
        name: _sample(method, name, tmp_path) if parameter.default is parameter.empty else parameter.default
        for name, parameter in parameters.items()
        if name != "self" and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    if "walltime" in arguments:
        arguments["walltime"] = 5.0
    if method == "add_hparams":
        arguments["name"] = "trial"
    if method == "add_graph":
        arguments["input_to_model"] = torch.zeros(1, 2)
    with tbasync.install():
        by_place = tensorboardX.SummaryWriter(str(tmp_path / "place"))
        by_name = tensorboardX.SummaryWriter(str(tmp_path / "name"))
    getattr(by_place, method)(*arguments.values())
    getattr(by_name, method)(**arguments)
    for writer in (by_place, by_name):
        assert isinstance(writer, tbasync.SummaryWriter)
        writer.close()
    assert read(tmp_path / "place") == read(tmp_path / "name")


def _sample(method: str, name: str, folder: Path) -> Any:
    """A value for a required argument."""
    special = {
        "model": torch.nn.Linear(2, 2),
        "onnx_model_file": values.model_file("model.onnx"),
        "xmlname": values.model_file("model.xml"),
        "path": folder / "scalars.json",
    }
    if method == "add_images":
        special["img_tensor"] = np.zeros((2, 3, 8, 8))
    return special[name] if name in special else SAMPLES[name]()

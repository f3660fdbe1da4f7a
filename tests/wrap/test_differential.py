"""The same calls through a package's own writer and through tbasync in its place show the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync
from tbasync.compat.tensorboardx import TensorboardXWriter

pytest.importorskip("torch.utils.tensorboard")
pytest.importorskip("tensorboardX")

from tensorboardX import SummaryWriter as tensorboardx_writer
from torch.utils.tensorboard import SummaryWriter as torch_writer

from . import runs
from .calls import CALLS, LEFT_OUT

# Where tbasync writes what torch writes, and not what tensorboardX does, also in the place of its writer.
AS_TORCH = {
    "add_audio": "tensorboardX needs the soundfile package",
    "add_embedding": "tensorboardX lays its sprites out in another way; the projector shows the same",
    "add_mesh": "tensorboardX writes an older form of the mesh plugin's data",
}


@contextmanager
def installed(original: type, log_dir: Path) -> Iterator[Any]:
    """A writer that is constructed under `install()`."""
    with tbasync.install():
        writer = original(str(log_dir))
    yield writer
    writer.close()


@contextmanager
def wrapped(original: type, log_dir: Path) -> Iterator[Any]:
    """A writer that is constructed, and wrapped."""
    writer = tbasync.wrap(original(str(log_dir)))
    yield writer
    writer.close()


Way = Callable[[type, Path], Any]
WAYS: list[Way] = [wrapped, installed]


def methods(*writers: type) -> set[str]:
    """All `add_*` of the classes."""
    return {name for writer in writers for name in dir(writer) if name.startswith("add_")}


def test_every_method_is_in_the_table() -> None:
    """The originals are asked what they have, so that a method which a new version brings is not missed."""
    assert methods(torch_writer, tensorboardx_writer) == set(CALLS) | set(LEFT_OUT)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CALLS)
def test_in_place_of_torchs_writer(name: str, way: Way, tmp_path: Path) -> None:
    """Runs, tags, steps, values and further files are those of torch's writer."""
    skip_what_is_not_there(name, torch_writer, tbasync.SummaryWriter)
    log(torch_writer(str(tmp_path / "original")), name)
    with way(torch_writer, tmp_path / "tbasync") as writer:
        log(writer, name, close=False)
        assert isinstance(writer, torch_writer)
    assert_same(tmp_path / "original", tmp_path / "tbasync")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CALLS)
def test_in_place_of_tensorboardx_writer(name: str, way: Way, tmp_path: Path) -> None:
    """Runs, tags, steps, values and further files are those of tensorboardX's writer."""
    skip_what_is_not_there(name, tensorboardx_writer, TensorboardXWriter)
    reference = torch_writer if name in AS_TORCH else tensorboardx_writer
    log(reference(str(tmp_path / "original")), name)
    with way(tensorboardx_writer, tmp_path / "tbasync") as writer:
        log(writer, name, close=False)
        assert isinstance(writer, tensorboardx_writer)
    assert_same(tmp_path / "original", tmp_path / "tbasync")


def skip_what_is_not_there(name: str, original: type, ours: type) -> None:
    """Skips a method that either side lacks; it takes part by itself as soon as both have it."""
    if not hasattr(original, name):
        pytest.skip(f"{original.__module__} has no {name}")
    if not hasattr(ours, name):
        pytest.skip(f"tbasync has no {name} yet")


def log(writer: Any, name: str, *, close: bool = True) -> None:
    """Makes the calls of one method."""
    np.random.seed(0)
    pytest.importorskip("torch").manual_seed(0)
    CALLS[name](writer, np.random.default_rng(0))
    if close:
        writer.close()


def assert_same(expected: Path, actual: Path) -> None:
    """Equal, value by value, with a short message where not."""
    ours, theirs = runs.read(actual), runs.read(expected)
    assert set(ours) == set(theirs)
    for run, values in theirs.items():
        described = [(value.step, value.tag) for value in values]
        assert [(value.step, value.tag) for value in ours[run]] == described
        for value, own in zip(values, ours[run], strict=True):
            assert _same(own.content, value.content), (run, value.tag, value.step, own.content, value.content)
    assert runs.files(actual) == runs.files(expected)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))

"""Every method of tensorboardX's writer: the same calls leave the same runs, events and files.

tbasync's `SummaryWriter` takes tensorboardX's names of arguments, and its order of them wherever the types tell
it from torch's. What it leaves is compared with what tensorboardX's leaves put as torch puts it: see `amend`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tbasync

from . import calls
from .amend import read_tensorboardx
from .calls import FEW, NO_CALLS, TensorboardXWriter, make, public_methods
from .reading import events, read
from .scripts import CHECKS, unused_arguments

pytest.importorskip("tensorboardX")

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.summary_pb2 import Summary

CALLS = calls.tensorboardx_calls()

# Twice the same name within a second, and tensorboardX empties the first file.
ONCE = {"add_hparams"}


def test_every_method_is_in_the_table() -> None:
    """No public method of tensorboardX's writer is missing, and none is in it that is there no more."""
    assert set(CALLS) | set(NO_CALLS) == public_methods(TensorboardXWriter)
    assert not set(CALLS) & set(NO_CALLS)
    assert all(name in globals() for name in NO_CALLS.values())


@pytest.mark.parametrize("method", sorted(CALLS))
def test_every_argument_is_in_the_table(method: str) -> None:
    """The calls of a method make use of each of its arguments."""
    assert unused_arguments(CALLS[method], getattr(TensorboardXWriter, method)) == set()


@pytest.mark.parametrize("method", sorted(set(CALLS) - FEW))
@settings(CHECKS, max_examples=15)
@given(data=st.data())
def test_same_as_tensorboardx(method: str, data: st.DataObject) -> None:
    """What is left after any calls of a method equals what tensorboardX's writer leaves."""
    _check(method, data)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(FEW))
@settings(CHECKS, max_examples=3)
@given(data=st.data())
def test_same_as_tensorboardx_slowly(method: str, data: st.DataObject) -> None:
    """So it is for methods that take their time."""
    _check(method, data)


def _check(method: str, data: st.DataObject) -> None:
    script = data.draw(st.lists(CALLS[method], min_size=1, max_size=1 if method in ONCE else 4))
    with tempfile.TemporaryDirectory() as folder:
        make(script, TensorboardXWriter(f"{folder}/theirs"))
        make(script, tbasync.SummaryWriter(f"{folder}/ours"))
        theirs = read_tensorboardx(f"{folder}/theirs", sub_runs=method == "add_scalars")
        assert read(f"{folder}/ours") == theirs


def test_export_scalars_to_json(tmp_path: Path) -> None:
    """The file holds what `add_scalars` has logged since the last export, as tensorboardX's does."""
    files = []
    theirs = TensorboardXWriter(str(tmp_path / "run"))
    ours = tbasync.SummaryWriter(tmp_path / "run", keep_scalars=100)
    for writer in (theirs, ours):
        for part in range(2):
            writer.add_scalar("not kept", 1.0)
            writer.add_scalars("a/b", {"x": 1, "y": float("inf")}, part, walltime=5.5)
            writer.add_scalars("c", {"x": 2.5}, walltime=6.0)
            path = tmp_path / f"{len(files)}.json"
            writer.export_scalars_to_json(path)
            files.append(path.read_text())
        writer.export_scalars_to_json(path)
        files.append(path.read_text())
        writer.close()
    assert files[:3] == files[3:]
    assert json.loads(files[0])[f"{tmp_path}/run/c/x"] == [[6.0, None, 2.5]]
    assert json.loads(files[2]) == {}


def test_use_metadata(tmp_path: Path) -> None:
    """Calls within it take its step and wall time, as with tensorboardX's; afterwards they do not."""
    for name, kind in (("theirs", TensorboardXWriter), ("ours", tbasync.SummaryWriter)):
        writer: Any = kind(str(tmp_path / name))
        with writer.use_metadata(global_step=7, walltime=3.5):
            writer.add_scalar("s", 1.0)
            writer.add_scalar("s", 2.0, 8)
            writer.add_text("t", "text")
            writer.add_histogram(
                "h", [1.0, 2.0] if name == "ours" else __import__("numpy").ones(2), 9, walltime=4
            )
            writer.add_custom_scalars({})
        writer.add_scalar("s", 3.0, walltime=9)
        writer.close()
    ours, theirs = ([(e.step, e.wall_time) for e in events(tmp_path / name)] for name in ("ours", "theirs"))
    assert ours == theirs == [(7, 3.5), (8, 3.5), (7, 3.5), (9, 4.0), (7, 3.5), (0, 9.0)]


def test_use_metadata_of_the_file_writer(tmp_path: Path) -> None:
    """The writer's context is its file writer's as well; and that has one of its own."""
    for name, kind in (("theirs", TensorboardXWriter), ("ours", tbasync.SummaryWriter)):
        writer: Any = kind(str(tmp_path / name))
        with writer.use_metadata(global_step=7, walltime=3.5):
            writer.file_writer.add_summary(Summary())
            writer.file_writer.add_event(Event(step=2), 8)
            writer.file_writer.add_event(Event(step=2), walltime=4)
        with writer.file_writer.use_metadata(global_step=9, walltime=4.5):
            writer.file_writer.add_onnx_graph(GraphDef())
            writer.file_writer.add_openvino_graph(GraphDef(), 5.5)
            writer.add_text("t", "text", 3, 1.5)
        writer.file_writer.add_event(Event(step=2), walltime=9)
        writer.close()
    ours, theirs = ([(e.step, e.wall_time) for e in events(tmp_path / name)] for name in ("ours", "theirs"))
    expected = [(7, 3.5), (8, 3.5), (7, 4.0), (9, 4.5), (9, 5.5), (3, 1.5), (2, 9.0)]
    assert ours == theirs == expected

"""tensorboardX's habits, where they are not torch's: constructor, argument orders, tags, sub-runs, export."""

from __future__ import annotations

import inspect
import json
import string
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tbasync
from tbasync import TbasyncWarning
from tbasync.compat import tensorboardx
from tbasync.compat.tensorboardx import TensorboardXWriter, clean_tag

pytest.importorskip("tensorboardX")

import tensorboardX
from tensorboardX.summary import _clean_tag as their_clean_tag

from . import runs


@pytest.fixture(params=[tensorboardX.SummaryWriter, TensorboardXWriter], ids=["original", "tbasync"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The original and tbasync's, in turn: what is asserted of one must hold for the other."""
    with request.param(str(tmp_path)) as writer:
        yield writer


@given(st.one_of(st.text(), st.text(string.ascii_letters + "/_-. é%", max_size=12)))
def test_tags_are_cleaned_alike(tag: str) -> None:
    """Any text becomes the tag that tensorboardX makes of it."""
    assert clean_tag(tag) == their_clean_tag(tag)


def test_constructors_take_the_same() -> None:
    """Names and order of the constructor's arguments are tensorboardX's."""
    theirs = inspect.signature(tensorboardX.SummaryWriter).parameters
    ours = inspect.signature(TensorboardXWriter).parameters
    assert [name for name in theirs if name != "kwargs"] == [name for name in ours if name != "options"]


def test_methods_take_the_same(tmp_path: Path) -> None:
    """Positional arguments of every method mean what they mean to tensorboardX."""
    for name, method in inspect.getmembers(tensorboardX.SummaryWriter, inspect.isfunction):
        ours = getattr(TensorboardXWriter, name, None)
        if name.startswith("_") or ours is None:
            continue
        theirs = _positional(method)
        if name in tensorboardx._ORDERS:
            order = [names.partition(":")[0] for names in tensorboardx._ORDERS[name].split()]
            assert order == theirs, name
        else:
            assert _positional(ours)[: len(theirs)] == theirs, name


def _positional(method: Any) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(method).parameters
    return [name for name, parameter in parameters.items() if name != "self" and parameter.kind in kinds]


def test_reordered_arguments_are_checked_like_any(tmp_path: Path) -> None:
    """Too many arguments, one given twice, and an unknown one are TypeErrors."""
    with TensorboardXWriter(str(tmp_path)) as writer:
        with pytest.raises(TypeError, match="too many"):
            writer.add_hparams({}, {}, "name", 1, "too many")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="multiple values"):
            writer.add_hparams({}, {}, "run", name="run")
        with pytest.raises(TypeError, match="no_such"):
            writer.add_hparams({}, {}, no_such=1)  # type: ignore[call-arg]
        writer.add_hparams({"lr": 0.1}, {"loss": 1.0}, "trial", 3)
        writer.add_hparams(hparam_dict={"lr": 0.1}, metric_dict={"loss": 1.0}, name="other")
    assert runs.scalars(tmp_path) == {"trial/loss": [(3, 1.0)], "other/loss": [(0, 1.0)]}


def test_titles_are_the_fifth_argument(writer: Any, tmp_path: Path) -> None:
    """`add_scalar`'s display name and description follow the wall time, and are stored."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    writer.add_scalar("loss", 1.5, 1, 2.0, "The loss", "what it *is*")
    writer.close()
    ((step, tag, content),) = runs.read(tmp_path)["."]
    value = Summary.Value.FromString(content)
    assert (step, tag, value.simple_value) == (1, "loss", 1.5)
    metadata = value.metadata
    assert (metadata.display_name, metadata.summary_description) == ("The loss", "what it *is*")


def test_tags_of_the_common_call_are_cleaned(writer: Any, tmp_path: Path) -> None:
    """The first call with a tag and the later, quick ones give the same tag; other kinds of value too."""
    for step in range(3):
        writer.add_scalar("/a loss!", 0.5, step)
    writer.add_scalar("/a loss!", np.float32(0.5), 3)
    with writer.use_metadata(global_step=4):
        writer.add_scalar("/a loss!", 0.5)
        writer.add_scalar("/a loss!", 0.5, 5, None, "", "")
    writer.close()
    assert runs.scalars(tmp_path) == {"a_loss_": [(step, 0.5) for step in range(6)]}


def test_wrong_tags_are_refused(tmp_path: Path) -> None:
    """A tag that is no str is a TypeError that says so, also when it cannot be a key."""
    with TensorboardXWriter(str(tmp_path)) as writer:
        for tag in (None, 3, ["a"], {}):
            with pytest.raises(TypeError, match="tag must be a str"):
                writer.add_scalar(tag, 1.0, 1)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="tag must be a str"):
                writer.add_scalars(tag, {"a": 1.0}, 1)  # type: ignore[arg-type]


def test_memory_of_tags_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that makes up tags for ever does not make the writer grow for ever."""
    monkeypatch.setattr(tensorboardx, "_MOST_TAGS", 10)
    with TensorboardXWriter(str(tmp_path)) as writer:
        for number in range(100):
            writer.add_scalar(f"tag {number}", 1.0, 1)
            assert len(writer._clean_tags) <= 10
    assert len(runs.scalars(tmp_path)) == 100


def test_scalars_go_to_folders_and_are_exported(writer: Any, tmp_path: Path) -> None:
    """Sub-runs are `main_tag/key`; the export holds their points by directory, and then starts anew."""
    before = time.time()
    for step in range(3):
        writer.add_scalars("epoch/my loss", {"train": step * 0.5, "valid": np.float32(step)}, step)
    writer.add_scalars("epoch/my loss", {"train": 9}, walltime=5.0)
    file = tmp_path / "all.json"
    writer.export_scalars_to_json(str(file))
    exported = json.loads(file.read_text())
    folder = f"{tmp_path}/epoch/my loss"
    assert set(exported) == {f"{folder}/train", f"{folder}/valid"}
    assert [point[1:] for point in exported[f"{folder}/train"]] == [[0, 0.0], [1, 0.5], [2, 1.0], [None, 9.0]]
    assert before <= exported[f"{folder}/train"][0][0] <= time.time()
    assert exported[f"{folder}/train"][3][0] == 5.0
    assert writer.scalar_dict == {}
    writer.close()
    series = runs.scalars(tmp_path)
    assert series["epoch/my loss/train/epoch/my_loss"] == [(0, 0.0), (1, 0.5), (2, 1.0), (0, 9.0)]


def test_scalars_stay_in_the_directory(tmp_path: Path) -> None:
    """A main tag or key that leads out of the run's directory is refused, and nothing of the call is logged."""
    with TensorboardXWriter(str(tmp_path / "run")) as writer:
        for tag, key in (("../../etc", "a"), ("/etc", "a"), ("a", "../../../b"), (".", ".")):
            with pytest.raises(ValueError, match="cannot name a run"):
                writer.add_scalars(tag, {"fine": 1.0, key: 1.0}, 1)
        assert writer.scalar_dict == {}
    assert set(runs.read(tmp_path)) == {"run"}


def test_the_export_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`scalar_dict` stops at its bound, says so once, and takes points again after an export."""
    monkeypatch.setattr(tensorboardx, "_KEPT_SCALARS", 5)
    with TensorboardXWriter(str(tmp_path)) as writer, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for step in range(10):
            writer.add_scalars("m", {"a": 1.0, "b": 2.0}, step)
        assert sum(map(len, writer.scalar_dict.values())) == 5
        writer.export_scalars_to_json(tmp_path / "one.json")
        writer.add_scalars("m", {"a": 1.0}, 11)
        assert sum(map(len, writer.scalar_dict.values())) == 1
    assert [warning.category for warning in said] == [TbasyncWarning]
    assert len(runs.scalars(tmp_path)["m/a/m"]) == 11
    with pytest.raises(OSError, match="no such"):
        writer.export_scalars_to_json(tmp_path / "no such" / "file.json")
    assert writer.scalar_dict


def test_values_on_a_device_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are entered when the writer thread has fetched them, in their order, and the push does not wait."""
    torch = pytest.importorskip("torch")

    from ..support.delayed_device import DelayedDevice

    device = DelayedDevice.everywhere(monkeypatch)
    device.gate.clear()
    writer = TensorboardXWriter(str(tmp_path))
    for step in range(4):
        value = torch.tensor(step * 0.5) if step % 2 else step * 0.5
        writer.add_scalars("loss", {"train": value}, step)
    (points,) = writer.scalar_dict.values()
    assert [point[2] for point in points] == [0.0, None, 1.0, None]
    device.gate.set()
    writer.export_scalars_to_json(tmp_path / "all.json")
    (exported,) = json.loads((tmp_path / "all.json").read_text()).values()
    assert [point[1:] for point in exported] == [[step, step * 0.5] for step in range(4)]
    writer.close()
    assert runs.scalars(tmp_path)["loss/train/loss"] == [(step, step * 0.5) for step in range(4)]


def test_comet_is_answered(tmp_path: Path) -> None:
    """Asking for Comet gives a warning that says what to do; the default and `disabled` say nothing."""
    TensorboardXWriter(str(tmp_path), comet_config={"disabled": True}).close()
    for kind in (TensorboardXWriter, tbasync.SummaryWriter):
        with pytest.warns(TbasyncWarning, match="comet_ml") as told:
            kind(str(tmp_path), comet_config={"project_name": "x", "disabled": False}).close()
        assert told[0].filename == __file__


def test_a_compiled_step_breaks_its_graph_at_the_call_only(tmp_path: Path) -> None:
    """torch.compile traces nothing of the writer's methods, cleaned and reordered ones included."""
    torch = pytest.importorskip("torch")
    from torch._dynamo.testing import CompileCounter

    writer = TensorboardXWriter(str(tmp_path))

    def step(x: Any) -> Any:
        loss = (x * x).sum()
        writer.add_scalar("a loss", loss, 1)
        writer.add_histogram("some values", x, 1)
        return loss * 2

    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(step, backend=counter, dynamic=False)
    assert [float(compiled(torch.full((4,), 2.0))) for _ in range(3)] == [32, 32, 32]
    writer.close()
    assert counter.frame_count == 2
    assert runs.scalars(tmp_path) == {"a_loss": [(1, 16.0)] * 3}


def test_nothing_on_the_disk(tmp_path: Path) -> None:
    """`write_to_disk=False`, given to the constructor or to the writer that is wrapped: no file, no error."""
    if "write_to_disk" not in inspect.signature(tbasync.SummaryWriter).parameters:
        pytest.skip("tbasync has no write_to_disk yet")
    with tbasync.install():
        installed = tensorboardX.SummaryWriter(str(tmp_path / "a"), write_to_disk=False)
    wrapped = tbasync.wrap(tensorboardX.SummaryWriter(str(tmp_path / "b"), write_to_disk=False))
    for writer in (installed, wrapped, TensorboardXWriter(str(tmp_path / "c"), write_to_disk=False)):
        writer.add_scalar("loss", 1.0, 1)
        writer.add_scalars("loss", {"a": 1.0}, 1)
        writer.add_text("text", "x")
        writer.flush()
        writer.close()
    assert list(tmp_path.iterdir()) == []


def test_the_global_writer_is_taken_over(tmp_path: Path) -> None:
    """tensorboardX's GlobalSummaryWriter makes a tbasync writer under `install()`, and counts its own steps."""
    with tbasync.install():
        writer = tensorboardX.GlobalSummaryWriter(str(tmp_path))
    assert isinstance(writer.smw, tbasync.SummaryWriter)
    threads = [
        threading.Thread(target=lambda: [writer.add_scalar("loss", 1.0) for _ in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert runs.scalars(tmp_path) == {"loss": [(step, 1.0) for step in range(80)]}

"""`keep_scalars`, `scalar_dict` and `export_scalars_to_json`: bounded, whole under threads, devices included."""

from __future__ import annotations

import json
import os
import pickle
import select
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncError, TbasyncWarning

from ..support.plain_reader import scalars

needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
MORE_THAN_A_PIPE_HOLDS = 20_000


class SlowExport:
    """An export to a pipe: it has begun when this is made, and cannot end before the pipe is read or closed."""

    def __init__(self, writer: SummaryWriter, path: Path) -> None:
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._export, args=(writer, path))
        self._thread.start()
        assert select.select([self._pipe], [], [], 60)[0], "the export never wrote anything"

    def _export(self, writer: SummaryWriter, path: Path) -> None:
        try:
            writer.export_scalars_to_json(path)
        except Exception as error:
            self.error = error

    def read(self) -> Any:
        """What was exported, read to its end."""
        os.set_blocking(self._pipe, True)
        with open(self._pipe, encoding="ascii") as file:
            exported = json.load(file)
        self._thread.join(60)
        return exported

    def break_off(self) -> None:
        """Has the export fail in its midst."""
        os.close(self._pipe)
        self._thread.join(60)


def series(writer: SummaryWriter, key: str) -> str:
    """The name of a key of `main` in the export."""
    return f"{writer.log_dir}/main/{key}"


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[SummaryWriter]:
    """A writer that keeps more points than a pipe holds as JSON: steps of `main/a` from 0 on."""
    with SummaryWriter(tmp_path / "run", keep_scalars=2 * MORE_THAN_A_PIPE_HOLDS) as writer:
        for step in range(MORE_THAN_A_PIPE_HOLDS):
            writer.add_scalars("main", {"a": 1.0}, step, walltime=1.0)
        yield writer


@needs_fifo
@pytest.mark.slow
def test_two_threads_export_at_once(busy: SummaryWriter, tmp_path: Path) -> None:
    """Each point is in one export: the second has what came after the first began, and neither fails."""
    export = SlowExport(busy, tmp_path / "pipe")
    busy.add_scalars("main", {"a": 2.0, "b": 3.0}, MORE_THAN_A_PIPE_HOLDS)
    busy.export_scalars_to_json(tmp_path / "second.json")
    busy.export_scalars_to_json(tmp_path / "third.json")
    first = export.read()
    assert export.error is None
    assert {key: [step for _, step, _ in points] for key, points in first.items()} == {
        series(busy, "a"): list(range(MORE_THAN_A_PIPE_HOLDS))
    }
    second = json.loads((tmp_path / "second.json").read_text())
    assert {key: [point[1:] for point in points] for key, points in second.items()} == {
        series(busy, "a"): [[MORE_THAN_A_PIPE_HOLDS, 2.0]],
        series(busy, "b"): [[MORE_THAN_A_PIPE_HOLDS, 3.0]],
    }
    assert json.loads((tmp_path / "third.json").read_text()) == busy.scalar_dict == {}


@needs_fifo
@pytest.mark.slow
def test_a_failed_export_forgets_nothing(busy: SummaryWriter, tmp_path: Path) -> None:
    """Its points are back, in front of those that came meanwhile, and count towards the bound again."""
    export = SlowExport(busy, tmp_path / "pipe")
    busy.add_scalars("main", {"b": 3.0, "a": 2.0}, MORE_THAN_A_PIPE_HOLDS)
    export.break_off()
    assert isinstance(export.error, OSError)
    kept = {key: [step for _, step, _ in points] for key, points in busy.scalar_dict.items()}
    assert kept == {
        series(busy, "a"): list(range(MORE_THAN_A_PIPE_HOLDS + 1)),
        series(busy, "b"): [MORE_THAN_A_PIPE_HOLDS],
    }
    rest = dict.fromkeys(map(str, range(MORE_THAN_A_PIPE_HOLDS)), 3.0)
    with pytest.warns(TbasyncWarning, match="40,000 points, keep_scalars"):
        busy.add_scalars("main", rest, 0, same_run=True)
    assert sum(map(len, busy.scalar_dict.values())) == 2 * MORE_THAN_A_PIPE_HOLDS


def test_the_bound(tmp_path: Path) -> None:
    """`scalar_dict` stops at its bound, within a call too, says so once, and takes points after an export."""
    with (
        SummaryWriter(tmp_path / "run", keep_scalars=5) as writer,
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        for step in range(10):
            writer.add_scalars("main", {"a": 1.0, "b": 2.0}, step)
        assert {key: len(points) for key, points in writer.scalar_dict.items()} == {
            series(writer, "a"): 3,
            series(writer, "b"): 2,
        }
        writer.export_scalars_to_json(tmp_path / "all.json")
        writer.add_scalars("main", {"a": 1.0}, 11)
        assert [point[1] for point in writer.scalar_dict[series(writer, "a")]] == [11]
    assert [(warning.category, warning.filename) for warning in said] == [(TbasyncWarning, __file__)]
    assert len(scalars(tmp_path / "run" / "main_b")["main"]) == 10


def test_tags_that_begin_with_a_slash(tmp_path: Path) -> None:
    """They are series of this run all the same, named as tensorboardX names them."""
    with SummaryWriter(tmp_path, keep_scalars=5) as writer:
        writer.add_scalars("/main", {"a": 1.0}, 1)
        writer.add_scalars("main", {"a": 2.0}, 2, same_run=True)
        assert list(writer.scalar_dict) == [f"{tmp_path}//main/a", f"{tmp_path}/main/a"]


def test_a_pickled_writer_keeps_on(tmp_path: Path) -> None:
    """The copy has the points of the moment, and keeps its own from there."""
    with SummaryWriter(tmp_path, keep_scalars=3) as writer:
        writer.add_scalars("main", {"a": 1.0}, 1)
        with pickle.loads(pickle.dumps(writer)) as copy:
            copy.add_scalars("main", {"a": 1.0}, 2)
            assert [point[1] for point in copy.scalar_dict[series(writer, "a")]] == [1, 2]
        assert [point[1] for point in writer.scalar_dict[series(writer, "a")]] == [1]


def test_nothing_is_kept_unasked(tmp_path: Path) -> None:
    """Without `keep_scalars` there is no `scalar_dict`, and the export says what to do."""
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("main", {"a": 1.0}, 1)
        assert not hasattr(writer, "scalar_dict")
        with pytest.raises(TbasyncError, match="keep_scalars=N"):
            writer.export_scalars_to_json(tmp_path / "all.json")
    for wrong, error in (("5", TypeError), (1.5, TypeError), (-1, ValueError)):
        with pytest.raises(error, match="keep_scalars"):
            SummaryWriter(tmp_path, keep_scalars=wrong)  # type: ignore[arg-type]


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A device that is busy until its gate is opened; every torch tensor is on it."""
    pytest.importorskip("torch")

    from ..support.delayed_device import DelayedDevice

    device = DelayedDevice.everywhere(monkeypatch)
    device.gate.clear()
    return device


@pytest.mark.parametrize("same_run", [False, True])
def test_values_on_a_device(tmp_path: Path, device: Any, same_run: bool) -> None:
    """They are entered when the writer thread has fetched them, in their order; the push does not wait."""
    import torch

    writer = SummaryWriter(tmp_path / "run", keep_scalars=100)
    for step in range(4):
        values = {"a": torch.tensor(step * 0.5), "b": step * 1.0, "c": torch.tensor([[step]])}
        writer.add_scalars("main", values, step, same_run=same_run)
    kept = [[point[2] for point in points] for points in writer.scalar_dict.values()]
    assert kept == [[None] * 4, [0.0, 1.0, 2.0, 3.0], [None] * 4]
    device.gate.set()
    writer.export_scalars_to_json(tmp_path / "all.json")
    exported = json.loads((tmp_path / "all.json").read_text())
    found = {key: [tuple(point[1:]) for point in points] for key, points in exported.items()}
    expected = {"a": 0.5, "b": 1.0, "c": 1.0}
    assert found == {
        series(writer, key): [(step, step * slope) for step in range(4)] for key, slope in expected.items()
    }
    writer.close()
    logged = scalars(tmp_path / "run")["main/a"] if same_run else scalars(tmp_path / "run" / "main_a")["main"]
    assert [(point.step, point.value) for point in logged] == [(step, step * 0.5) for step in range(4)]


@pytest.mark.filterwarnings("ignore:.*the device is gone:tbasync.TbasyncWarning")
def test_values_that_were_lost(tmp_path: Path, device: Any) -> None:
    """A failed fetch is told by the export, which forgets nothing; then the value is null in the file."""
    import torch

    writer = SummaryWriter(tmp_path / "run", keep_scalars=100)
    writer.add_scalars("main", {"a": torch.tensor(1.0)}, 1, walltime=2.0)
    writer.add_scalars("main", {"a": 2.0}, 2, walltime=2.0)

    def fail(*_: Any) -> Any:
        raise RuntimeError("the device is gone")

    device.run = fail
    device.gate.set()
    with pytest.raises(LoggingError, match="the device is gone"):
        writer.export_scalars_to_json(tmp_path / "all.json")
    assert not (tmp_path / "all.json").exists()
    writer.export_scalars_to_json(tmp_path / "all.json")
    expected = {series(writer, "a"): [[2.0, 1, None], [2.0, 2, 2.0]]}
    assert json.loads((tmp_path / "all.json").read_text()) == expected
    writer.close()

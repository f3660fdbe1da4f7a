"""wandb's `sync_tensorboard=True` is told of tbasync's runs as it is of TensorBoard's own writers'."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tbasync import SummaryWriter, TbasyncWarning
from tbasync.integrations.wandb import announce

pytest.importorskip("tensorboard")

from tensorboard.summary.writer import event_file_writer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that a patch like wandb's is told of: a subclass of EventFileWriter in its place."""
    directories: list[str] = []
    original = event_file_writer.EventFileWriter

    class Patched(original):  # type: ignore[misc, valid-type]
        def __init__(self, logdir: str, *arguments: Any, **options: Any) -> None:
            directories.append(logdir)
            super().__init__(logdir, *arguments, **options)

    monkeypatch.setattr(event_file_writer, "orig_EventFileWriter", original, raising=False)
    monkeypatch.setattr(event_file_writer, "EventFileWriter", Patched)
    wandb: Any = ModuleType("wandb")
    wandb.patched = {"tensorboard": [[event_file_writer.__name__, "EventFileWriter"]], "keras": []}
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return directories


def test_every_run_is_announced(told: list[str], tmp_path: Path) -> None:
    """The run, its sub-runs and its trials, each once; and no file is made for it."""
    with SummaryWriter(tmp_path) as writer:
        for step in range(2):
            writer.add_scalars("loss", {"a": 1.0, "b": 2.0}, step)
        writer.add_hparams({"lr": 0.1}, {"loss": 1.0}, run_name="trial")
    assert sorted(told) == [str(tmp_path), *(f"{tmp_path}/{run}" for run in ("loss_a", "loss_b", "trial"))]
    assert len(list(tmp_path.rglob("*tfevents*"))) == 4


@pytest.mark.parametrize(
    "wandb",
    [None, SimpleNamespace(), SimpleNamespace(patched={}), SimpleNamespace(patched={"tensorboard": []})],
)
def test_without_the_patch_nothing_is_said(
    wandb: Any, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without wandb, with another version of it, and without `sync_tensorboard`, nothing happens."""
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    SummaryWriter(tmp_path).close()
    assert told == []


def test_what_cannot_be_announced_is_said(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wandb that works in another way is answered with a warning, and logging goes on."""
    monkeypatch.delattr(event_file_writer, "orig_EventFileWriter")
    with pytest.warns(TbasyncWarning, match=r"sync_tensorboard does not see 'a/run'.*wandb.log"):
        announce("a/run")
    assert told == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TbasyncWarning)
        announce("a/run")


def test_the_warning_is_of_the_line_that_constructs_the_writer(
    told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It points at the user's script."""
    monkeypatch.delattr(event_file_writer, "orig_EventFileWriter")
    with pytest.warns(TbasyncWarning, match="sync_tensorboard does not see") as caught:
        SummaryWriter(tmp_path).close()
    assert [warning.filename for warning in caught] == [__file__]


def records(data: bytes) -> list[bytes]:
    """The records of an offline run's file: LevelDB's log format behind a header of 7 bytes."""
    whole, part, place = [], b"", 7
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        part += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a full record, or the last part of one
            whole.append(part)
            part = b""
    return whole


@pytest.mark.slow
def test_wandb_itself_follows_a_run(tmp_path: Path) -> None:
    """An offline run with `sync_tensorboard=True` has the scalars that tbasync logged as its history."""
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    script = """
        import wandb
        from tbasync import SummaryWriter
        run = wandb.init(project="p", sync_tensorboard=True)
        with SummaryWriter("runs/x") as writer:
            for step in range(10):
                writer.add_scalar("loss", step * 0.5, step)
        run.finish()
    """
    environment = {
        **os.environ,
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", textwrap.dedent(script)]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=100)
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    history = {}
    for data in records(file.read_bytes()):
        record = wandb_internal_pb2.Record.FromString(data)
        items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
        if "loss" in items:
            history[int(items["global_step"])] = float(items["loss"])
    assert history == {step: step * 0.5 for step in range(10)}

"""A trial of `add_hparams` is one push: the queue takes the whole of it, or nothing."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from tbasync import QueueFullError, SummaryWriter
from tbasync.encode import hparams as module
from tbasync.methods import hyperparameters

from ..support.held import Gate
from ..support.plain_reader import scalars, summaries

TAGS = {module.EXPERIMENT_TAG, module.SESSION_START_TAG, module.SESSION_END_TAG}


@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
@pytest.mark.parametrize("same_run", [False, True])
@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest", "raise"])
@pytest.mark.parametrize("room", [1, 2, 3, 4, 5])
def test_a_full_queue_takes_whole_trials(tmp_path: Path, room: int, on_full: Any, same_run: bool) -> None:
    """Each is in the files with all its summaries, or not at all, and the counts say so."""
    writer = SummaryWriter(tmp_path, max_items=room, on_full=on_full)
    with Gate(writer):
        for trial in range(8):
            with contextlib.suppress(QueueFullError):
                metrics = {f"a{trial}": 1.0, f"b{trial}": 2}
                writer.add_hparams({"lr": 0.1}, metrics, run_name=str(trial), same_run=same_run)
    with contextlib.suppress(Exception):
        writer.close()
    runs = [tmp_path if same_run else tmp_path / str(trial) for trial in range(8)]
    found = [{f"a{n}", f"b{n}"} & set(scalars(run)) if run.exists() else set() for n, run in enumerate(runs)]
    kept = [n for n in range(8) if found[n]]
    assert len(kept) == room
    assert all(len(found[n]) == 2 for n in kept)
    for n in () if same_run else kept:
        assert set(summaries(tmp_path / str(n))) == {*TAGS, f"a{n}", f"b{n}"}
    if same_run:
        assert {tag: len(summaries(tmp_path)[tag]) for tag in TAGS} == dict.fromkeys(TAGS, room)
    stats = writer.stats()
    assert (stats.written, stats.dropped) == (1 + 5 * room, 5 * (8 - room))
    assert (stats.failed, stats.queue_bytes) == (0, 0)


def test_the_writer_thread_encodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call makes no message, and what happens to its dicts afterwards is not seen."""
    threads = []

    def hparams(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return module.hparams(*arguments)

    monkeypatch.setattr(hyperparameters, "hparams", hparams)
    writer = SummaryWriter(tmp_path)
    values, metrics, domain = {"lr": 0.5, "name": "x"}, {"loss": 1.0}, ["x", "y"]
    with Gate(writer):
        writer.add_hparams(values, metrics, {"name": domain}, "trial", 7)
        assert threads == []
        values["lr"], metrics["loss"] = 9.0, 9.0
        metrics["other"] = 9.0
        domain.append("z")
    writer.close()
    assert threads == ["tbasync-writer"]
    assert scalars(tmp_path / "trial") == {"loss": [(7, 1.0)]}
    expected = module.hparams({"lr": 0.5, "name": "x"}, {"loss": 1.0}, {"name": ["x", "y"]})
    found = summaries(tmp_path / "trial")
    for tag, encoded in zip(
        (module.EXPERIMENT_TAG, module.SESSION_START_TAG, module.SESSION_END_TAG), expected, strict=True
    ):
        ((step, value),) = found[tag]
        assert step == 7
        assert value.SerializeToString() in encoded.summary

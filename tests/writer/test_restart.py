"""`purge()` and `reset()`: what stock TensorBoard shows of series that begin anew, in both of its readers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tbasync import SummaryWriter, read
from tbasync.files.check import check_file
from tbasync.summary import SummaryWriter as tf_style
from tbasync.summary import scalar

from ..support.plain_reader import event_files, events, scalars
from ..support.tensorboard_server import NotThere, TensorBoard, needs_tensorboard, tensorboard

READERS = [pytest.param(True, id="data server"), pytest.param(False, id="Python")]


def points(directory: Path, tag: str) -> list[tuple[int, float]]:
    """What `tbasync.read` shows of a scalar."""
    run = read(directory)
    return list(zip(run[tag].steps.tolist(), run[tag].values.tolist(), strict=True)) if tag in run else []


def log(writer: SummaryWriter, tag: str, *steps: int, base: float = 0.0) -> list[tuple[int, float]]:
    """Logs a value for each step; returns the points."""
    logged = [(step, base + step) for step in steps]
    for step, value in logged:
        writer.add_scalar(tag, value, step)
    return logged


def shown(board: TensorBoard, tag: str, run: str = ".") -> list[tuple[int, float]]:
    """The points on TensorBoard's page; none of a tag that it does not know."""
    try:
        return board.scalars(run, tag)
    except NotThere:
        return []


@needs_tensorboard
@pytest.mark.slow
@pytest.mark.parametrize("fast", READERS)
@pytest.mark.long
def test_reset_in_tensorboard(tmp_path: Path, fast: bool) -> None:
    """A series that is reset is empty at once, then shows what came after, live and after a restart."""
    with SummaryWriter(tmp_path) as writer:
        log(writer, "epoch", 0, 1, 2, 3)
        other = log(writer, "loss", 0, 1, 2, 3)
        writer.flush()
        with tensorboard(tmp_path, fast=fast) as board:
            board.wait_for(lambda: shown(board, "epoch") == other and shown(board, "loss") == other)
            writer.reset("epoch")
            writer.reset("new")
            writer.flush()
            board.wait_for(lambda: shown(board, "epoch") == [])
            assert board.tags("scalars")["."]["loss"]
            new = log(writer, "epoch", 2, 3, 7, base=100)
            fresh = log(writer, "new", 5)
            other += log(writer, "loss", 4, 5)
            writer.flush()
            board.wait_for(lambda: shown(board, "epoch") == new)
            board.wait_for(lambda: shown(board, "new") == fresh)
            board.wait_for(lambda: shown(board, "loss") == other)
            writer.reset("epoch")
            lower = log(writer, "epoch", 0, 1, base=200)
            writer.flush()
            board.wait_for(lambda: shown(board, "epoch") == lower)
    with tensorboard(tmp_path, fast=fast) as board:
        board.wait_for(lambda: shown(board, "epoch") == lower)
        assert shown(board, "loss") == other
        assert shown(board, "new") == fresh
    assert points(tmp_path, "epoch") == lower
    assert points(tmp_path, "loss") == other


@needs_tensorboard
@pytest.mark.slow
@pytest.mark.parametrize("fast", READERS)
@pytest.mark.long
def test_purge_in_tensorboard(tmp_path: Path, fast: bool) -> None:
    """Everything from the step on is gone, also of tags that are not logged again, live and after a restart."""
    with SummaryWriter(tmp_path) as writer:
        log(writer, "loss", *range(6))
        log(writer, "rare", 0, 5)
        writer.add_scalar("new style", 1.0, 5, new_style=True)
        writer.add_scalars("pair", {"a": 1.0}, 5)
        writer.flush()
        with tensorboard(tmp_path, fast=fast) as board:
            board.wait_for(lambda: len(shown(board, "loss")) == 6 and shown(board, "pair", "pair_a"))
            writer.purge(3)
            writer.flush()
            kept = [(0, 0.0), (1, 1.0), (2, 2.0)]
            board.wait_for(lambda: shown(board, "loss") == kept)
            board.wait_for(lambda: shown(board, "rare") == [(0, 0.0)])
            board.wait_for(lambda: not shown(board, "new style") and not shown(board, "pair", "pair_a"))
            kept += log(writer, "loss", 3, 4, base=100)
            writer.flush()
            board.wait_for(lambda: shown(board, "loss") == kept)
    with tensorboard(tmp_path, fast=fast) as board:
        board.wait_for(lambda: shown(board, "loss") == kept)
        assert shown(board, "rare") == [(0, 0.0)]
        assert shown(board, "new style") == shown(board, "pair", "pair_a") == []
    assert points(tmp_path, "loss") == kept


@needs_tensorboard
@pytest.mark.slow
def test_purge_step_in_tensorboards_python_reader(tmp_path: Path) -> None:
    """The first session of a run that starts counts for nothing there, so `purge_step` starts two."""
    with SummaryWriter(tmp_path) as writer:
        log(writer, "loss", *range(6))
    with SummaryWriter(tmp_path, purge_step=3) as writer:
        log(writer, "other", 3)
    with tensorboard(tmp_path, fast=False) as board:
        board.wait_for(lambda: shown(board, "other"))
        assert shown(board, "loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_order_with_pushes(tmp_path: Path) -> None:
    """What the same thread has logged before is hidden, what it logs after is not; no barrier is needed."""
    with SummaryWriter(tmp_path) as writer:
        for epoch in range(3):
            writer.reset("epoch")
            log(writer, "epoch", *range(50), base=epoch)
        log(writer, "loss", *range(100))
        writer.purge(60)
        last = log(writer, "loss", 60, 61, base=0.5)
    assert points(tmp_path, "epoch") == [(step, 2.0 + step) for step in range(50)]
    assert points(tmp_path, "loss") == [(step, float(step)) for step in range(60)] + last


def test_reset_of_what_earlier_files_hold(tmp_path: Path) -> None:
    """A program that goes on in the same directory may reset what it has not logged itself."""
    with SummaryWriter(tmp_path) as writer:
        log(writer, "epoch", 0, 1, 2)
    with SummaryWriter(tmp_path) as writer:
        writer.reset("epoch")
        writer.close()
        new = log(writer, "epoch", 1)
    assert points(tmp_path, "epoch") == new


def test_reset_of_grouped_scalars(tmp_path: Path) -> None:
    """The curves of one `add_scalars` chart begin anew together, in their sub-runs."""
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("loss", {"a": 1.0, "b": 2.0}, 0)
        writer.reset("loss")
        writer.add_scalars("loss", {"a": 3.0}, 5)
    assert points(tmp_path / "loss_a", "loss") == [(5, 3.0)]
    assert points(tmp_path / "loss_b", "loss") == []
    assert len(events(tmp_path)) == 1  # nothing was said in the run itself


def test_reset_of_series_of_other_styles(tmp_path: Path) -> None:
    """Tensors and described scalars are series like any other."""
    with SummaryWriter(tmp_path) as writer:
        for step in range(3):
            writer.add_scalar("tensor", step, step, new_style=True)
            writer.add_scalar("described", step, step, display_name="name")
            writer.log_metrics({"metric": step}, step)
        for tag in ("tensor", "described", "metric"):
            writer.reset(tag)
        writer.add_scalar("tensor", 9.0, 1, new_style=True)
        writer.log_metrics({"metric": 9.0}, 1)
    assert points(tmp_path, "tensor") == points(tmp_path, "metric") == [(1, 9.0)]
    assert points(tmp_path, "described") == []


def test_the_file_stays_what_it_was(tmp_path: Path) -> None:
    """Whoever wants it all finds it all; verify has nothing to say; nothing counts as a summary."""
    with SummaryWriter(tmp_path) as writer:
        log(writer, "epoch", 0, 1)
        writer.reset("epoch")
        log(writer, "epoch", 0)
    stats = writer.stats()
    assert (stats.pushed, stats.written, stats.waiting) == (3, 3, 0)
    (file,) = event_files(tmp_path)
    assert check_file(file).findings == ()
    found = scalars(tmp_path)["epoch"]
    assert [point.step for point in found] == [0, 1, -(2**63) + 1, 0]
    assert math.isnan(found[2].value)
    assert len(read(tmp_path, purge=False)["epoch"]) == 4


def test_purging_everything_twice(tmp_path: Path) -> None:
    """From step 0 on there is nothing; a second time changes nothing."""
    with SummaryWriter(tmp_path) as writer:
        log(writer, "a", 0, 1)
        writer.purge(0)
        writer.purge(0)
    assert points(tmp_path, "a") == []


@pytest.mark.parametrize("kind", ["plain", "v2"])
def test_many_series_are_hidden_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """However many series there are, the writer thread rests in between, and lets the loop have the GIL."""
    count = 3000
    with SummaryWriter(tmp_path) as writer:
        if kind == "plain":
            writer.log_metrics({f"tag{number}": number for number in range(count)}, 0)
        else:
            with tf_style(writer).as_default(0):
                for number in range(count):
                    scalar(f"tag{number}", number)
        writer.flush()
        worker = writer._pipeline._worker
        rest, rests = worker._rest_if_due, []

        def note_rest() -> None:
            rests.append(1)
            rest()

        monkeypatch.setattr(worker, "_rest_if_due", note_rest)
        writer.purge(0)
        writer.flush()
        purging = len(rests)
        writer.reset("there is none")
        writer.flush()
    assert purging >= count // 100
    assert kind == "plain" or len(rests) - purging >= count // 100
    assert points(tmp_path, "tag7") == []
    assert check_file(event_files(tmp_path)[0]).findings == ()


def test_after_close(tmp_path: Path) -> None:
    """As with any push, a new file is opened."""
    writer = SummaryWriter(tmp_path)
    log(writer, "a", 0, 1, 2)
    writer.close()
    writer.purge(1)
    writer.close()
    assert len(event_files(tmp_path)) == 2
    assert points(tmp_path, "a") == [(0, 0.0)]


def test_a_full_queue_drops_no_restart(tmp_path: Path) -> None:
    """However full the queue is, series begin anew where they should."""
    writer = SummaryWriter(tmp_path, max_items=20, on_full="drop_newest", interval=60)
    for epoch in range(200):
        writer.reset("epoch")
        log(writer, "epoch", *range(5), base=epoch)
    writer.flush()
    last = log(writer, "epoch", 5, base=1000)
    writer.close()
    shown_points = points(tmp_path, "epoch")
    assert shown_points[-1:] == last
    assert all(value >= 199 for _, value in shown_points)


@pytest.mark.parametrize("step", [None, 1.5, "3", 2**63])
def test_bad_steps(tmp_path: Path, step: object) -> None:
    """No integer of 64 bits: nothing is hidden."""
    with SummaryWriter(tmp_path) as writer:
        log(writer, "a", 0)
        with pytest.raises((TypeError, ValueError), match="step"):
            writer.purge(step)
    assert points(tmp_path, "a") == [(0, 0.0)]


@pytest.mark.parametrize(("tag", "error"), [(3, TypeError), (None, TypeError), ("\ud800", ValueError)])
def test_bad_tags(tmp_path: Path, tag: object, error: type[Exception]) -> None:
    """Nothing but a str that a file can hold names a series."""
    with SummaryWriter(tmp_path) as writer, pytest.raises(error):
        writer.reset(tag)  # type: ignore[arg-type]


def test_null_writers(tmp_path: Path) -> None:
    """A rank that does not write does nothing here either."""
    with SummaryWriter(tmp_path, ranks=0, rank=1) as writer:
        writer.reset("a")
        writer.purge(3)
    assert list(tmp_path.iterdir()) == []


def test_trials_stay(tmp_path: Path) -> None:
    """A trial is complete when it is logged: purging neither hides it nor opens its file again."""
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams({"lr": 0.1}, {"accuracy": 0.5}, run_name="trial")
        writer.add_scalars("pair", {"a": 1.0}, 0)
        writer.purge(0)
    assert points(tmp_path / "trial", "accuracy") == [(0, 0.5)]
    assert points(tmp_path / "pair_a", "pair") == []
    assert not any(event.HasField("session_log") for event in events(tmp_path / "trial"))

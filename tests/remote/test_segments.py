"""What a writer puts into a store: complete event files, in order, once each."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tbasync import SummaryWriter, read
from tbasync.files import event_file
from tbasync.files.event_file import SegmentNames
from tbasync.files.store import Store

from ..support.plain_reader import event_files, events, scalars, split, steps
from ..support.tensorboard_server import needs_tensorboard, tensorboard
from .stores import Watched


def url(directory: Path) -> str:
    """The directory as a store."""
    return f"file://{directory}"


def snapshot(directory: Path) -> dict[str, bytes]:
    """All files below a directory."""
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def test_each_barrier_uploads_a_segment_once(tmp_path: Path, store: Watched) -> None:
    """The instant flush() returns all is there; what is there never changes; each file goes up once."""
    with SummaryWriter(url(tmp_path / "run")) as writer:
        assert not (tmp_path / "run").exists()  # constructing it does nothing
        before: dict[str, bytes] = {}
        for step in range(5):
            writer.add_scalar("loss", 1.0, step)
            assert writer.flush() is True
            now = snapshot(tmp_path)
            assert before.items() <= now.items()
            assert len(now) == step + 1
            assert steps(tmp_path / "run", "loss") == list(range(step + 1))
            before = now
        assert writer.flush() is True  # there is nothing to upload
    assert snapshot(tmp_path) == before
    assert len(store.puts) == len(set(store.puts)) == store.tried == 5
    assert store.puts == sorted(store.puts)
    for path in event_files(tmp_path / "run"):
        assert len(split(path.read_bytes())) == 2


def test_memory_store() -> None:
    """A store without directories, in this process: the objects are event files."""
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    with SummaryWriter("memory://bucket/run/") as writer:
        writer.add_scalars("pair", {"a": 1.0, "b": 2.0}, 3)
        writer.add_scalar("loss", 1.0, 3)
    found = files.find("/bucket/run")
    assert [path.split("/")[3] for path in found if "pair" in path] == ["pair_a", "pair_b"]
    assert len(found) == 3
    assert all(len(split(files.cat(path))) == 2 for path in found)
    files.rm("/bucket", recursive=True)


def test_age_uploads_without_a_barrier(tmp_path: Path, store: Watched, spools: Path) -> None:
    """What was logged is in the store after `flush_secs`, though nobody calls anything any more."""
    writer = SummaryWriter(url(tmp_path), flush_secs=0.1, interval=0.01)
    writer.add_scalar("loss", 1.0, 1)
    deadline = time.monotonic() + 30
    while not store.puts:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    writer.close()
    assert len(store.puts) == 1
    assert steps(tmp_path, "loss") == [1]


def test_size_uploads_without_a_barrier(tmp_path: Path, store: Watched) -> None:
    """A segment ends when it has grown to `segment_bytes`; none is larger by more than what is appended at once.

    That is up to as much again, and the records of one piece of the queue, some 110,000 bytes here.
    """
    with SummaryWriter(url(tmp_path), segment_bytes=100_000) as writer:
        for step in range(20_000):
            writer.add_scalar("loss", 1.0, step)
    sizes = [path.stat().st_size for path in event_files(tmp_path)]
    assert len(sizes) >= 4
    assert max(sizes) < 320_000
    assert min(sizes[:-1]) >= 100_000
    assert steps(tmp_path, "loss") == list(range(20_000))


def test_sub_runs_and_further_files(tmp_path: Path, store: Watched) -> None:
    """Each run has its segments; the projector's files are there, the last version of each."""
    with SummaryWriter(url(tmp_path / "run")) as writer:
        writer.add_hparams({"lr": 0.1}, {"accuracy": 0.5}, run_name="trial")
        writer.add_embedding(np.zeros((3, 2)), ["a", "b", "c"], tag="first")
        writer.add_embedding(np.ones((3, 2)), ["a", "b", "c"], tag="second")
        writer.add_scalars("group/x", {"a": 1.0}, 1)
        writer.flush()
        writer.add_embedding(np.ones((3, 2)), tag="third")
    with SummaryWriter(str(tmp_path / "local")) as local:
        local.add_hparams({"lr": 0.1}, {"accuracy": 0.5}, run_name="trial")
        local.add_embedding(np.zeros((3, 2)), ["a", "b", "c"], tag="first")
        local.add_embedding(np.ones((3, 2)), ["a", "b", "c"], tag="second")
        local.add_scalars("group/x", {"a": 1.0}, 1)
        local.add_embedding(np.ones((3, 2)), tag="third")
    there, here = snapshot(tmp_path / "run"), snapshot(tmp_path / "local")

    def others(files: dict[str, bytes]) -> dict[str, bytes]:
        return {path: data for path, data in files.items() if "tfevents" not in path}

    assert others(there) == others(here)
    assert len(others(there)) == 6
    assert scalars(tmp_path / "run" / "group_x_a") == scalars(tmp_path / "local" / "group_x_a")
    assert scalars(tmp_path / "run" / "trial") == scalars(tmp_path / "local" / "trial")


def test_purge_step_and_reopening(tmp_path: Path, store: Watched) -> None:
    """A job that resumes hides what it will do again; a writer that is closed goes on in new segments."""
    with SummaryWriter(url(tmp_path)) as writer:
        for step in range(6):
            writer.add_scalar("loss", 1.0, step)
    writer = SummaryWriter(url(tmp_path), purge_step=3)
    assert writer.purge_step is None
    for step in range(3, 5):
        writer.add_scalar("loss", 2.0, step)
        writer.close()
    assert read(tmp_path)["loss"].steps.tolist() == [0, 1, 2, 3, 4]
    assert len(store.puts) == len(set(store.puts)) == 3


@needs_tensorboard
@pytest.mark.slow
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.long
def test_tensorboard_follows_the_segments(tmp_path: Path, fast: bool) -> None:
    """Both readers of stock TensorBoard take one segment after another, live; resets reach across them."""
    with SummaryWriter(url(tmp_path)) as writer:
        writer.add_scalar("loss", 0.0, 0)
        writer.flush()
        with tensorboard(tmp_path, fast=fast) as board:
            for step in range(1, 4):
                writer.add_scalar("loss", float(step), step)
                writer.add_scalar("epoch", float(step), step)
                writer.flush()
                expected = [(k, float(k)) for k in range(step + 1)]
                board.wait_for(lambda expected=expected: board.scalars(".", "loss") == expected)
            writer.reset("epoch")
            writer.flush()
            writer.add_scalar("epoch", 9.0, 2)
            writer.purge(2)
            writer.add_scalar("epoch", 9.0, 1)
            writer.flush()
            board.wait_for(lambda: board.scalars(".", "epoch") == [(1, 9.0)])
            board.wait_for(lambda: board.scalars(".", "loss") == [(0, 0.0), (1, 1.0)])


def test_segments_sort_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time in the names is that of the first; the number has room for years."""
    names = SegmentNames(".suffix")
    made = [names()]
    monkeypatch.setattr(event_file.time, "time", lambda: 1.0)
    made += [names() for _ in range(12_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(name.endswith(".suffix") for name in made)
    counter = itertools.count(9_999)  # other files that the process makes meanwhile
    monkeypatch.setattr(event_file, "_counter", counter)
    assert names() > made[-1]


def test_nobody_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files grow, TensorBoard does not take one for an event file before it is whole."""
    local = pytest.importorskip("fsspec.implementations.local")
    seen: list[list[str]] = []
    real = local.LocalFileSystem.mv

    def look(*arguments: object, **options: object) -> None:
        seen.append([path.name for path in tmp_path.iterdir()])
        real(*arguments, **options)

    monkeypatch.setattr(local.LocalFileSystem, "mv", look)
    with SummaryWriter(url(tmp_path)) as writer:
        writer.add_scalar("loss", 1.0, 1)
    assert len(seen) == 1
    assert not any("tfevents" in name for name in seen[0])
    assert len(list(tmp_path.iterdir())) == 1


def test_an_upload_whose_answer_was_lost(tmp_path: Path) -> None:
    """A second try finds the file there, and leaves it."""
    source = tmp_path / "source"
    source.write_bytes(b"whole")
    store = Store(url(tmp_path / "store"))
    store.put(str(source), "a/file")
    there = tmp_path / "store" / "a" / "file"
    inode = there.stat().st_ino
    store.put(str(source), "a/file", again=True)
    assert there.stat().st_ino == inode
    there.write_bytes(b"who")
    store.put(str(source), "a/file", again=True)
    assert there.read_bytes() == b"whole"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork(tmp_path: Path, spools: Path) -> None:
    """A child uploads its own segments from a spool of its own, and leaves its parent's alone."""
    writer = SummaryWriter(url(tmp_path), flush_secs=600, interval=0.01)
    writer.add_scalar("parent", 1.0, 0)
    while not list(spools.rglob("*tfevents*")):
        time.sleep(0.01)
    child = os.fork()
    if not child:
        code = 1
        try:
            writer.add_scalar("child", 1.0, 0)
            code = int(not writer.close(30))
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert steps(tmp_path, "child") == [0]
    assert steps(tmp_path, "parent") == []
    writer.add_scalar("parent", 1.0, 1)
    writer.close()
    assert steps(tmp_path, "parent") == [0, 1]
    assert len(event_files(tmp_path)) == 2
    assert list(spools.iterdir()) == []


def test_a_pickled_copy(tmp_path: Path) -> None:
    """The copy has segments of its own in the same place."""
    with SummaryWriter(url(tmp_path), storage_options={"auto_mkdir": True}) as writer:
        copy = pickle.loads(pickle.dumps(writer))
        writer.add_scalar("a", 1.0, 0)
        copy.add_scalar("a", 1.0, 1)
        copy.close()
    assert sorted(steps(tmp_path, "a")) == [0, 1]


def test_the_end_of_the_program(tmp_path: Path) -> None:
    """Everything is uploaded, and no spool is left, though nobody closes the writer."""
    script = f"""
import atexit
atexit.register(lambda: writer.add_scalar("late", 1.0, 0))  # called when tbasync has closed the writer
from tbasync import SummaryWriter
writer = SummaryWriter({url(tmp_path / "run")!r}, spool_dir={str(tmp_path / "spools")!r})
for step in range(1000):
    writer.add_scalar("loss", 1.0, step)
"""
    (tmp_path / "spools").mkdir()
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert steps(tmp_path / "run", "loss") == list(range(1000))
    assert steps(tmp_path / "run", "late") == [0]


def test_local_writers_import_no_fsspec(tmp_path: Path) -> None:
    """It costs nothing until a URL is given."""
    script = f"""
import sys
from tbasync import SummaryWriter
SummaryWriter({str(tmp_path)!r}).close()
assert "fsspec" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra to install."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r"tbasync\[remote\]"):
        SummaryWriter("s3://bucket/run")


def test_unknown_stores() -> None:
    """The error names the protocol; the store's own package is named by fsspec."""
    with pytest.raises(ValueError, match="nosuchstore"):
        SummaryWriter("nosuchstore://bucket/run")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"flush_secs": "often"}, TypeError, "flush_secs"),
        ({"flush_secs": -1}, ValueError, "flush_secs"),
        ({"segment_bytes": 0}, ValueError, "segment_bytes"),
        ({"spool_bytes": 1.5}, TypeError, "spool_bytes"),
        ({"storage_options": 3}, TypeError, "storage_options"),
    ],
)
def test_bad_options(options: dict[str, object], error: type[Exception], said: str) -> None:
    """An option that makes no sense is named at once."""
    with pytest.raises(error, match=said):
        SummaryWriter("memory://run", **options)  # type: ignore[arg-type]


def test_a_path_is_no_url() -> None:
    """pathlib takes a slash out of a URL: that is said, and no directory "s3:" is made."""
    with pytest.raises(ValueError, match="must be a str"):
        SummaryWriter(Path("s3://bucket/run"))


def test_no_run_leads_out_of_the_url(tmp_path: Path) -> None:
    """As with directories."""
    with SummaryWriter(url(tmp_path)) as writer, pytest.raises(ValueError, match="leads out"):
        writer.add_hparams({"lr": 0.1}, {"loss": 1.0}, run_name="../elsewhere")


def test_a_suffix_ends_the_names(tmp_path: Path) -> None:
    """As with local files."""
    with SummaryWriter(url(tmp_path), filename_suffix=".mine") as writer:
        writer.add_scalar("a", 1.0, 0)
    assert [path.suffix for path in event_files(tmp_path)] == [".mine"]
    assert len(events(tmp_path)) == 2

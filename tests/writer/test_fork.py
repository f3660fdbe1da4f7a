"""Forked, spawned and pickled: each process has a queue, a thread and files of its own, and none hangs."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tbasync
from tbasync import SummaryWriter

from ..support.held import Gate
from ..support.plain_reader import event_files, events, scalars, split

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    # 3.12 warns of every fork in a process that has threads: that is what these tests are about.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def in_child(work: Callable[[], object]) -> int:
    """Runs `work` in a forked child, which then ends without any clean-up; returns the child's number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def wait_for(*children: int) -> None:
    """Waits for children, but not for ever: one that hangs fails the test."""
    for child in children:
        deadline = time.monotonic() + 60
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                assert os.waitstatus_to_exitcode(status) == 0
                break
            if time.monotonic() > deadline:
                os.kill(child, 9)
                os.waitpid(child, 0)
                raise AssertionError("the child hangs")
            time.sleep(0.001)


def tags_by_process(directory: Path) -> dict[int, set[str]]:
    """Which tags the files of each process hold; the process's number is in the files' names."""
    from tbasync.proto import Event

    found: dict[int, set[str]] = {}
    for path in event_files(directory):
        process = int(path.name.split(".")[-2])
        parsed = map(Event.FromString, split(path.read_bytes()))
        found.setdefault(process, set()).update(
            value.tag for event in parsed for value in event.summary.value
        )
    return found


@pytest.fixture
def busy_writer(tmp_path: Path) -> Iterator[SummaryWriter]:
    """A writer whose thread works all the time, on what another thread of this process logs."""
    writer = SummaryWriter(tmp_path, interval=0)
    stop = threading.Event()

    def log() -> None:
        step = 0
        while not stop.is_set():
            writer.add_scalar("parent", 1.0, step)
            writer.add_text("text", "x", step)
            step += 1
            if step % 50 == 0:
                time.sleep(0.0005)

    noise = threading.Thread(target=log)
    noise.start()
    yield writer
    stop.set()
    noise.join()
    writer.close()


def fork_under_load(writer: SummaryWriter, directory: Path, forks: int, at_once: int) -> None:
    """Forks while the writer works; each child logs, flushes, and its records are in its own file."""
    children: list[int] = []
    everyone = []
    for number in range(forks):

        def work(number: int = number) -> None:
            for step in range(10):
                writer.add_scalar(f"child {number}", 1.0, step)
            assert writer.flush(30)
            assert writer.stats().pushed == 10

        children.append(in_child(work))
        everyone.append(children[-1])
        if len(children) >= at_once:
            wait_for(children.pop(0))
    wait_for(*children)
    writer.flush()
    by_process = tags_by_process(directory)
    assert by_process.pop(os.getpid()) == {"parent", "text/text_summary"}
    assert by_process == {child: {f"child {number}"} for number, child in enumerate(everyone)}


def test_children_of_a_busy_writer(busy_writer: SummaryWriter, tmp_path: Path) -> None:
    """No hang, no lost record, and no record in another process's file."""
    fork_under_load(busy_writer, tmp_path, 20, 4)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_thousand_forks_under_load(busy_writer: SummaryWriter, tmp_path: Path) -> None:
    """The same a thousand times, for races that are rare."""
    fork_under_load(busy_writer, tmp_path, 1000, 8)


def test_parent_and_child_go_on_pushing(tmp_path: Path) -> None:
    """What was queued at the fork is written once, by the parent."""
    writer = SummaryWriter(tmp_path, interval=3600)
    for step in range(100):
        writer.add_scalar("before", 1.0, step)

    def work() -> None:
        assert writer.stats() == tbasync.Stats()
        for step in range(100):
            writer.add_scalar("child", 1.0, step)
        assert writer.flush(30)
        assert writer.close(30)

    child = in_child(work)
    for step in range(100):
        writer.add_scalar("parent", 1.0, step)
    writer.close()
    wait_for(child)
    assert {tag: len(points) for tag, points in scalars(tmp_path).items()} == dict.fromkeys(
        ["before", "parent", "child"], 100
    )
    assert tags_by_process(tmp_path) == {os.getpid(): {"before", "parent"}, child: {"child"}}


def test_a_fork_while_the_thread_is_held(tmp_path: Path) -> None:
    """In the midst of encoding, with everything locked that could be: the child's writer is fresh."""
    writer = SummaryWriter(tmp_path)
    with Gate(writer):
        writer.add_scalar("parent", 1.0, 1)

        def work() -> None:
            assert writer.flush(30), "nothing was pushed here, so there is nothing to wait for"
            writer.add_scalar("child", 1.0, 1)
            assert writer.flush(30)

        wait_for(child := in_child(work))
    writer.close()
    assert tags_by_process(tmp_path) == {os.getpid(): {"gate", "parent"}, child: {"child"}}


@pytest.mark.parametrize("lock", ["_hands", "_payload_lock"])
def test_a_fork_while_another_thread_holds_a_lock(tmp_path: Path, lock: str) -> None:
    """The thread that would release it does not exist in the child."""
    writer = SummaryWriter(tmp_path, max_items=2, on_full="drop_oldest")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with getattr(writer._queue, lock):
            held.set()
            release.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)

    def work() -> None:
        for step in range(10):
            writer.add_scalar("child", 1.0, step)
            writer.add_text("child", "text", step)
        assert writer.flush(30)

    wait_for(in_child(work))
    release.set()
    holder.join()
    writer.close()


def test_a_fork_after_close(tmp_path: Path) -> None:
    """The child's first push opens a file, as the parent's would."""
    writer = SummaryWriter(tmp_path)
    writer.close()

    def work() -> None:
        writer.add_scalar("child", 1.0, 1)
        assert writer.close(30)

    wait_for(child := in_child(work))
    assert tags_by_process(tmp_path) == {os.getpid(): set(), child: {"child"}}


def test_a_child_that_logs_nothing_has_no_file(tmp_path: Path) -> None:
    """Forking costs nothing: a child that drops, flushes or closes the writer leaves no trace."""
    writer = SummaryWriter(tmp_path)
    writer.add_scalar("parent", 1.0, 1)
    writer.flush()

    def work() -> None:
        nonlocal writer
        assert writer.flush(30)
        assert writer.close(30)
        del writer
        gc.collect()

    wait_for(in_child(work))
    writer.close()
    assert len(event_files(tmp_path)) == 1


def test_grandchildren(tmp_path: Path) -> None:
    """A fork of a fork, each with a busy writer."""
    writer = SummaryWriter(tmp_path)
    writer.add_scalar("0", 1.0, 1)

    def grandchild() -> None:
        writer.add_scalar("2", 1.0, 1)
        assert writer.flush(30)

    def child() -> None:
        writer.add_scalar("1", 1.0, 1)
        wait_for(in_child(grandchild))
        assert writer.close(30)

    wait_for(in_child(child))
    writer.close()
    assert sorted(map(sorted, tags_by_process(tmp_path).values())) == [["0"], ["1"], ["2"]]


def test_values_that_wait_in_the_parent_are_not_destroyed_in_the_child(tmp_path: Path) -> None:
    """Their destructors (a device tensor's, say) belong to the parent."""
    log = tmp_path / "destroyed"
    log.touch()

    class Value:
        def __del__(self) -> None:
            with log.open("a") as file:
                file.write(f"{os.getpid()}\n")

    writer = SummaryWriter(tmp_path / "run")
    with Gate(writer):
        for _ in range(3):
            writer._push("t", 0, None, lambda tag, value: None, (Value(),))  # type: ignore[arg-type, return-value]

        def work() -> None:
            writer.add_scalar("child", 1.0, 1)
            assert writer.close(30)
            gc.collect()

        wait_for(in_child(work))
        assert log.read_text() == ""
    with pytest.raises(tbasync.LoggingError):
        writer.close()


def test_relative_directories_stay_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that changes its directory, as Hydra does, or whose children do, goes on in the same run."""
    monkeypatch.chdir(tmp_path)
    writer = SummaryWriter("run")
    writer.add_scalar("before", 1.0, 1)
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)

    def work() -> None:
        writer.add_scalar("child", 1.0, 1)
        assert writer.close(30)

    wait_for(in_child(work))
    writer.add_scalars("main", {"sub": 1.0}, 1)
    writer.close()
    writer.add_scalar("again", 1.0, 1)
    pickle.loads(pickle.dumps(writer)).add_scalar("copy", 1.0, 1)
    writer.close()
    gc.collect()
    assert not list(other.iterdir())
    assert {"before", "child", "again"} <= set(scalars(tmp_path / "run"))
    assert scalars(tmp_path / "run" / "main_sub") == {"main": [(1, 1.0)]}


# -- multiprocessing ---------------------------------------------------------------------------------------


def log_in_worker(writer: SummaryWriter, tag: str) -> None:
    """Logs a little, and neither flushes nor closes: the process's end sees to it."""
    for step in range(100):
        writer.add_scalar(tag, step / 2, step)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing(tmp_path: Path, method: Any) -> None:
    """However they are started, they log through the writer they are given and drain when they end."""
    context = multiprocessing.get_context(method)
    writer = SummaryWriter(tmp_path, filename_suffix=".x")
    writer.add_scalar("parent", 1.0, 1)
    workers = [context.Process(target=log_in_worker, args=(writer, f"worker {k}")) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    writer.close()
    found = scalars(tmp_path)
    assert {tag: len(points) for tag, points in found.items()} == {
        "parent": 1,
        "worker 0": 100,
        "worker 1": 100,
        "worker 2": 100,
    }
    assert len(event_files(tmp_path)) == 4
    assert all(path.name.endswith(".x") for path in event_files(tmp_path))


@pytest.mark.slow
def test_a_pool_of_forked_workers(tmp_path: Path) -> None:
    """Workers that live on and log with each task; terminating the pool is no clean end, a flush is."""
    writer = SummaryWriter(tmp_path)
    writer.add_scalar("parent", 1.0, 1)
    global pool_writer
    pool_writer = writer
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(log_and_flush, range(40))
    writer.close()
    found = scalars(tmp_path, torn_end=True)
    assert sorted(point.step for point in found["task"]) == list(range(40))


pool_writer: SummaryWriter


def log_and_flush(step: int) -> None:
    """One task of a pool."""
    pool_writer.add_scalar("task", 1.0, step)
    assert pool_writer.flush(30)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "workers"), [("fork", 4), ("spawn", 1)])
def test_a_dataloader_whose_workers_log(tmp_path: Path, method: str, workers: int) -> None:
    """They log each item while the parent logs each batch: what deadlocks other writers."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer = SummaryWriter(tmp_path)
        data = Logged(writer, 200)
        loader = torch.utils.data.DataLoader(
            data, 4, num_workers=workers, multiprocessing_context=method, persistent_workers=method == "spawn"
        )
        for epoch in range(2):
            for batch, _ in enumerate(loader):
                writer.add_scalar("batch", 1.0, epoch * 50 + batch)
        del loader
        writer.close()
    found = scalars(tmp_path, torn_end=True)
    assert [point.step for point in found["batch"]] == list(range(100))
    assert sorted(point.step for point in found["item"]) == sorted([*range(200)] * 2)


class Logged:
    """A data set that logs each access."""

    def __init__(self, writer: SummaryWriter, size: int) -> None:
        self.writer = writer
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> int:
        self.writer.add_scalar("item", float(index), index)
        return index


# -- copies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make_copy", [lambda writer: pickle.loads(pickle.dumps(writer)), copy.copy, copy.deepcopy]
)
def test_a_copy_has_a_file_of_its_own(tmp_path: Path, make_copy: Callable[[Any], Any]) -> None:
    """In the same directory, with the same options, created when it is first used."""
    writer = SummaryWriter(tmp_path, filename_suffix=".s", flush_secs=5, max_items=77, interval=0.5)
    writer.add_scalar("original", 1.0, 1)
    twin = make_copy(writer)
    assert type(twin) is SummaryWriter
    assert twin._pipeline.options == writer._pipeline.options
    assert (twin.log_dir, twin.flush_secs, twin.filename_suffix) == (writer.log_dir, 5, ".s")
    assert twin.flush()
    assert len(event_files(tmp_path)) == 1
    twin.add_scalar("copy", 1.0, 1)
    assert twin.flush()
    assert len(event_files(tmp_path)) == 2
    twin.close()
    writer.close()
    assert set(scalars(tmp_path)) == {"original", "copy"}
    assert [event.file_version for event in events(tmp_path)].count("brain.Event:2") == 2


def test_a_copy_does_not_purge_again(tmp_path: Path) -> None:
    """`purge_step` is for the writer that was constructed with it."""
    writer = SummaryWriter(tmp_path, purge_step=5)
    twin = pickle.loads(pickle.dumps(writer))
    twin.add_scalar("copy", 1.0, 1)
    twin.close()
    writer.close()
    assert sum(event.HasField("session_log") for event in events(tmp_path)) == 2  # both of one purge


def test_copies_of_subclasses_keep_their_attributes(tmp_path: Path) -> None:
    """A subclass with a constructor of its own is not constructed anew."""
    writer = Named("run 7", tmp_path)
    twin = pickle.loads(pickle.dumps(writer))
    assert (type(twin), twin.name, twin.log_dir) == (Named, "run 7", str(tmp_path))
    twin.add_scalar("copy", 1.0, 1)
    twin.close()
    writer.close()
    assert set(scalars(tmp_path)) == {"copy"}


class Named(SummaryWriter):
    """A user's own writer."""

    def __init__(self, name: str, directory: Path) -> None:
        super().__init__(directory)
        self.name = name


def test_a_copy_made_within_use_metadata(tmp_path: Path) -> None:
    """The context is this writer's; the copy is an ordinary one."""
    writer = SummaryWriter(tmp_path)
    with writer.use_metadata(global_step=7):
        twin = pickle.loads(pickle.dumps(writer))
    twin.add_scalar("copy", 1.0)
    twin.close()
    writer.close()
    assert scalars(tmp_path) == {"copy": [(0, 1.0)]}

"""The files of embeddings: kept through a fault, listed when they are there, in one list whoever logs them."""

from __future__ import annotations

import copy
import errno
import itertools
import multiprocessing
import os
import pickle
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncWarning
from tbasync.encode.projector import CONFIG
from tbasync.files.runs import RunFiles
from tbasync.pipeline import loop as loop_module
from tbasync.proto.projector import ProjectorConfig

from ..support.held import Gate
from ..support.plain_reader import scalars


class Fault:
    """What `write_beside` raises; the test decides.

    Attributes:
        error: with which it fails, None for no more.
        only: of paths that hold this.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: int | None = None
        self.only = ""
        real = RunFiles.write_beside

        def write_beside(files: RunFiles, run: str | None, path: str, content: bytes) -> None:
            error = self.error
            if error is not None and self.only in path:
                raise OSError(error, os.strerror(error))
            real(files, run, path, content)

        monkeypatch.setattr(RunFiles, "write_beside", write_beside)


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Fault:
    """A disk that works until a test says otherwise, with a writer that tries again soon."""
    monkeypatch.setattr(loop_module, "_FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(loop_module, "_LAST_RETRY_SECONDS", 0.01)
    return Fault(monkeypatch)


def listed(run: Path) -> list[str]:
    """The names of the embeddings that a run lists, each of which is there."""
    from google.protobuf import text_format

    config = text_format.Parse((run / CONFIG).read_text(), ProjectorConfig())
    for info in config.embeddings:
        for path in (info.tensor_path, info.metadata_path, info.sprite.image_path):
            assert not path or (run / path).is_file()
    return [info.tensor_name.removesuffix(":00000") for info in config.embeddings]


def complete(writer: SummaryWriter, tag: str) -> None:
    """Logs an embedding with all that can belong to it."""
    writer.add_embedding(np.eye(4), list("abcd"), np.zeros((4, 3, 2, 2)), tag=tag)


# -- faults ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE])
@pytest.mark.parametrize("only", ["first/tensors", "first/metadata", "first/sprite", CONFIG])
def test_an_embedding_outlives_a_passing_fault(tmp_path: Path, fault: Fault, error: int, only: str) -> None:
    """Whichever of its files it hits: what is logged waits in order, is written when it is over, and counts once."""
    writer = SummaryWriter(tmp_path, interval=0)
    fault.error, fault.only = error, only
    complete(writer, "first")
    writer.add_scalar("t", 1.0, 1)
    writer.add_embedding(np.eye(2), tag="second")
    with pytest.raises(LoggingError, match=r"cannot be written.*kept up to the writer's capacity") as caught:
        writer.flush()
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == error
    assert not (tmp_path / CONFIG).exists()
    assert scalars(tmp_path) == {}
    stats = writer.stats()
    assert (stats.pushed, stats.written, stats.waiting, stats.failed) == (3, 0, 3, 0)
    assert stats.write_errors > 0
    fault.error = None
    assert writer.flush()
    assert listed(tmp_path) == ["first", "second"]
    assert scalars(tmp_path) == {"t": [(1, 1.0)]}
    stats = writer.stats()
    assert (stats.written, stats.waiting, stats.failed, stats.dropped) == (3, 0, 0, 0)
    assert writer.close()


@pytest.mark.parametrize("only", ["bad/tensors", "bad/metadata"])
def test_a_fault_that_stays_costs_the_one_embedding(tmp_path: Path, fault: Fault, only: str) -> None:
    """It is named, is not listed, and nothing else waits for it."""
    fault.error, fault.only = errno.EACCES, only
    writer = SummaryWriter(tmp_path, interval=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        complete(writer, "good")
        complete(writer, "bad")
        writer.add_scalar("t", 1.0, 1)
        complete(writer, "last")
        with pytest.raises(LoggingError, match=r"1 summary was not logged.*PermissionError"):
            writer.close()
    (warning,) = said
    assert warning.category is TbasyncWarning
    assert "the embedding 'bad' could not be logged: PermissionError" in str(warning.message)
    assert listed(tmp_path) == ["good", "last"]
    assert scalars(tmp_path) == {"t": [(1, 1.0)]}
    stats = writer.stats()
    assert (stats.pushed, stats.written, stats.failed, stats.waiting) == (4, 3, 1, 0)


@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
def test_what_waits_stays_bounded(tmp_path: Path, fault: Fault) -> None:
    """During a fault embeddings wait in the queue, up to its capacity; what is dropped is never listed."""
    fault.error = errno.ENOSPC
    writer = SummaryWriter(tmp_path, interval=0, capacity=2_000_000)
    points = np.zeros((1000, 10))
    for step in range(200):
        writer.add_embedding(points, tag=str(step))
        assert writer.stats().queue_bytes <= 2_100_000
    stats = writer.stats()
    assert stats.dropped > 150
    fault.error = None
    with pytest.raises(LoggingError, match=f"{stats.dropped} summaries were not logged"):
        writer.flush()
    assert writer.close()
    stats = writer.stats()
    names = listed(tmp_path)
    assert len(names) == stats.written == 200 - stats.dropped
    assert sorted(path.name for path in (tmp_path / "00000").iterdir()) == sorted(names)


@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
def test_closing_during_a_fault_says_what_is_lost(tmp_path: Path, fault: Fault) -> None:
    """One embedding, which counts as dropped."""
    fault.error, fault.only = errno.ENOSPC, "tensors"
    writer = SummaryWriter(tmp_path)
    complete(writer, "lost")
    with pytest.raises(LoggingError, match="1 summaries could not be written"):
        writer.close()
    stats = writer.stats()
    assert (stats.pushed, stats.dropped, stats.waiting) == (1, 1, 0)
    assert not (tmp_path / CONFIG).exists()


# -- the list ----------------------------------------------------------------------------------------------


def test_threads_share_a_list(tmp_path: Path) -> None:
    """Embeddings of several threads are all listed, once each, and a thread's own in their order."""
    writer = SummaryWriter(tmp_path, interval=0)
    start = threading.Barrier(4)

    def log(thread: int) -> None:
        start.wait()
        for number in range(25):
            writer.add_embedding(np.eye(2), tag=f"{thread}-{number}")

    threads = [threading.Thread(target=log, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    writer.close()
    names = listed(tmp_path)
    assert len(names) == 100
    for thread in range(4):
        own = [name for name in names if name.startswith(f"{thread}-")]
        assert own == [f"{thread}-{number}" for number in range(25)]


@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest"])
def test_what_is_dropped_is_not_listed(tmp_path: Path, on_full: Any) -> None:
    """Neither now nor with the next embedding."""
    writer = SummaryWriter(tmp_path, max_items=2, on_full=on_full)
    with Gate(writer):
        for tag in "abcd":
            writer.add_embedding(np.eye(2), tag=tag)
    assert writer.flush()
    writer.add_embedding(np.eye(2), tag="last")
    writer.close()
    assert listed(tmp_path) == [*("ab" if on_full == "drop_newest" else "cd"), "last"]


def test_a_writer_that_was_closed_goes_on_with_its_list(tmp_path: Path) -> None:
    """As torch's does; a removed list is written again."""
    writer = SummaryWriter(tmp_path)
    for tag in "abc":
        writer.add_embedding(np.eye(2), tag=tag)
        writer.close()
        assert listed(tmp_path) == list("abc"[: "abc".index(tag) + 1])
    (tmp_path / CONFIG).unlink()
    writer.add_embedding(np.eye(2), tag="d")
    writer.close()
    assert listed(tmp_path) == list("abcd")


def test_a_new_writer_begins_a_new_list(tmp_path: Path) -> None:
    """As torch's does, even if it logs the very embeddings that an earlier run has logged."""
    for tags in ("ab", "a", "ab"):
        with SummaryWriter(tmp_path) as writer:
            for tag in tags:
                writer.add_embedding(np.eye(2), tag=tag)
        assert listed(tmp_path) == list(tags)


COPIES: list[Callable[[Any], Any]] = [lambda w: pickle.loads(pickle.dumps(w)), copy.copy, copy.deepcopy]


@pytest.mark.parametrize("order", sorted(set(itertools.permutations("ooccc"))), ids="".join)
@pytest.mark.parametrize("before", [False, True])
def test_copies_share_the_list_of_their_run(tmp_path: Path, order: tuple[str, ...], before: bool) -> None:
    """Whichever of them logs first: none drops what another one has listed, and none keeps an earlier run's."""
    with SummaryWriter(tmp_path) as earlier:
        earlier.add_embedding(np.eye(2), tag="earlier")
    writers = {"o": SummaryWriter(tmp_path)}
    if before:
        writers["o"].add_embedding(np.eye(2), tag="before")
        writers["o"].flush()
    writers["c"] = COPIES[len(tmp_path.name) % 3](writers["o"])
    for number, who in enumerate(order):
        writers[who].add_embedding(np.eye(2), tag=f"{who}{number}")
        assert writers[who].flush()
    for writer in writers.values():
        writer.close()
    assert sorted(listed(tmp_path)) == sorted(
        [*["before"] * before, *(f"{who}{number}" for number, who in enumerate(order))]
    )


def log_in_child(writer: SummaryWriter, tag: str) -> None:
    """What another process does with the writer that it was given."""
    writer.add_embedding(np.eye(2), tag=tag)
    writer.close()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_add_to_the_list(tmp_path: Path, method: str) -> None:
    """Before and after the writer that they have their copy of."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    context = multiprocessing.get_context(method)
    writer = SummaryWriter(tmp_path)
    for child in "abc":
        process = context.Process(target=log_in_child, args=(writer, f"child {child}"))
        process.start()
        process.join(60)
        assert process.exitcode == 0
        writer.add_embedding(np.eye(2), tag=f"own {child}")
        writer.flush()
    writer.close()
    assert sorted(listed(tmp_path)) == [f"{who} {child}" for who in ("child", "own") for child in "abc"]


def test_the_list_of_one_writer_equals_torchs(tmp_path: Path) -> None:
    """Byte for byte, with embeddings that are logged again."""
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    torch = pytest.importorskip("torch")
    contents = []
    for kind in (tensorboard.SummaryWriter, SummaryWriter):
        directory = tmp_path / kind.__module__
        with kind(str(directory)) as writer:
            for tag in ("a", 'b "quoted" é/%', "a", "a"):
                writer.add_embedding(torch.eye(4), list("abcd"), torch.zeros(4, 3, 2, 2), tag=tag)
                writer.add_embedding(torch.eye(4), tag=tag, global_step=3)
        contents.append((directory / CONFIG).read_bytes())
    assert contents[0] == contents[1]


def test_a_list_that_nobody_can_read_is_replaced(tmp_path: Path) -> None:
    """Such as one that tensorboardX has written for a tag with quotation marks."""
    writer = SummaryWriter(tmp_path)
    for text in (b'embeddings { tensor_name: "a "quoted" one" }', b"\xff"):
        (tmp_path / CONFIG).write_bytes(text)
        writer.add_embedding(np.eye(2), tag="one")
        writer.flush()
    writer.close()
    assert listed(tmp_path) == ["one", "one"]

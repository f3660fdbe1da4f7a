"""Full, broken and absent disks, over time: bounded memory, exact counts, whole files, full recovery."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncWarning
from tbasync.pipeline import loop as loop_module
from tbasync.pipeline import queue as queue_module

from ..support.faults import is_writer_thread
from ..support.held import Gate
from ..support.plain_reader import event_files, scalars, split, steps

pytestmark = pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")


def wait_until(true: Callable[[], bool]) -> None:
    """Returns when something that is bound to happen has happened."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Disk:
    """What the writer thread's `os.write` does; the test decides."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: int | None = None
        self.only = ""  # of paths that hold this
        self.tries = 0
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, handle: int, data: Any) -> int:
        if is_writer_thread():
            self.tries += 1
            error = self.error  # which the test may take back at any moment
            if error is not None and self.only in os.readlink(f"/proc/self/fd/{handle}"):
                raise OSError(error, os.strerror(error))
        return self._write(handle, data)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that works until a test says otherwise, with a writer that tries again soon."""
    monkeypatch.setattr(loop_module, "_FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(loop_module, "_LAST_RETRY_SECONDS", 0.01)
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    return Disk(monkeypatch)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE])
def test_what_fits_the_queue_outlives_a_fault(tmp_path: Path, disk: Disk, error: int) -> None:
    """Nothing is lost while there is room in memory, and all is written when the disk is well again."""
    writer = SummaryWriter(tmp_path, interval=0)
    for step in range(1000):
        if step == 200:
            disk.error = error
        writer.add_scalar("t", 1.0, step)
        if step == 500:
            wait_until(lambda: writer.stats().write_errors > 2)
    with pytest.raises(LoggingError, match=r"cannot be written.*kept up to the writer's capacity") as caught:
        writer.flush()
    cause = caught.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.errno == error
    disk.error = None
    assert writer.flush()
    assert writer.close()
    assert steps(tmp_path, "t") == list(range(1000))
    stats = writer.stats()
    assert (stats.written, stats.dropped, stats.failed) == (1000, 0, 0)


@pytest.mark.parametrize("on_full", ["block", "drop_newest", "drop_oldest"])
def test_drops_are_counted_exactly(tmp_path: Path, disk: Disk, on_full: Any) -> None:
    """While the disk is full the queue fills up, pushes do not wait, and what is lost is counted."""
    writer = SummaryWriter(tmp_path, interval=0, max_items=1000, on_full=on_full)
    writer.add_scalar("t", 1.0, 0)
    assert writer.flush()
    disk.error = errno.ENOSPC
    writer.add_scalar("t", 1.0, 1)
    wait_until(lambda: writer.stats().write_errors > 0)
    start = time.monotonic()
    for step in range(2, 20_000):
        writer.add_scalar("t", 1.0, step)
    assert time.monotonic() - start < 30
    stats = writer.stats()
    assert stats.pushed == 20_000
    assert stats.queue_length <= 1001
    assert stats.dropped >= 18_000
    disk.error = None
    while True:
        try:
            writer.flush()
            break
        except LoggingError:
            pass
    writer.add_scalar("t", 1.0, 20_000)
    writer.close()
    found = steps(tmp_path, "t")
    stats = writer.stats()
    assert found == sorted(set(found)), "in order, and nothing twice"
    assert len(found) == stats.written
    assert stats.pushed == 20_001 == stats.written + stats.dropped
    if on_full == "drop_oldest":
        assert found[-1000:] == list(range(19_001, 20_001))
    else:
        assert found[:900] == list(range(900))


def test_payload_is_bounded_while_the_disk_is_full(tmp_path: Path, disk: Disk) -> None:
    """Frozen arrays in the queue and encoded ones in the output, together, stay near the capacity."""
    writer = SummaryWriter(tmp_path, interval=0, capacity=2_000_000)
    disk.error = errno.ENOSPC
    value = np.zeros(10_000)
    for step in range(1000):
        writer.add_tensor("t", value, step)
        stats = writer.stats()
        assert stats.queue_bytes <= 2_100_000
    waiting = tuple(writer._pipeline._output._chunks.values())
    pending = sum(chunk.nbytes for chunks in waiting for chunk in tuple(chunks))
    assert pending <= 3_000_000
    stats = writer.stats()
    assert stats.dropped > 700
    assert stats.waiting < 60
    disk.error = None
    with pytest.raises(LoggingError, match="summaries were not logged"):
        writer.close()
    stats = writer.stats()
    assert stats.pushed == 1000 == stats.written + stats.dropped


def test_one_warning_for_one_cause(tmp_path: Path, disk: Disk) -> None:
    """However often it is tried; when the fault comes back after it was gone it is said again."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        writer = SummaryWriter(tmp_path, interval=0)
        for round in range(3):
            disk.error = errno.ENOSPC
            tries = disk.tries
            writer.add_scalar("t", 1.0, round)
            wait_until(lambda before=tries: disk.tries > before + 5)  # type: ignore[misc]
            disk.error = None
            wait_until(lambda before=round: writer.stats().written == before + 1)  # type: ignore[misc]
        assert writer.close()
    said = [str(w.message) for w in caught if issubclass(w.category, TbasyncWarning)]
    assert len(said) == 3
    assert all("No space left on device" in message for message in said)


def test_a_handler_is_told_once_for_each_time(tmp_path: Path, disk: Disk) -> None:
    """`on_error=callable` hears of a fault when it begins, not at each try; and nothing is raised."""
    heard: list[BaseException] = []
    writer = SummaryWriter(tmp_path, interval=0, on_error=heard.append)
    disk.error = errno.EIO
    writer.add_scalar("t", 1.0, 1)
    wait_until(lambda: disk.tries > 5)
    disk.error = None
    wait_until(lambda: writer.stats().written == 1)
    assert writer.close()
    assert [getattr(error, "errno", None) for error in heard] == [errno.EIO]


def test_pushes_do_not_hurry_the_retries(tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue over its half rings with every push; a full disk is tried again after its pause all the same."""
    monkeypatch.setattr(loop_module, "_FIRST_RETRY_SECONDS", 3600.0)
    monkeypatch.setattr(loop_module, "_LAST_RETRY_SECONDS", 3600.0)
    writer = SummaryWriter(tmp_path, interval=0, max_items=100)
    disk.error = errno.ENOSPC
    writer.add_scalar("t", 1.0, 0)
    wait_until(lambda: disk.tries == 1)
    for step in range(1, 5000):
        writer.add_scalar("t", 1.0, step)
    assert disk.tries == 1
    disk.error = None
    with pytest.raises(LoggingError, match="summaries were not logged"):
        writer.flush()  # but a barrier is worth a try at once
    assert writer.close()
    stats = writer.stats()
    assert stats.pushed == 5000 == stats.written + stats.dropped


def test_barriers_do_not_wait_for_a_broken_disk(tmp_path: Path, disk: Disk) -> None:
    """Each is tried for once, and told; none of them is forgotten by the writer or answered twice."""
    writer = SummaryWriter(tmp_path, interval=0)
    disk.error = errno.EROFS
    writer.add_scalar("t", 1.0, 1)
    for _ in range(20):
        with pytest.raises(LoggingError, match="Read-only file system"):
            writer.flush(60)
    assert not writer._queue.barriers
    disk.error = None
    assert writer.flush()
    assert writer.close()


def test_closing_on_a_broken_disk_counts_what_is_lost(tmp_path: Path, disk: Disk) -> None:
    """Without a timeout it is tried once; what is pushed later has a new chance in a new file."""
    writer = SummaryWriter(tmp_path, interval=0)
    disk.error = errno.ENOSPC
    for step in range(100):
        writer.add_scalar("t", 1.0, step)
    with pytest.raises(LoggingError, match="100 summaries could not be written") as caught:
        writer.close()
    assert caught.value.failures == 100
    assert writer.file_writer is None
    stats = writer.stats()
    assert (stats.dropped, stats.waiting, stats.queue_bytes) == (100, 0, 0)
    assert writer.close()
    disk.error = None
    writer.add_scalar("t", 1.0, 100)
    assert writer.close()
    assert steps(tmp_path, "t") == [100]
    assert len(event_files(tmp_path)) == 2


def test_after_a_failed_close_the_next_fault_is_waited_out_again(tmp_path: Path, disk: Disk) -> None:
    """The last barrier of a close that gave up must not make the next fault's first try the last one."""
    writer = SummaryWriter(tmp_path, interval=0)
    disk.error = errno.ENOSPC
    writer.add_scalar("t", 1.0, 0)
    with pytest.raises(LoggingError):
        writer.close()
    disk.tries = 0
    writer.add_scalar("t", 1.0, 1)
    # The new file cannot even begin, so it is tried again and again.
    wait_until(lambda: disk.tries > 5)
    disk.error = None
    assert writer.close()
    assert steps(tmp_path, "t") == [1]


def test_closing_with_patience(tmp_path: Path, disk: Disk) -> None:
    """With a timeout it goes on trying, and succeeds if the disk recovers in time."""
    writer = SummaryWriter(tmp_path, interval=0)
    disk.error = errno.ENOSPC
    writer.add_scalar("t", 1.0, 0)
    tries = disk.tries

    def heal() -> None:
        wait_until(lambda: disk.tries > tries + 5)
        disk.error = None

    healing = threading.Thread(target=heal)
    healing.start()
    assert writer.close(60) is True
    healing.join()
    assert steps(tmp_path, "t") == [0]


def test_a_sub_run_that_cannot_be_made_holds_up_nothing(tmp_path: Path) -> None:
    """Its values are lost and counted; the others are written."""
    (tmp_path / "main_bad").write_text("a file where the run's directory should be")
    writer = SummaryWriter(tmp_path, interval=0)
    for step in range(10):
        writer.add_scalars("main", {"bad": 1.0, "good": 2.0}, step)
        writer.add_scalar("t", 1.0, step)
    with pytest.raises(LoggingError, match="10 summaries were not logged") as caught:
        writer.flush()
    assert isinstance(caught.value.__cause__, OSError)
    assert writer.close()
    stats = writer.stats()
    assert (stats.failed, stats.written) == (10, 20)
    assert steps(tmp_path / "main_good", "main") == steps(tmp_path, "t") == list(range(10))


def test_one_runs_full_disk_does_not_hold_up_the_others_records(tmp_path: Path, disk: Disk) -> None:
    """A mount below the run that fills up: what the other runs have in hand is written."""
    writer = SummaryWriter(tmp_path, interval=0)
    disk.error, disk.only = errno.ENOSPC, "main_x"
    with Gate(writer):
        writer.add_scalars("main", {"x": 1.0, "y": 2.0}, 1)
    with pytest.raises(LoggingError, match="No space left"):
        writer.flush()
    assert steps(tmp_path / "main_y", "main", torn_end=True) == [1]
    disk.error = None
    assert writer.close()
    assert steps(tmp_path / "main_x", "main") == [1]


@pytest.mark.parametrize(
    "error", [errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV, errno.ENETUNREACH, errno.EBADF]
)
def test_sub_runs_outlive_a_file_system_that_goes_away(tmp_path: Path, disk: Disk, error: int) -> None:
    """A mount that is restarted, or a server that is down for a while, costs sub-runs nothing either."""
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("main", {"x": 1.0}, 0)
        writer.flush()
        disk.error = error
        writer.add_scalars("main", {"x": 2.0, "new": 2.0}, 1)
        writer.add_scalar("own", 2.0, 1)
        with pytest.raises(LoggingError):
            writer.flush()
        disk.error = None
    assert writer.stats().dropped == 0
    assert steps(tmp_path / "main_x", "main") == [0, 1]
    assert steps(tmp_path / "main_new", "main") == [1]


def test_trials_of_a_full_disk_leave_no_handles(tmp_path: Path, disk: Disk) -> None:
    """Their files are closed as ever, only later: when what waited has been written."""
    writer = SummaryWriter(tmp_path, interval=0)
    writer.flush()
    before = len(os.listdir("/proc/self/fd"))
    disk.error, disk.only = errno.ENOSPC, "/0/events"
    with Gate(writer):
        for trial in range(5):
            writer.add_hparams({"lr": 0.1}, {"loss": 1.0}, run_name=str(trial))
    with pytest.raises(LoggingError, match="No space left"):
        writer.flush()
    disk.error = None
    assert writer.flush()
    assert len(os.listdir("/proc/self/fd")) == before
    assert writer.close()
    assert steps(tmp_path / "4", "loss") == [0]


@pytest.mark.parametrize("when", ["open", "closed"])
def test_a_removed_directory_is_noticed_and_made_again(tmp_path: Path, when: str) -> None:
    """Said once; values pushed after it are in a new file, in order; sub-runs too."""
    run = tmp_path / "run"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        writer = SummaryWriter(run, interval=0)
        for step in range(10):
            writer.add_scalar("t", 1.0, step)
            writer.add_scalars("m", {"s": 1.0}, step)
        if when == "open":
            writer.flush()
        else:
            writer.close()
        shutil.rmtree(run)
        for step in range(10, 20):
            writer.add_scalar("t", 1.0, step)
            writer.add_scalars("m", {"s": 1.0}, step)
        assert writer.close()
    assert steps(run, "t") == list(range(10, 20))
    assert steps(run / "m_s", "m") == list(range(10, 20))
    said = [str(w.message) for w in caught if issubclass(w.category, TbasyncWarning)]
    assert len(said) == (2 if when == "open" else 0)
    assert all("was removed; logging goes on in a new one" in message for message in said)


def test_an_error_of_closing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network file systems find out only then; the writer is closed all the same."""
    writer = SummaryWriter(tmp_path)
    writer.add_scalar("t", 1.0, 1)
    close = os.close

    def fail(handle: int) -> None:
        close(handle)
        if is_writer_thread():
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with monkeypatch.context() as broken:
        broken.setattr(os, "close", fail)
        with pytest.raises(LoggingError, match=r"may be incomplete.*quota"):
            writer.close()
    assert writer.file_writer is None
    assert writer.close()


def test_an_fsync_that_fails_is_told_and_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked for the disk hears of it; whoever did not is not bothered."""
    calls: list[int] = []

    def fail(handle: int) -> None:
        calls.append(handle)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    writer = SummaryWriter(tmp_path)
    writer.add_scalar("t", 1.0, 1)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(LoggingError, match="may not be on the disk"):
            writer.flush(fsync=True)
        assert len(calls) == 1
        writer.add_scalar("t", 1.0, 2)
        assert writer.flush()
    assert writer.flush(fsync=True)
    assert writer.close()
    assert steps(tmp_path, "t") == [1, 2]


def test_fsync_for_every_barrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fsync=True` at construction: flush and close reach the disk, the file before its directory."""
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", fsync)
    writer = SummaryWriter(tmp_path, fsync=True)
    writer.add_scalar("t", 1.0, 1)
    writer.flush()
    (path,) = map(str, event_files(tmp_path))
    assert synced == [path, str(tmp_path)]
    writer.flush()
    writer.add_scalar("t", 1.0, 2)
    writer.close()
    assert synced == [path, str(tmp_path), path]


def test_a_write_that_hangs_blocks_a_push_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the queue full pushes wait for a while, then drop at once, counted, until the disk answers."""
    monkeypatch.setattr(queue_module, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(queue_module, "_LOOK_AGAIN_SECONDS", 0.01)
    writer = SummaryWriter(tmp_path, interval=0, max_items=100)
    answered, asked = threading.Event(), threading.Event()
    real = os.write

    def hang(handle: int, data: Any) -> int:
        if is_writer_thread():
            asked.set()
            answered.wait(60)
        return real(handle, data)

    monkeypatch.setattr(os, "write", hang)
    writer.add_scalar("t", 1.0, 0)
    asked.wait(60)
    start = time.monotonic()
    for step in range(1, 5001):
        writer.add_scalar("t", 1.0, step)
    assert time.monotonic() - start < 20
    stats = writer.stats()
    assert stats.dropped == 4900
    assert 0.2 < stats.blocked_seconds < 20
    answered.set()
    with pytest.raises(LoggingError, match="4900 summaries were not logged"):
        writer.flush()
    assert writer.close()
    assert steps(tmp_path, "t") == list(range(101))


# -- a real disk -------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tbasync-test", str(where)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"there is no mount command: {error}")
    if done.returncode:
        pytest.skip(f"mounting is not permitted: {done.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)


@pytest.mark.slow
def test_a_really_full_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filled up in the midst of a run and emptied later: files whole throughout, drops counted exactly."""
    monkeypatch.setattr(loop_module, "_LAST_RETRY_SECONDS", 0.1)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(700_000))
    writer = SummaryWriter(small_disk / "run", interval=0, max_items=5000)
    pushed = 0
    while writer.stats().dropped < 5000:
        for _ in range(500):
            writer.add_scalar("loss", pushed / 3, pushed)
            pushed += 1
        (path,) = event_files(small_disk / "run")
        split(path.read_bytes(), torn_end=True)
    with pytest.raises(LoggingError, match="No space left"):
        writer.flush()
    full = writer.stats()
    assert full.write_errors > 0
    (path,) = event_files(small_disk / "run")
    assert len(split(path.read_bytes())) == full.written + 1, "whole, without a torn end"

    ballast.unlink()
    with pytest.raises(LoggingError, match="not logged"):
        writer.flush()
    writer.add_scalar("after", 1.0, 1)
    assert writer.close()
    stats = writer.stats()
    found = scalars(small_disk / "run")
    assert stats.pushed == pushed + 1 == stats.written + stats.dropped
    assert stats.dropped == full.dropped
    assert len(found["loss"]) == stats.written - 1
    assert [point.step for point in found["loss"]] == sorted(point.step for point in found["loss"])
    assert found["after"] == [(1, 1.0)]

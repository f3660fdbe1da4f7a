"""One event file: a name of its own, whole records whatever happens, and what becomes of a lost file."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync.files import event_file
from tbasync.files.event_file import EventFile, FileVanishedError
from tbasync.wire.record import record

from ..support.plain_reader import event_files, split

RECORDS = [record(b"x" * size) for size in (5, 100, 1000)]


def payloads(file: EventFile) -> list[bytes]:
    """What the file holds after its first record."""
    return split(Path(file.path).read_bytes())[1:]


class Disk:
    """`os.write` and `os.ftruncate` of a disk on which things go wrong."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None  # bytes that fit, or None for no end
        self.at_once: int | None = None  # bytes that one write takes
        self.error = errno.ENOSPC
        self.can_cut = True
        self._write, self._cut = os.write, os.ftruncate
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "ftruncate", self.cut)

    def write(self, handle: int, data: Any) -> int:
        data = memoryview(data)[: self.at_once]
        if self.room is not None:
            if not self.room:
                raise OSError(self.error, os.strerror(self.error))
            data = data[: self.room]
            self.room -= len(data)
        return self._write(handle, data)

    def cut(self, handle: int, size: int) -> None:
        if not self.can_cut:
            raise OSError(errno.EIO, "cannot cut")
        self._cut(handle, size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that works until a test says otherwise."""
    return Disk(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[EventFile]:
    """A new event file."""
    made = EventFile(str(tmp_path))
    yield made
    made.close()


# -- names -------------------------------------------------------------------------------------------------


def test_names_are_unique_across_threads(tmp_path: Path) -> None:
    """Two hundred files of one directory in one second, by eight threads."""
    start = threading.Barrier(8)

    def create() -> None:
        start.wait()
        for _ in range(25):
            EventFile(str(tmp_path)).close()

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(event_files(tmp_path)) == 200


@pytest.mark.slow
def test_names_are_unique_across_processes(tmp_path: Path) -> None:
    """Processes that start together, each with its counter at zero."""
    program = (
        "import sys; from tbasync.files.event_file import EventFile as F; [F(sys.argv[1]) for _ in range(20)]"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=os.getcwd()) for _ in range(4)
    ]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(event_files(tmp_path)) == 80


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same second, host, process number and counter, as in two containers: the next number is taken."""
    monkeypatch.setattr(event_file, "_counter", iter([7, 7, 8]))
    monkeypatch.setattr(time, "time", lambda: 1.6e9)
    first = EventFile(str(tmp_path))
    before = Path(first.path).read_bytes()
    second = EventFile(str(tmp_path))
    assert (first.path[-4:], second.path[-4:]) == ("0007", "0008")
    assert Path(first.path).read_bytes() == before
    first.close()
    second.close()


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when the file is created, and not when it is opened again."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(event_file, "_counter", iter([1, 1, 2, 3]))
    monkeypatch.setattr(time, "time", lambda: 1.6e9)
    first = EventFile(str(tmp_path / "elsewhere"))
    first.close()
    name = os.path.basename(first.path)
    run = tmp_path / "run"
    run.mkdir()
    (run / name).symlink_to(victim)
    file = EventFile(str(run))
    assert file.path.endswith("0002")
    file.close()
    os.unlink(file.path)
    os.symlink(victim, file.path)
    with pytest.raises(FileVanishedError):
        file.append(RECORDS[0])
    assert victim.read_bytes() == b"precious"


def test_names_sort_in_the_order_of_their_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard reads files by name: those behind the 10,000th, and while the clock is set back, too."""
    made = [EventFile(str(tmp_path)) for _ in range(3)]
    monkeypatch.setattr(event_file, "_counter", itertools.count(9_990))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    made += [EventFile(str(tmp_path)) for _ in range(20)]
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    made += [EventFile(str(tmp_path)) for _ in range(3)]
    assert [file.path for file in made] == sorted(file.path for file in made)
    for file in made:
        file.close()


# -- records -----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 60), max_size=8), st.integers(1, 40))
def test_short_writes_are_continued(tmp_path_factory: Any, sizes: list[int], at_once: int) -> None:
    """A system that takes a few bytes at a time gets all of them, once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        Disk(monkeypatch).at_once = at_once
        file = EventFile(str(tmp_path_factory.mktemp("run")))
        for size in sizes:
            file.append(record(b"y" * size))
        assert list(map(len, payloads(file))) == sizes
        file.close()


@pytest.mark.parametrize("room", [0, 1, 8, 12, 13, 50, 115])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.ESTALE, errno.EROFS])
def test_a_failed_write_leaves_whole_records(disk: Disk, file: EventFile, room: int, number: int) -> None:
    """Wherever the disk fills up, the torn end is cut, and the next append goes on from the last whole record."""
    file.append(RECORDS[0])
    disk.room, disk.error = room, number
    for _ in range(3):
        with pytest.raises(OSError, match=os.strerror(number)):
            file.append(RECORDS[1])
        assert payloads(file) == [b"x" * 5]
        disk.room = room
    disk.room = None
    file.append(RECORDS[2])
    assert payloads(file) == [b"x" * 5, b"x" * 1000]
    assert file.size == os.path.getsize(file.path)


def test_a_torn_end_that_cannot_be_cut_is_cut_later(disk: Disk, file: EventFile) -> None:
    """Nothing is appended behind it before that."""
    disk.room, disk.can_cut = 20, False
    with pytest.raises(OSError, match="No space"):
        file.append(RECORDS[1])
    assert os.path.getsize(file.path) == file.size + 20
    disk.room = None
    with pytest.raises(OSError, match="cannot cut"):
        file.append(RECORDS[2])
    disk.can_cut = True
    file.append(RECORDS[2])
    assert payloads(file) == [b"x" * 1000]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupted_write_leaves_whole_records(
    monkeypatch: pytest.MonkeyPatch, file: EventFile, interrupt: type[BaseException]
) -> None:
    """Ctrl-C between two writes of one append, where the main thread writes at exit."""
    write = os.write

    def interrupted(handle: int, data: Any) -> int:
        monkeypatch.setattr(os, "write", second)
        return write(handle, memoryview(data)[:30])

    def second(handle: int, data: Any) -> int:
        raise interrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(interrupt):
        file.append(RECORDS[1])
    monkeypatch.setattr(os, "write", write)
    file.append(RECORDS[2])
    assert payloads(file) == [b"x" * 1000]


def test_a_system_that_writes_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, file: EventFile) -> None:
    """A write of 0 bytes again and again would be an endless loop."""
    monkeypatch.setattr(os, "write", lambda handle, data: 0)
    with pytest.raises(OSError, match="nothing could be written"):
        file.append(RECORDS[0])


def test_a_file_that_somebody_emptied_is_not_filled_with_zeros(disk: Disk, file: EventFile) -> None:
    """Cutting never makes a file longer."""
    file.append(RECORDS[2])
    os.truncate(file.path, 0)
    disk.room = 10
    with pytest.raises(OSError, match="No space"):
        file.append(RECORDS[0])
    disk.room = None
    assert os.path.getsize(file.path) == 10  # what the failed write has left is shorter than the file was
    file.append(RECORDS[1])
    assert b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" not in Path(file.path).read_bytes()


def test_the_constructor_leaves_nothing_when_it_fails(disk: Disk, tmp_path: Path) -> None:
    """Neither an empty file nor an open handle."""
    handles = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    disk.room = 5
    with pytest.raises(OSError, match="No space"):
        EventFile(str(tmp_path))
    assert not event_files(tmp_path)
    if handles:
        assert len(os.listdir("/proc/self/fd")) == handles


# -- handles -----------------------------------------------------------------------------------------------


def test_closed_and_opened_again(file: EventFile) -> None:
    """The next append goes to the end of the same file."""
    for round in range(3):
        file.append(RECORDS[0])
        file.close()
        file.close()
        assert len(payloads(file)) == round + 1


@pytest.mark.parametrize("remove", [os.unlink, lambda path: os.rename(path, path + ".moved")])
def test_a_file_that_is_gone_is_noticed(file: EventFile, remove: Callable[[str], None]) -> None:
    """With its handle closed at any rate; with an open one, if it has no name left."""
    file.append(RECORDS[0])
    file.close()
    remove(file.path)
    with pytest.raises(FileVanishedError, match="was removed"):
        file.append(RECORDS[0])


def test_a_file_that_is_removed_while_open_is_noticed(file: EventFile) -> None:
    """What is written into a file without a name would be lost without a word."""
    file.append(RECORDS[0])
    os.unlink(file.path)
    with pytest.raises(FileVanishedError, match="was removed"):
        file.append(RECORDS[0])


def test_a_file_system_that_counts_no_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where every file has 0 links that means nothing."""
    real = os.fstat

    def fstat(handle: int) -> Any:
        status = list(real(handle))
        status[3] = 0
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", fstat)
    file = EventFile(str(tmp_path))
    file.append(RECORDS[0])
    assert len(payloads(file)) == 1
    file.close()


def test_a_handle_that_somebody_closed_is_replaced(file: EventFile) -> None:
    """Programs that turn into daemons close every handle they find."""
    file.append(RECORDS[0])
    assert file._handle is not None
    os.close(file._handle)
    file.append(RECORDS[1])
    assert len(payloads(file)) == 2


def test_a_handle_whose_number_is_another_files_by_now_is_not_written_to(
    file: EventFile, tmp_path: Path
) -> None:
    """Nor closed: it belongs to somebody else."""
    other = tmp_path / "other"
    stolen = file._handle
    assert stolen is not None
    os.close(stolen)
    opened = os.open(other, os.O_WRONLY | os.O_CREAT)
    os.dup2(opened, stolen)
    file.append(RECORDS[0])
    file.close()
    os.write(stolen, b"mine")
    assert other.read_bytes() == b"mine"
    assert payloads(file) == [b"x" * 5]
    os.close(stolen)
    if opened != stolen:
        os.close(opened)


def test_handles_are_not_inherited_by_programs(file: EventFile) -> None:
    """A program that is executed gets no event file."""
    assert file._handle is not None
    assert not os.get_inheritable(file._handle)


# -- the disk ----------------------------------------------------------------------------------------------


def test_fsync_when_there_is_something_to_sync(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file once for each change, its directory once for its name."""
    calls: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        calls.append("directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")

    monkeypatch.setattr(os, "fsync", fsync)
    file = EventFile(str(tmp_path))
    file.fsync()
    file.fsync()
    file.append(RECORDS[0])
    file.close()
    file.fsync()
    file.close()
    assert calls in (["file", "directory", "file"], ["file", "file", "file"])


def test_an_fsync_that_fails_is_not_forgotten(monkeypatch: pytest.MonkeyPatch, file: EventFile) -> None:
    """The next one tries again."""

    def fail(handle: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="I/O error"):
            file.fsync()
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    file.fsync()
    assert calls


def test_an_error_of_close_is_raised_and_the_handle_closed(
    monkeypatch: pytest.MonkeyPatch, file: EventFile
) -> None:
    """Network file systems find out only then that they could not write."""
    close = os.close

    def fail(handle: int) -> None:
        close(handle)
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as broken:
        broken.setattr(os, "close", fail)
        with pytest.raises(OSError, match="quota"):
            file.close()
    file.close()

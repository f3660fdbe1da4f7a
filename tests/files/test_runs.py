"""The files of one writer: sub-runs within a bound of handles, lost files replaced, nothing outside."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from tbasync.files import runs as runs_module
from tbasync.files.paths import sub_run
from tbasync.files.runs import RunFiles
from tbasync.wire.record import record

from ..support.plain_reader import event_files, split

RECORD = record(b"data")


def count(directory: Path) -> int:
    """Records in a directory's files, without the opening ones."""
    return sum(len(split(path.read_bytes())) - 1 for path in event_files(directory))


def open_event_files() -> int:
    """How many event files this process holds open."""
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return sum("tfevents" in os.path.realpath(link) for link in links)


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")


@needs_proc
def test_handles_are_bounded(tmp_path: Path) -> None:
    """A hundred sub-runs, written in turn: one file each, and few of them open."""
    before = open_event_files()
    files = RunFiles(str(tmp_path))
    files.open_main()
    for _ in range(3):
        files.append(None, RECORD)
        for k in range(100):
            files.append(str(tmp_path / f"run {k}"), RECORD)
        assert open_event_files() - before <= runs_module._MOST_HANDLES
    files.fsync()
    assert open_event_files() - before <= runs_module._MOST_HANDLES
    files.close()
    assert open_event_files() == before
    assert count(tmp_path) == 3
    for k in range(100):
        assert len(event_files(tmp_path / f"run {k}")) == 1
        assert count(tmp_path / f"run {k}") == 3


def test_an_ended_run_goes_on_in_its_file(tmp_path: Path) -> None:
    """Ending closes the handle; more records open it again."""
    files = RunFiles(str(tmp_path))
    run = str(tmp_path / "sub")
    files.append(run, RECORD)
    files.end(run)
    files.end(run)
    files.append(run, RECORD)
    files.close()
    assert len(event_files(run)) == 1
    assert count(tmp_path / "sub") == 2


@pytest.mark.parametrize("run", ["", "sub"])
def test_a_removed_directory_is_made_again(tmp_path: Path, run: str) -> None:
    """Whether its file is open or not; what is written from then on is in a new file."""
    root = tmp_path / "root"
    files = RunFiles(str(root))
    name = str(root / run) if run else None
    files.append(name, RECORD)
    shutil.rmtree(root)
    files.append(name, RECORD)
    assert count(root / run) == 1
    assert len(files.take_vanished()) == 1
    if run:
        files.end(str(root / run))
    shutil.rmtree(root)
    files.append(name, RECORD)
    assert count(root / run) == 1
    assert len(files.take_vanished()) == 1
    assert not files.take_vanished()
    files.close()


def test_fsync_of_a_removed_file_is_no_error(tmp_path: Path) -> None:
    """There is nothing left to be lost; the other files are synced."""
    files = RunFiles(str(tmp_path / "root"))
    files.append(None, RECORD)
    files.append(str(tmp_path / "root" / "sub"), RECORD)
    files.end(str(tmp_path / "root" / "sub"))
    shutil.rmtree(tmp_path / "root" / "sub")
    files.fsync()
    assert len(files.take_vanished()) == 1
    files.close()


@needs_proc
def test_fsync_leaves_ended_runs_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens what has to be synced and closes it again, if it fails too; what is synced already is not touched."""
    before = open_event_files()
    files = RunFiles(str(tmp_path))
    files.append(None, RECORD)
    for k in range(5):
        files.append(str(tmp_path / str(k)), RECORD)
        files.end(str(tmp_path / str(k)))
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", lambda handle: os.fstat(-1))
        with pytest.raises(OSError, match="Bad file descriptor"):
            files.fsync()
        assert open_event_files() - before == 1
    files.fsync()
    files.fsync()
    assert open_event_files() - before == 1
    files.close()


def test_fsync_goes_on_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad disk does not keep the other runs from theirs."""
    files = RunFiles(str(tmp_path))
    for k in range(3):
        files.append(str(tmp_path / str(k)), RECORD)
    seen: list[int] = []

    def fsync(handle: int) -> None:
        seen.append(handle)
        if len(seen) == 1:
            raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr("tbasync.files.event_file._fsync_directory", lambda directory: None)
    with pytest.raises(OSError, match="I/O error"):
        files.fsync()
    assert len(seen) == 3
    files.close()


def test_errors_of_close_are_kept_for_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stop neither another run's append nor the other files' closing."""
    monkeypatch.setattr(runs_module, "_MOST_HANDLES", 1)
    close = os.close

    def fail(handle: int) -> None:
        close(handle)
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    files = RunFiles(str(tmp_path))
    files.append(None, RECORD)
    with monkeypatch.context() as broken:
        broken.setattr(os, "close", fail)
        files.append(str(tmp_path / "sub"), RECORD)
        files.close()
    error = files.take_close_error()
    assert error is not None
    assert error.errno == errno.EDQUOT
    assert files.take_close_error() is None
    assert count(tmp_path / "sub") == 1


def test_a_link_planted_in_the_run_is_not_followed(tmp_path: Path) -> None:
    """A sub-run's directory that leads elsewhere is an error of that run; what is elsewhere stays as it is."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = tmp_path / "root"
    files = RunFiles(str(root))
    files.append(None, RECORD)
    (root / "sub").symlink_to(elsewhere)
    with pytest.raises(OSError, match="leads out of the run's directory"):
        files.append(str(root / "sub"), RECORD)
    with pytest.raises(OSError, match="leads out of the run's directory"):
        files.write_beside(str(root / "sub"), "x", b"x")
    with pytest.raises(ValueError, match="leads out"):
        files.write_beside(None, "sub/x", b"x")
    assert not list(elsewhere.iterdir())
    files.close()


def test_a_log_dir_that_is_a_link_is_the_users_choice(tmp_path: Path) -> None:
    """It is followed once, at the start: pointing the link elsewhere later moves nothing."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    link = tmp_path / "link"
    link.symlink_to(first)
    files = RunFiles(str(link))
    files.append(None, RECORD)
    files.append(str(link / "sub"), RECORD)
    link.unlink()
    link.symlink_to(second)
    files.close()
    files.append(None, RECORD)
    files.close()
    assert count(first) == 2
    assert count(first / "sub") == 1
    assert not list(second.iterdir())


def test_a_link_planted_in_place_of_the_run_is_not_followed(tmp_path: Path) -> None:
    """A removed directory is made again, but not through a link that somebody has put there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = tmp_path / "root"
    files = RunFiles(str(root))
    files.append(None, RECORD)
    shutil.rmtree(root)
    root.symlink_to(elsewhere)
    for _ in range(2):
        with pytest.raises(OSError, match="leads out of the run's directory"):
            files.append(None, RECORD)
    assert not list(elsewhere.iterdir())
    root.unlink()
    files.append(None, RECORD)
    assert count(root) == 1
    files.close()


# -- files beside the event files --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", ".", "a/.."])
def test_files_beside_stay_inside(tmp_path: Path, path: str) -> None:
    """Whatever a tag or a name makes of their path."""
    files = RunFiles(str(tmp_path / "root"))
    with pytest.raises(ValueError, match="leads out"):
        files.write_beside(None, path, b"x")
    assert not (tmp_path / "x").exists()


def test_files_beside_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed write leaves the file of before, and nothing unfinished."""
    files = RunFiles(str(tmp_path))
    files.write_beside(None, "a/b.tsv", b"one")
    assert (tmp_path / "a" / "b.tsv").read_bytes() == b"one"

    def fail(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="No space"):
            files.write_beside(None, "a/b.tsv", b"two")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.tsv"]
    assert (tmp_path / "a" / "b.tsv").read_bytes() == b"one"
    files.write_beside(None, "a/b.tsv", b"two")
    assert (tmp_path / "a" / "b.tsv").read_bytes() == b"two"


def test_two_writers_of_one_file_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes in while another one is writing does not touch what is unfinished: each writes it whole."""
    first, second = RunFiles(str(tmp_path)), RunFiles(str(tmp_path))
    real = os.replace

    def replace(source: str, target: str) -> None:
        monkeypatch.setattr(os, "replace", real)
        second.write_beside(None, "x", b"second")
        assert (tmp_path / "x").read_bytes() == b"second"
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    first.write_beside(None, "x", b"first")
    assert (tmp_path / "x").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_files_beside_are_read_back(tmp_path: Path) -> None:
    """With a version that changes whenever the file is written, even with the same content; others raise."""
    files = RunFiles(str(tmp_path / "root"))
    assert files.read_beside(None, "a/x") == (b"", None)
    versions = set()
    for content in (b"one", b"one", b"", b"one"):
        files.write_beside(None, "a/x", content)
        found, version = files.read_beside(None, "a/x")
        assert found == content
        versions.add(version)
    assert len(versions) == 4
    with pytest.raises(ValueError, match="leads out"):
        files.read_beside(None, "../x")
    with pytest.raises(OSError, match="directory"):
        files.read_beside(None, "a")


def test_an_unfinished_file_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    """Somebody who can guess its name gains nothing."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    root = tmp_path / "root"
    root.mkdir()
    files = RunFiles(str(root))
    (root / f"x.{os.getpid()}.{files._number}.unfinished").symlink_to(victim)
    files.write_beside(None, "x", b"data")
    assert victim.read_bytes() == b"precious"
    assert (root / "x").read_bytes() == b"data"


# -- names of sub-runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../..", "/x", "a/..", "x\0y", "\ud800", "./"])
def test_sub_runs_cannot_leave_their_parent(name: str) -> None:
    """ValueError, at the call."""
    with pytest.raises(ValueError, match="cannot name a run"):
        sub_run("/log", name)


@pytest.mark.parametrize("name", ["a", "a/b", "..a", "a..", "a b", "ü", ".hidden", "a/../b", "\udc80"])
def test_sub_runs_below_their_parent(name: str) -> None:
    """Anything that is a directory below it."""
    assert sub_run("/log", name) == f"/log/{name}"


def test_relative_runs_are_anchored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process goes later does not matter."""
    monkeypatch.chdir(tmp_path)
    files = RunFiles("root", anchor=os.getcwd())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    files.append(None, RECORD)
    files.append("root/sub", RECORD)
    files.write_beside("root/sub", "x", b"x")
    files.close()
    assert count(tmp_path / "root") == count(tmp_path / "root" / "sub") == 1
    assert (tmp_path / "root" / "sub" / "x").exists()
    assert not list((tmp_path / "elsewhere").iterdir())

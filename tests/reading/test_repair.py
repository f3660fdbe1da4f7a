"""`repair`: what it keeps, and that the original is never at risk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.files import records
from tbasync.files import repair as module
from tbasync.files.check import check_file
from tbasync.files.repair import RepairError, repair
from tbasync.wire.message import delimited

from .event_bytes import event, header, record, scalar, version
from .rule import intact

GOOD = record(version()) + b"".join(record(scalar("loss", step / 3, step)) for step in range(1, 9))
NAME = "events.out.tfevents.1700000000.host"
BACKUP = "events.out.damaged.1700000000.host.bak"


def write(directory: Path, data: bytes) -> Path:
    """An event file of these bytes."""
    path = directory / NAME
    path.write_bytes(data)
    return path


def names(directory: Path) -> list[str]:
    """What is in the directory."""
    return sorted(os.listdir(directory))


def test_a_good_file_is_left_alone(tmp_path: Path) -> None:
    """A file without errors is not touched, not even replaced by its like."""
    path = write(tmp_path, GOOD)
    before = path.stat()
    done = repair(path)
    assert (done.written, done.backup, done.dropped) == (None, None, 0)
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    )
    assert names(tmp_path) == [NAME]


def test_damage_is_cut_out(tmp_path: Path) -> None:
    """Whole records before, between and behind damage are kept in order; the original is kept beside."""
    data = b"junk" + GOOD + header(1 << 40) + GOOD + record(b"\x16") + GOOD + GOOD[:50]
    path = write(tmp_path, data)
    done = repair(path)
    assert path.read_bytes() == b"".join(intact(data))
    assert done.written == path
    assert done.backup == tmp_path / BACKUP
    assert done.backup.read_bytes() == data
    assert done.dropped == len(data) - path.stat().st_size
    assert names(tmp_path) == sorted([NAME, BACKUP])
    assert check_file(path).ok


@pytest.mark.parametrize("cut", range(1, len(record(scalar("loss", 0.5, 7)))))
def test_a_tail_torn_at_any_byte_is_cut(tmp_path: Path, cut: int) -> None:
    """Of two records, the second torn at each byte, the first is left; with a third behind, that too."""
    torn = record(scalar("loss", 0.5, 7))[:cut]
    path = write(tmp_path, record(version()) + torn)
    repair(path)
    assert path.read_bytes() == record(version())
    path.write_bytes(record(version()) + torn + GOOD)
    repair(path)
    assert path.read_bytes() == record(version()) + GOOD


pieces = st.one_of(
    st.builds(lambda n: record(scalar("loss", 0.5, n)), st.integers(0, 3000)),
    st.builds(lambda body: record(event(1, 1.0, delimited(4, body))), st.binary(max_size=200)),
    st.builds(record, st.binary(max_size=30)),
    st.binary(max_size=40),
    st.builds(header, st.integers(0, 1 << 40)),
)


@given(
    st.lists(pieces, max_size=15),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=3),
    st.sampled_from([40, 200, 1 << 20]),
)
@settings(max_examples=60, deadline=None)
def test_repaired_is_clean_and_complete(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], flips: list[tuple[int, int]], window: int
) -> None:
    """A repaired file verifies clean and is exactly the intact records of the damaged one, in order."""
    data = bytearray(b"".join(parts))
    for at, change in flips:
        if data:
            data[at % len(data)] ^= change
    path = write(tmp_path_factory.mktemp("repair"), data)
    whole = intact(bytes(data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "WINDOW", window)
        if data and not whole:
            with pytest.raises(RepairError, match="no whole event"):
                repair(path)
            assert path.read_bytes() == data
            return
        done = repair(path)
        assert check_file(path).ok
    assert path.read_bytes() == b"".join(whole)
    assert done.backup is None or done.backup.read_bytes() == data


def test_output(tmp_path: Path) -> None:
    """With an output, the original stays; the output must be new, and is written also when all is well."""
    for data in (GOOD + b"junk", GOOD):
        path = write(tmp_path, data)
        out = tmp_path / f"out-{len(data)}"
        done = repair(path, out)
        assert (done.written, done.backup) == (out, None)
        assert (path.read_bytes(), out.read_bytes()) == (data, GOOD)
        with pytest.raises(FileExistsError):
            repair(path, out)
        assert out.read_bytes() == GOOD
    assert len(names(tmp_path)) == 3
    with pytest.raises(FileNotFoundError):
        repair(path, tmp_path / "missing" / "out")


def test_backups_never_overwrite(tmp_path: Path) -> None:
    """A second repair keeps a second backup; neither is a file that TensorBoard would read."""
    for junk in (b"one", b"two", b"six"):
        repair(write(tmp_path, GOOD + junk))
    backups = [name for name in names(tmp_path) if name != NAME]
    assert backups == [BACKUP, f"{BACKUP}.1", f"{BACKUP}.2"]
    assert [(tmp_path / name).read_bytes()[-3:] for name in backups] == [b"one", b"two", b"six"]
    assert not any("tfevents" in name for name in backups)


def test_the_new_file_is_like_the_old(tmp_path: Path) -> None:
    """Permissions and times are kept."""
    path = write(tmp_path, GOOD + b"junk")
    path.chmod(0o640)
    os.utime(path, ns=(1_600_000_000_123_456_000, 1_600_000_001_654_321_000))
    repair(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_mtime_ns == 1_600_000_001_654_321_000


def test_refusals(tmp_path: Path) -> None:
    """What is no event file, not there, or a directory is refused with the reason, and left as it is."""
    path = write(tmp_path, b"PNG is no event file" * 20)
    with pytest.raises(RepairError, match="is it an event file"):
        repair(path)
    assert path.read_bytes() == b"PNG is no event file" * 20
    for wrong in (tmp_path / "missing", tmp_path):
        with pytest.raises(RepairError, match="cannot be read"):
            repair(wrong)
    assert names(tmp_path) == [NAME]


ORDER = ["fsync", "link", "fsync", "replace", "fsync"]


def test_nothing_is_replaced_before_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is synced before the old one's second name, that before the rename, and the rename too."""
    calls = list[str]()

    def note(name: str) -> None:
        real = getattr(os, name)
        monkeypatch.setattr(module.os, name, lambda *given: (calls.append(name), real(*given))[1])

    for name in ("fsync", "link", "replace"):
        note(name)
    repair(write(tmp_path, GOOD + b"junk"))
    assert calls == ORDER


@pytest.mark.parametrize("failing", range(len(ORDER) - 1))
def test_a_failure_at_any_moment_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Whatever call fails, the file is as it was, and nothing but a backup is left beside it."""
    calls = list[str]()

    def fail(name: str) -> None:
        real = getattr(os, name)

        def call(*given: object) -> object:
            calls.append(name)
            if len(calls) == failing + 1:
                raise OSError(28, "No space left on device")
            return real(*given)

        monkeypatch.setattr(module.os, name, call)

    for name in ("fsync", "link", "replace"):
        fail(name)
    path = write(tmp_path, GOOD + b"junk")
    if ORDER[failing] == "link":  # a file system without hard links: the backup is a copy
        assert repair(path).backup == tmp_path / BACKUP
        assert path.read_bytes() == GOOD
    else:
        with pytest.raises(OSError, match="No space left"):
            repair(path)
        assert path.read_bytes() == GOOD + b"junk"
    assert set(names(tmp_path)) <= {NAME, BACKUP}
    if BACKUP in names(tmp_path):
        assert (tmp_path / BACKUP).read_bytes() == GOOD + b"junk"


def test_output_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hard links do not exist, an output is still never written over."""

    def refuse(*given: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(module.os, "link", refuse)
    path = write(tmp_path, GOOD + b"junk")
    repair(path, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == GOOD
    with pytest.raises(FileExistsError):
        repair(path, tmp_path / "out")
    for _ in range(2):
        path.write_bytes(GOOD + b"junk")
        repair(path)
    assert names(tmp_path) == sorted([NAME, BACKUP, f"{BACKUP}.1", "out"])


def test_a_backup_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the backup must be a copy and the disk is full, nothing is changed and no half of one is left."""

    def refuse(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "link", refuse)
    monkeypatch.setattr(module.shutil, "copyfileobj", refuse)
    path = write(tmp_path, GOOD + b"junk")
    with pytest.raises(OSError, match="No space left"):
        repair(path)
    assert path.read_bytes() == GOOD + b"junk"
    assert names(tmp_path) == [NAME]


@pytest.mark.parametrize("moment", ["while it is copied", "after it is copied"])
def test_a_live_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """A file that grows while it is repaired is left alone, with what was appended."""
    path = write(tmp_path, GOOD + b"junk")
    name = "_write" if moment == "while it is copied" else "_refuse_if_changed"
    real = getattr(module, name)

    def grow(*given: object) -> object:
        with open(path, "ab") as file:
            file.write(GOOD)
        return real(*given)

    monkeypatch.setattr(module, name, grow)
    with pytest.raises(RepairError, match="stop"):
        repair(path)
    assert path.read_bytes() == GOOD + b"junk" + GOOD
    assert names(tmp_path) == [NAME]


def test_a_file_cut_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that becomes shorter within a large record while it is copied is left as it then is."""
    large = record(event(1, 1.0, delimited(4, bytes(3 * records.WINDOW))))
    path = write(tmp_path, GOOD + large + b"junk")
    real = module.flaw_of

    def cut(*given: object) -> object:
        found = real(*given)
        os.truncate(path, len(GOOD) + records.WINDOW)
        return found

    monkeypatch.setattr(module, "flaw_of", cut)
    with pytest.raises(RepairError, match="cut short while"):
        repair(path)
    assert names(tmp_path) == [NAME]


def test_links_are_followed_to_the_file(tmp_path: Path) -> None:
    """Of a symbolic link, the file behind it is repaired and backed up there; the link stays one."""
    (tmp_path / "there").mkdir()
    path = write(tmp_path / "there", GOOD + b"junk")
    link = tmp_path / NAME
    link.symlink_to(path)
    repair(link)
    assert link.is_symlink()
    assert path.read_bytes() == GOOD
    assert names(tmp_path) == sorted([NAME, "there"])
    assert names(tmp_path / "there") == sorted([NAME, BACKUP])


def test_progress_adds_up(tmp_path: Path) -> None:
    """Progress is told of three passes: the check, the copy, and the check of the copy."""
    told = list[int]()
    path = write(tmp_path, GOOD + b"junk")
    repair(path, progress=told.append)
    assert sum(told) == len(GOOD) + 4 + 2 * len(GOOD)

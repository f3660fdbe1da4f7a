"""`check_file`: what it finds, and that what it passes is what TensorBoard reads."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.files import check as module
from tbasync.files import records
from tbasync.files.check import FileReport, check_file
from tbasync.wire.message import delimited

from .event_bytes import event, header, plugin, record, scalar, value, version
from .rule import intact

GOOD = record(version()) + b"".join(record(scalar("loss", step / 3, step)) for step in range(1, 40))


def checked(directory: Path, data: bytes) -> FileReport:
    """The report on a file of these bytes."""
    path = directory / "events.out.tfevents.1"
    path.write_bytes(data)
    return check_file(path)


def kinds(report: FileReport) -> list[str]:
    """The kinds of the findings, in order."""
    return [finding.kind for finding in report.findings]


def test_a_good_file(tmp_path: Path) -> None:
    """A file without fault has all its records and nothing found."""
    report = checked(tmp_path, GOOD)
    assert (report.records, report.size, report.whole, report.findings) == (40, len(GOOD), len(GOOD), ())
    assert report.ok


FINDINGS = [
    ("torn", GOOD + GOOD[:20], "torn", len(GOOD), 20, "cut short"),
    ("payload", GOOD[:-10] + b"\xff" + GOOD[-9:], "data-crc", None, None, "does not match"),
    ("junk in front", b"junk" + GOOD, "length-crc", 0, 4, "length does not match"),
    ("no event", GOOD + record(b"\x16\x01"), "protobuf", len(GOOD), 18, "wire type 6"),
    (
        "a tag that is no text",
        GOOD + record(b"\x2a\x05\x0a\x03\x0a\x01\xff"),
        "protobuf",
        len(GOOD),
        23,
        "UTF-8",
    ),
    ("a gigabyte's claim", GOOD + header(1 << 30), "torn", len(GOOD), 12, "1073741824 bytes is cut short"),
    ("a claim of 2**63", GOOD + header(1 << 63), "torn", len(GOOD), 12, "cut short"),
    ("deep nesting", GOOD + record(b"\xa3\x06" * 5000), "protobuf", len(GOOD), 10_016, "100 deep"),
]


@pytest.mark.parametrize(
    ("name", "data", "kind", "offset", "length", "message"), FINDINGS, ids=[row[0] for row in FINDINGS]
)
def test_errors(
    tmp_path: Path, name: str, data: bytes, kind: str, offset: int | None, length: int | None, message: str
) -> None:
    """Each kind of damage is found once, with its place, its length and a cause that a person understands."""
    report = checked(tmp_path, data)
    (finding,) = (finding for finding in report.findings if finding.is_error)
    assert finding.kind == kind
    assert message in finding.message
    assert offset is None or (finding.offset, finding.length) == (offset, length)
    assert not report.ok


def test_unreadable_files_are_findings(tmp_path: Path) -> None:
    """What cannot be opened gives a report that says why."""
    for path in (tmp_path, tmp_path / "missing"):
        report = check_file(path)
        assert kinds(report) == ["unreadable"]
        assert not report.ok


def test_an_empty_file_is_noted(tmp_path: Path) -> None:
    """A file without a byte is in order, and a note says that it is empty."""
    report = checked(tmp_path, b"")
    assert report.ok
    assert kinds(report) == ["empty"]


def test_a_missing_file_version_is_noted(tmp_path: Path) -> None:
    """A file that does not begin with its version is in order, with a note."""
    for data in (record(scalar("a", 1.0, 1)), record(b"")):
        report = checked(tmp_path, data)
        assert report.ok
        assert kinds(report) == ["no-file-version"]


STEPS = [
    ("rising", [("a", 1), ("b", 1), ("a", 2), ("b", 5)], []),
    ("tags apart", [("a", 100), ("b", 1), ("a", 101), ("b", 2)], []),
    ("the same step twice", [("a", 5), ("a", 5)], []),
    ("back", [("a", 5), ("b", 9), ("a", 4)], ["the step of 'a' goes back from 5 to 4"]),
    ("back to below 0", [("a", 0), ("a", -1)], ["the step of 'a' goes back from 0 to -1"]),
    (
        "back and on",
        [("a", 3), ("a", 1), ("a", 2), ("b", 2), ("b", 1)],
        ["the step of 'a' goes back from 3 to 1", "the step of 'b' goes back from 2 to 1"],
    ),
]


@pytest.mark.parametrize(("name", "steps", "messages"), STEPS, ids=[row[0] for row in STEPS])
@pytest.mark.parametrize("window", [64, 1 << 20])
@pytest.mark.parametrize("times", [1, 20])
def test_step_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    steps: list[tuple[str, int]],
    messages: list[str],
    window: int,
    times: int,
) -> None:
    """A step below the tag's last is noted with its tag, in one window or several, by column or singly."""
    monkeypatch.setattr(records, "WINDOW", window)
    warm = [("warm", number) for number in range(-5 * times, -5)]
    data = b"".join(record(scalar(tag, 0.5, step)) for tag, step in warm + steps)
    report = checked(tmp_path, record(version()) + data)
    assert report.ok
    assert [finding.message for finding in report.findings] == messages
    assert [finding.offset for finding in report.findings] == sorted(f.offset for f in report.findings)


def test_tags_are_escaped(tmp_path: Path) -> None:
    """A tag that would move a terminal's cursor is shown, not acted on; a long one is shortened."""
    nasty = "\x1b[2J\n" + "x" * 500
    data = record(version()) + record(scalar(nasty, 1.0, 2)) + record(scalar(nasty, 1.0, 1))
    (finding,) = checked(tmp_path, data).findings
    assert "'\\x1b[2J\\n" in finding.message
    assert finding.message.isprintable()
    assert len(finding.message) < 300


def test_many_findings_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of each kind, findings are counted and not kept."""
    monkeypatch.setattr(module, "MOST_ERRORS", 10)
    steps = b"".join(record(scalar("a", 1.0, step)) for step in range(200, 0, -1))
    report = checked(tmp_path, record(version()) + steps + (record(b"\x16") + b"junk") * 30 + GOOD)
    assert report.unlisted == {
        "protobuf": 20,
        "length-crc": 20,
        "step-backwards": 199 - module.MOST_NOTES,
    }
    assert len(report.findings) == 10 + 10 + module.MOST_NOTES


def test_masses_of_tags_are_bounded(tmp_path: Path) -> None:
    """A new tag in every record, some very long, costs bounded memory and no error."""
    long = "y" * 100_000
    tags = [f"{number}{long if number % 97 == 0 else ''}" for number in range(3000)]
    data = record(version()) + b"".join(record(scalar(tag, 1.0, 1)) for tag in tags)
    tracemalloc.start()
    report = checked(tmp_path, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.ok
    assert report.records == 3001
    assert peak < 24 * records.WINDOW


def test_progress_adds_up(tmp_path: Path) -> None:
    """What progress is told sums up to the file's size, damage and all."""
    path = tmp_path / "file"
    large = record(event(1, 1.0, delimited(4, bytes(records.WINDOW))))
    path.write_bytes(GOOD + b"junk" + large + b"junk" + GOOD + GOOD[:30])
    told = list[int]()
    report = check_file(path, told.append)
    assert sum(told) == report.size
    assert min(told) >= 0


def test_a_large_record_is_checked_too(tmp_path: Path) -> None:
    """A record longer than a window is an event, or is found to be none, without being held in memory."""
    size = 40 * records.WINDOW
    good = record(event(1, 1.0, delimited(4, bytes(size))))
    bad = record(event(1, 1.0, delimited(3, bytes(size) + b"\xff")))
    path = tmp_path / "file"
    path.write_bytes(GOOD + good + bad + GOOD)
    tracemalloc.start()
    report = check_file(path)
    assert tracemalloc.get_traced_memory()[1] < 24 * records.WINDOW
    tracemalloc.stop()
    assert report.records == 81
    assert [(f.kind, f.offset) for f in report.findings if f.is_error] == [("protobuf", len(GOOD + good))]


def test_nothing_is_ever_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that holds a pickle is read without pickle being asked for anything."""
    import pickle

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a pickle was read")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    bomb = b"cos\nsystem\n(S'true'\ntR."
    data = record(
        event(
            1,
            1.0,
            delimited(5, value("x", delimited(8, b"\x08\x07" + delimited(8, bomb)), plugin("p", bomb))),
        )
    )
    assert checked(tmp_path, GOOD + data).ok


events = st.one_of(
    st.builds(scalar, st.text(max_size=8), st.floats(width=32), st.integers(-5, 1000)),
    st.builds(
        lambda tag, body: event(
            1, 2.0, delimited(5, value(tag, delimited(4, b"\x22" + bytes([len(body)]) + body)))
        ),
        st.text(max_size=3),
        st.binary(max_size=40),
    ),
    st.just(version()),
    st.binary(max_size=8),
)


@given(
    st.lists(events, max_size=30), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=2)
)
@settings(max_examples=60, deadline=None)
def test_what_passes_is_what_tensorboard_reads(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], damage: list[tuple[int, int]]
) -> None:
    """TensorBoard's loader reads every record of a file that passes, and equal; and stops early otherwise."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    data = bytearray(b"".join(map(record, payloads)))
    for at, byte in damage:
        if data:
            data[at % len(data)] = byte
    path = tmp_path_factory.mktemp("run") / "events.out.tfevents.1"
    path.write_bytes(data)
    report = check_file(path)
    raw = list(loader.RawEventFileLoader(str(path)).Load())
    framed = [one[12:-4] for one in intact(bytes(data))]
    assert report.records == len(framed)
    if report.ok:
        assert raw == framed
        parsed = list(loader.LegacyEventFileLoader(str(path)).Load())
        assert len(parsed) == report.records
    else:
        assert (
            raw != framed
            or len(b"".join(map(record, raw))) < len(data)
            or any(f.kind == "protobuf" for f in report.findings)
        )


@pytest.mark.skipif(os.name == "nt", reason="needs a symbolic link")
def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    """A symbolic link to an event file is checked as that file; one to a device is refused."""
    (tmp_path / "real").write_bytes(GOOD)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert check_file(tmp_path / "link").records == 40
    assert kinds(check_file(tmp_path / "zero")) == ["unreadable"]

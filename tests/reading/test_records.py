"""Event files window by window: torn, damaged, hostile, and not files at all."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.files import records as module
from tbasync.files.records import Batch, Cause, Gap, Large, Records
from tbasync.wire.message import delimited

from .event_bytes import event, header, masked, record, scalar, version
from .rule import whole_records

FIRST, SECOND, THIRD = (record(one) for one in (version(), scalar("loss", 0.5, 7), scalar("acc", 1.0, 8)))


def write(directory: Path, data: bytes) -> Path:
    """An event file of these bytes."""
    path = directory / "events.out.tfevents.1"
    path.write_bytes(data)
    return path


def items(path: Path) -> tuple[list[tuple[int, int]], list[Gap]]:
    """(payload start, length) of each whole record in the file, and the gaps."""
    found, gaps = list[tuple[int, int]](), list[Gap]()
    with Records(path) as opened:
        for item in opened:
            if isinstance(item, Gap):
                gaps.append(item)
            elif isinstance(item, Large):
                found.append((item.start, item.length))
            else:
                starts = (item.starts + item.base).tolist()
                found += zip(starts, item.lengths.tolist(), strict=True)
    return found, gaps


TORN = [
    ("at a boundary", 0, None),
    ("a byte of the length", 1, "1 bytes are too few"),
    ("5 bytes of the length", 5, "5 bytes are too few"),
    ("the length alone", 8, "8 bytes are too few"),
    ("part of the length's CRC", 11, "11 bytes are too few"),
    ("a header alone", 12, "is cut short"),
    ("a byte of the payload", 13, "is cut short"),
    ("the payload without CRC", len(SECOND) - 4, "is cut short"),
    ("all but a byte", len(SECOND) - 1, "is cut short"),
]


@pytest.mark.parametrize(("name", "left", "detail"), TORN, ids=[row[0] for row in TORN])
def test_torn_tail(tmp_path: Path, name: str, left: int, detail: str | None) -> None:
    """A file cut within its last record holds the others, and one gap at its end that says so."""
    found, gaps = items(write(tmp_path, FIRST + SECOND[:left]))
    assert found == [(12, len(FIRST) - 16)]
    assert [(gap.start, gap.stop, gap.cause) for gap in gaps] == (
        [(len(FIRST), len(FIRST) + left, Cause.TORN)] if left else []
    )
    assert all(detail in gap.detail for gap in gaps if detail)


@pytest.mark.parametrize(("name", "left", "detail"), TORN[1:], ids=[row[0] for row in TORN[1:]])
def test_torn_in_the_middle(tmp_path: Path, name: str, left: int, detail: str) -> None:
    """What a crash tore and a new writer appended to loses the torn record only."""
    found, gaps = items(write(tmp_path, FIRST + SECOND[:left] + THIRD))
    assert [start for start, _ in found] == [12, len(FIRST) + left + 12]
    assert [(gap.start, gap.stop) for gap in gaps] == [(len(FIRST), len(FIRST) + left)]
    causes = {Cause.LENGTH_CRC} if left < 12 else {Cause.TORN, Cause.DATA_CRC}
    assert gaps[0].cause in causes


DAMAGE = [
    ("length", 0, Cause.LENGTH_CRC),
    ("length's CRC", 9, Cause.LENGTH_CRC),
    ("payload", 20, Cause.DATA_CRC),
    ("payload's CRC", len(SECOND) - 1, Cause.DATA_CRC),
]


@pytest.mark.parametrize(("name", "at", "cause"), DAMAGE, ids=[row[0] for row in DAMAGE])
@pytest.mark.parametrize("window", [48, 1 << 20])
def test_flipped_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, at: int, cause: Cause, window: int
) -> None:
    """A flipped bit costs its record, whether that fits a window or not, and says where it is."""
    monkeypatch.setattr(module, "WINDOW", window)
    wrong = bytearray(SECOND)
    wrong[at] ^= 4
    found, gaps = items(write(tmp_path, FIRST + wrong + THIRD))
    assert [start for start, _ in found] == [12, len(FIRST + SECOND) + 12]
    assert [(gap.start, gap.stop, gap.cause) for gap in gaps] == [(len(FIRST), len(FIRST + SECOND), cause)]


@given(
    st.lists(st.one_of(st.binary(max_size=300), st.just(scalar("a", 1.0, 1))), max_size=20),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=30)), max_size=3),
    st.integers(28, 400),
)
@settings(max_examples=100, deadline=None)
def test_windows_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    payloads: list[bytes],
    damage: list[tuple[int, bytes]],
    window: int,
) -> None:
    """Records and gaps cover the file without overlap, and are the rule's, at any size of the window."""
    data = b"".join(map(record, payloads))
    for at, junk in damage:
        data = data[:at] + junk + data[at + 5 :]
    path = write(tmp_path_factory.mktemp("windows"), data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WINDOW", window)
        found, gaps = items(path)
    assert found == whole_records(data)
    spans = [(start - 12, start + length + 4) for start, length in found] + [(g.start, g.stop) for g in gaps]
    ends = [0] + [stop for _, stop in sorted(spans)]
    assert ends == [start for start, _ in sorted(spans)] + [len(data)]


def test_gaps_precede_what_follows_them(tmp_path: Path) -> None:
    """A gap before a large record is told before it."""
    large = record(event(1, 1.0, delimited(4, bytes(module.WINDOW + 5))))
    with Records(write(tmp_path, FIRST + b"junk" + large + b"more" + THIRD)) as opened:
        kinds = [type(item) for item in opened]
    assert kinds == [Batch, Gap, Large, Gap, Batch]


HOSTILE = [
    ("2**63", header(1 << 63)),
    ("2**64 - 1", header((1 << 64) - 1)),
    ("a gigabyte", header(1 << 30)),
    ("2 GiB", header(1 << 31)),
]


@pytest.mark.parametrize(("name", "claim"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_claims_cost_nothing(tmp_path: Path, name: str, claim: bytes) -> None:
    """A length far beyond the file costs no memory and hides nothing that follows."""
    path = write(tmp_path, FIRST + claim + THIRD)
    tracemalloc.start()
    found, gaps = items(path)
    assert tracemalloc.get_traced_memory()[1] < 8 * module.WINDOW
    tracemalloc.stop()
    assert len(found) == 2
    assert [gap.cause for gap in gaps] == [Cause.TORN]
    assert "is cut short, and others follow it" in gaps[0].detail


def test_a_huge_sparse_file_costs_no_memory(tmp_path: Path) -> None:
    """A claim of 128 MiB that the file seems to hold, in a hole, is checked piece by piece."""
    path = write(tmp_path, FIRST + header(1 << 27))
    os.truncate(path, len(FIRST) + 12 + (1 << 27))
    with open(path, "ab") as file:
        file.write(bytes(4) + THIRD)
    tracemalloc.start()
    found, gaps = items(path)
    assert tracemalloc.get_traced_memory()[1] < 20 * module.WINDOW
    tracemalloc.stop()
    assert len(found) == 2
    assert [gap.cause for gap in gaps] == [Cause.DATA_CRC]


def test_longer_than_protobuf_allows(tmp_path: Path) -> None:
    """A record of 2 GiB, in a hole of the file, is none, and its reason is told."""
    path = write(tmp_path, FIRST + header(1 << 31))
    os.truncate(path, len(FIRST) + (1 << 31) + 100)
    with Records(path) as opened:
        opened._patience = 0
        gap = opened._gap(len(FIRST), opened.size)
    assert gap.cause is Cause.TOO_LONG


def test_overlapping_candidates_end_in_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file made of headers that each claim the rest of it is given up, and says so."""
    monkeypatch.setattr(module, "_LEAST_PATIENCE", 1 << 24)
    size = 6 << 20
    data = FIRST + header(2 << 20) * (size // 12) + bytes(2 << 20)
    path = write(tmp_path, data)
    begun = time.process_time()
    found, gaps = items(path)
    assert time.process_time() - begun < 10
    assert len(found) == 1
    assert gaps[-1].cause is Cause.GAVE_UP
    assert gaps[-1].stop == len(data)


def test_dense_damage_takes_linear_time(tmp_path: Path) -> None:
    """Whole and damaged records in turn, some ten thousand of each, are told apart in seconds."""
    good, bad = record(b""), header(5) + b"wrong" + bytes(4)
    begun = time.process_time()
    found, gaps = items(write(tmp_path, (good + bad) * 20_000))
    assert time.process_time() - begun < 10
    assert (len(found), len(gaps)) == (20_000, 20_000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    """A named pipe without a writer is refused at once."""
    os.mkfifo(tmp_path / "events.tfevents")
    with pytest.raises(OSError, match="not a regular file"):
        Records(tmp_path / "events.tfevents")


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory and a device are refused; what is not there is not found."""
    with pytest.raises(OSError, match="not a regular file"):
        Records(tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        Records(os.devnull)
    with pytest.raises(FileNotFoundError):
        Records(tmp_path / "missing")


def test_a_file_that_shrinks_ends_there(tmp_path: Path) -> None:
    """A file cut while it is read gives what is left, whatever part of it was being read."""
    large = record(event(1, 1.0, delimited(4, bytes(3 * module.WINDOW))))
    path = write(tmp_path, FIRST + large + THIRD)
    for size in (
        0,
        5,
        len(FIRST),
        len(FIRST) + 100,
        len(FIRST) + module.WINDOW + 100,
        len(FIRST + large) + 3,
    ):
        path.write_bytes(FIRST + large + THIRD)
        with Records(path) as opened:
            os.truncate(path, size)
            kinds = [type(item).__name__ for item in opened]
        assert kinds.count("Large") == (size > len(FIRST + large))
        assert kinds.count("Batch") == (size >= len(FIRST))
        path.write_bytes(FIRST + large + THIRD)
        with Records(path) as opened:
            steps = iter(opened)
            next(steps)
            os.truncate(path, size)
            for _ in steps:
                pass


def test_what_is_appended_later_waits(tmp_path: Path) -> None:
    """A live file is read as far as it reached when it was opened."""
    path = write(tmp_path, FIRST)
    with Records(path) as opened, open(path, "ab") as file:
        file.write(SECOND)
        file.flush()
        assert sum(len(item.starts) for item in opened if isinstance(item, Batch)) == 1
    assert len(items(path)[0]) == 2


def test_the_payload_of_a_large_record_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large record's place leads to its bytes, and a stretch of the file is indexed as bytes are."""
    monkeypatch.setattr(module, "WINDOW", 64)
    payload = bytes(range(256)) * 700
    with Records(write(tmp_path, record(payload))) as opened:
        (item,) = list(opened)
        assert isinstance(item, Large)
        assert opened.read(item.start, item.length) == payload
        stretch = module.Stretch(opened, item.start)
        for at in (0, 1, 70_000, 5, len(payload) - 1, 65_535, 65_536):
            assert stretch[at] == payload[at]
        assert stretch[100:70_000] == payload[100:70_000]
        with pytest.raises(module.ShrunkError, match="has become shorter"):
            opened.read(len(payload), 100)


def test_masked_helper_agrees() -> None:
    """The tests' own CRC is that of a header in the wild: one of 24 bytes, as every file begins."""
    assert header(24) == bytes.fromhex("1800000000000000a37f4b22")
    assert masked(b"") == bytes.fromhex("d8ea82a2")

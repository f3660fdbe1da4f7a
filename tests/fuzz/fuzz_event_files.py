"""Whatever bytes a file holds: read, verify and repair end, and what they say is the plain rule's answer.

The invariant, for every file:

- the whole records are those that the rule in tests/reading/rule.py finds, whatever the window's size;
- verify counts exactly those that are events, and its errors cover every other byte of the file, none twice;
- read gives as many events, decodes every value or refuses it with ValueError, and raises nothing else;
- repair refuses a file without events, and otherwise leaves exactly the intact records, which verify clean;
- TensorBoard's protobuf, where installed, parses every record that is called an event.

An input is a script, not the file itself: random bytes have no right CRC, so the script's bytes select pieces
(whole records, headers that lie, damage) and what is in them. Run as a program it uses atheris where that is
installed, with libFuzzer's options (`-runs=100000 -max_total_time=60`); otherwise it makes up scripts itself
and knows `-runs` and `-seed`.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
import warnings
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

try:
    import atheris  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    atheris = None

# Coverage guides atheris where it sees the imports; in a test run it is not needed.
with atheris.instrument_imports(include=["tbasync"]) if atheris and __name__ == "__main__" else nullcontext():
    from tbasync.files import records
    from tbasync.files.check import check_file
    from tbasync.files.reader import DamagedFileWarning, read
    from tbasync.files.records import Batch, Gap, Records
    from tbasync.files.repair import RepairError, repair
    from tbasync.files.series import Series
    from tbasync.wire.message import delimited
    from tests.reading.event_bytes import event, header, plugin, record, scalar, session_start, value, version
    from tests.reading.rule import intact, whole_records

try:
    from tensorboard.compat.proto.event_pb2 import Event
except ImportError:
    Event = None

SLOWEST = 5.0  # seconds of processor time for one input, of a few kilobytes
_DIRECTORY = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
_PATH = Path(_DIRECTORY.name) / "events.out.tfevents.1"
_TAGS = ("a", "loss", "train/loss", "größe", "\x1b[2J")


class Tape:
    """The script's bytes, taken one after another; zeros when it is used up."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        """The next byte."""
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def take(self, most: int) -> bytes:
        """Up to `most` of the next bytes."""
        count = self.byte() % (most + 1)
        self.at += count
        return self.data[self.at - count : self.at]


def value_of(tape: Tape) -> bytes:
    """A Summary.Value of one kind or another, more or less as it should be."""
    tag, kind = _TAGS[tape.byte() % len(_TAGS)], tape.byte() % 8
    body = tape.take(40)
    if kind == 0:
        return value(tag, b"\x15" + body[:4].ljust(4, b"\0"))
    if kind == 1:
        inner = b"\x08\x01" + delimited(5, body[:4].ljust(4, b"\0"))
        return value(tag, delimited(8, inner), plugin("scalars"))
    metadata = (b"", plugin("text"), plugin("scalars"), body)[tape.byte() % 4]
    return value(tag, delimited((8, 8, 4, 5, 6, 3)[kind - 2], body), metadata)


def piece_of(tape: Tape) -> bytes:
    """One piece of a file."""
    choice = tape.byte() % 14
    step = tape.byte() * (1, 1, 100, -1)[tape.byte() % 4]
    if choice < 4:
        return record(scalar(_TAGS[tape.byte() % len(_TAGS)], tape.byte() / 7, step))
    if choice == 4:
        return b"".join(record(scalar("loss", n / 3, step + n)) for n in range(tape.byte() % 40))
    if choice == 5:
        return record(event(step, 1.0, delimited(5, value_of(tape), *([value_of(tape)] if step % 2 else []))))
    if choice == 6:
        return record(event(step, 1.0, tape.take(60)))
    if choice == 7:
        return record(tape.take(60))
    if choice == 8:
        return record((version(), version(text=tape.take(9)), session_start(step))[tape.byte() % 3])
    if choice == 9:
        return header((0, 5, 60, 200, 1 << 20, 1 << 31, 1 << 63, (1 << 64) - 1)[tape.byte() % 8])
    if choice == 10:
        return tape.take(80)
    if choice == 11:
        return record(event(1, 1.0, delimited(4, record(tape.take(20)) + tape.take(20))))
    if choice == 12:
        return record(event(1, 1.0, delimited(4, bytes(tape.byte() * 8))))
    return bytes(tape.byte())


def file_of(tape: Tape) -> bytes:
    """A file: pieces, some of it then changed, cut or repeated."""
    pieces = list[bytes]()
    while tape.at < len(tape.data) and len(pieces) < 40:
        pieces.append(piece_of(tape))
    data = bytearray(b"".join(pieces))
    for _ in range(tape.byte() % 4):
        if not data:
            break
        at, change, action = int.from_bytes(tape.take(2), "little") % len(data), tape.byte(), tape.byte() % 4
        if action == 0:
            data[at] ^= change or 1
        elif action == 1:
            del data[at : at + change]
        elif action == 2:
            del data[at:]
        else:
            data[at:at] = data[at : at + change]
    return bytes(data)


def one_input(script: bytes) -> None:
    """Build the script's file, and hold the invariant against it."""
    begun = time.process_time()
    tape = Tape(script)
    choice = tape.byte()
    records.WINDOW = (40, 64, 400, *[1 << 14] * 9)[choice % 12]
    data = file_of(tape)
    _PATH.write_bytes(data)
    kept = intact(data)
    hold_verify(data, kept)
    hold_read(kept)
    if choice % 7 == 0:  # repair and the records' places are checked less often: verify rests on them too
        hold_records(data)
        hold_repair(data, kept)
    assert time.process_time() - begun < SLOWEST, "too slow"


def hold_records(data: bytes) -> None:
    """The records found are the rule's."""
    found = list[tuple[int, int]]()
    with Records(_PATH) as opened:
        for item in opened:
            if isinstance(item, Batch):
                found += zip((item.starts + item.base).tolist(), item.lengths.tolist(), strict=True)
            elif not isinstance(item, Gap):
                found.append((item.start, item.length))
    assert found == whole_records(data)


def hold_verify(data: bytes, kept: list[bytes]) -> None:
    """Verify counts the intact records and accounts for every byte; protobuf agrees."""
    report = check_file(_PATH)
    assert (report.records, report.whole, report.size) == (len(kept), sum(map(len, kept)), len(data))
    errors = [finding for finding in report.findings if finding.is_error]
    assert report.ok == (not errors)
    assert all(before.offset + before.length <= after.offset for before, after in pairwise(errors))
    assert sum(finding.length for finding in errors) == len(data) - report.whole
    for one in kept:
        if Event is not None:
            Event.FromString(one[12:-4])


def hold_read(kept: list[bytes]) -> None:
    """Read gives the events, and each value is decoded or refused as it should be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedFileWarning)
        run = read(_PATH, purge=len(kept) % 2 == 0)
    assert run.events == len(kept)
    repr(run)
    for tag in run:
        series = run[tag]
        assert len(series.steps) == len(series.wall_times) == len(series.values)
        if series.kind != "scalar":
            for index in range(len(series)):
                hold_value(series, index)


def hold_value(series: Series, index: int) -> None:
    """A value is decoded, or refused if it is a tensor."""
    try:
        series.values[index]
    except ValueError:
        assert series.kind in ("tensor", "text")


def hold_repair(data: bytes, kept: list[bytes]) -> None:
    """Repair leaves what is intact, and the original beside it."""
    try:
        done = repair(_PATH)
    except RepairError:
        assert data
        assert not kept
        return
    assert _PATH.read_bytes() == b"".join(kept)
    assert check_file(_PATH).ok
    if done.backup is not None:
        assert done.backup.read_bytes() == data
        done.backup.unlink()
    assert os.listdir(_DIRECTORY.name) == [_PATH.name]


def main(arguments: list[str]) -> None:
    """Fuzz, with atheris if there is one."""
    if atheris:
        atheris.Setup(arguments, one_input)
        atheris.Fuzz()
        return
    options = dict(one.lstrip("-").split("=", 1) for one in arguments[1:])
    runs, maker = int(options.get("runs", "10000")), random.Random(int(options.get("seed", "0")))
    for number in range(1, runs + 1):
        one_input(maker.randbytes(maker.randrange(maker.choice((10, 20, 40, 80, 160)))))
        if number % 10_000 == 0 or number == runs:
            print(f"{number:,} inputs held", flush=True)


if __name__ == "__main__":
    main(sys.argv)

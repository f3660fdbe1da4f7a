"""How fast are event files verified and read, beside TensorBoard's own loaders?

    python -m benchmarks.verify [--megabytes 200] [--kind scalars|mixed] [--rounds 3]

Every loader gets the same file from the page cache, in turn, round after round. TensorBoard's Python loader is
given the file's first megabytes only, as it needs minutes for the rest; its data server is a process of its own
and states itself how long a load took. Without TensorBoard, tbasync is measured alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tbasync.files.check import check_file
from tbasync.files.reader import read
from tbasync.wire.crc import masked_crc
from tbasync.wire.message import delimited, key, varint

TAGS = (
    "loss/train",
    "loss/val",
    "acc/train",
    "acc/val",
    "lr",
    "grad/norm",
    "grad/max",
    "time/step",
    "time/data",
    "mem",
)
SAMPLE = 6_000_000  # bytes for TensorBoard's Python loader
NOISY = 1.25  # slowest round / fastest round, beyond which a figure says so


def record(payload: bytes) -> bytes:
    """The payload as a whole record."""
    head = struct.pack("<Q", len(payload))
    return b"".join(
        (head, struct.pack("<I", masked_crc(head)), payload, struct.pack("<I", masked_crc(payload)))
    )


def events(kind: str) -> Iterator[bytes]:
    """The events of a training run without end: ten scalars a step, and now and then something larger."""
    random = np.random.default_rng(0)
    heads = [delimited(1, tag.encode()) + key(2, 5) for tag in TAGS]
    edges = np.linspace(-1, 1, 1500).tobytes()
    yield b"\x09" + struct.pack("<d", 1.7e9) + delimited(3, b"brain.Event:2")
    step = 0
    while True:
        losses = random.random((1000, len(TAGS)), np.float32)
        for row in losses:
            step += 1
            begin = b"\x10" + varint(step)
            for column, (head, number) in enumerate(zip(heads, row, strict=True)):
                time_ = b"\x09" + struct.pack("<d", 1.7e9 + step * 1e-2 + column * 1e-5)
                yield time_ + begin + delimited(5, delimited(1, head + number.tobytes()))
            if kind == "mixed" and step % 100 == 0:
                counts = random.integers(0, 50, 1500).astype("<f8").tobytes()
                histogram = delimited(5, delimited(6, edges), delimited(7, counts))
                image = delimited(4, b"\x08\x60\x10\x60\x18\x03", delimited(4, random.bytes(25_000)))
                for tag, body in ((b"weights", histogram), (b"sample", image)):
                    yield begin + delimited(5, delimited(1, delimited(1, tag), body))


def make_file(path: Path, size: int, kind: str) -> int:
    """Write an event file of about `size` bytes; how many records it has."""
    written = count = 0
    with path.open("wb") as file:
        for payload in events(kind):
            if written >= size:
                return count
            written += file.write(record(payload))
            count += 1
    return count


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def verify_in(path: Path) -> float:
    """Seconds for `check_file`, which must find nothing."""
    begun = time.perf_counter()
    report = check_file(path)
    seconds = time.perf_counter() - begun
    if report.findings:
        raise SystemExit(f"the file is not as it should be: {report.findings[0]}")
    return seconds


def server_in(server: str, directory: Path, *options: str) -> float:
    """Seconds that TensorBoard's data server says it took to load the directory."""
    command = [server, "--logdir", str(directory), "--reload", "once", "--port", "0", "--verbose", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"Finished load cycle \(([\d.]+)(µs|ms|s)\)", line):
                    return float(found[1]) * {"µs": 1e-6, "ms": 1e-3, "s": 1.0}[found[2]]
        finally:
            process.kill()
    raise SystemExit("TensorBoard's data server ended without loading the directory")


def contestants(path: Path, sample: Path) -> dict[str, tuple[int, Callable[[], float]]]:
    """Name -> bytes that it reads, and what measures it in seconds."""
    size = path.stat().st_size
    found: dict[str, tuple[int, Callable[[], float]]] = {
        "tbasync verify": (size, lambda: verify_in(path)),
        "tbasync.read": (size, lambda: timed(lambda: read(path))),
    }
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    except ImportError:
        return found

    def load() -> None:
        for _ in EventFileLoader(str(sample)).Load():
            pass

    found["TensorBoard, Python loader"] = (sample.stat().st_size, lambda: timed(load))
    try:
        from tensorboard_data_server import server_binary
    except ImportError:
        return found
    server = server_binary()
    if server:
        found["TensorBoard, data server (Rust)"] = (size, lambda: server_in(server, path.parent))
        found["TensorBoard, data server with --checksum"] = (
            size,
            lambda: server_in(server, path.parent, "--checksum"),
        )
    return found


def report(found: dict[str, tuple[int, list[float]]], count: int, size: int) -> None:
    """Print the table."""
    base = statistics.median(found["tbasync verify"][1]) / found["tbasync verify"][0]
    print(f"{'':<42}{'MB/s':>9}{'us/record':>11}{'verify is':>13}")
    for name, (length, seconds) in found.items():
        middle = statistics.median(seconds) / length
        noisy = " noisy" if max(seconds) > NOISY * min(seconds) else ""
        ratio = f"{middle / base:,.2f} x faster" if name != "tbasync verify" else ""
        print(f"{name:<42}{1e-6 / middle:>9,.1f}{middle * size / count * 1e6:>11.3f}{ratio:>17}{noisy}")


def main() -> None:
    """Make the file, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=200, help="size of the file (default: 200)")
    parser.add_argument("--kind", choices=("scalars", "mixed"), default="scalars", help="what is in it")
    parser.add_argument("--rounds", type=int, default=3, help="times that each is measured (default: 3)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path, sample = Path(directory, "run", "events.out.tfevents.1"), Path(directory, "sample.tfevents")
        path.parent.mkdir()
        count = make_file(path, arguments.megabytes * 1_000_000, arguments.kind)
        with path.open("rb") as file:
            sample.write_bytes(file.read(SAMPLE))
        size = path.stat().st_size
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}"
        )
        print(
            f"{arguments.kind}: {size / 1e6:,.0f} MB, {count:,} records, median of {arguments.rounds} rounds"
        )
        found = {name: (length, list[float]()) for name, (length, _) in contestants(path, sample).items()}
        for _ in range(arguments.rounds):
            for name, (_, measure) in contestants(path, sample).items():
                found[name][1].append(measure())
    report(found, count, size)


if __name__ == "__main__":
    sys.exit(main())

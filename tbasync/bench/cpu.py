"""How much CPU time does a scalar cost the whole process: push, encode and write, every thread included?"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Sequence
from typing import Any

from . import peers, runner

_TAGS = [f"train/metric_{number}" for number in range(20)]
_UNITS = {"CPU per scalar": "µs", "wall per scalar": "µs", "peak memory growth": "MiB"}


def _log(writer: Any, events: int) -> None:
    add = writer.add_scalar
    for step in range(events // len(_TAGS)):
        for tag in _TAGS:
            add(tag, 0.5, step)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _written(log_dir: str) -> int:
    """How many scalars lie in the event files, by a walk over the records' lengths."""
    found = 0
    for directory, _, names in os.walk(log_dir):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                data = file.read()
            at = 0
            while at < len(data):
                at += 16 + int.from_bytes(data[at : at + 8], "little")
                found += 1
            found -= 1  # the record that opens the file
    return found


def measure_here(peer: str, log_dir: str, events: int) -> runner.Figures:
    """All figures of one peer, measured in this process. The clock stops after everything is in the file."""
    writer = peers.make(peer, log_dir)
    _log(writer, 2_000)
    writer.flush()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, wall = _cpu_seconds(), time.perf_counter()
    _log(writer, events)
    writer.flush()
    writer.close()
    cpu, wall = _cpu_seconds() - cpu, time.perf_counter() - wall
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    if peer not in ("empty", "floor") and _written(log_dir) != events + 2_000:
        raise RuntimeError(f"{peer}: {_written(log_dir)} scalars in the file, logged {events + 2_000}")
    return {
        "CPU per scalar": cpu / events * 1e6,
        "wall per scalar": wall / events * 1e6,
        "peak memory growth": grown / 1024,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures one peer (`--peer`) and prints JSON, or all of them and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="scalars to log (default 200,000)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each writer (default 3)")
    parser.add_argument("--peer", choices=peers.PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--log-dir", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        print(json.dumps(measure_here(options.peer, options.log_dir, options.events)))
        return
    rows = runner.measure(__name__, peers.installed(), options.rounds, ["--events", str(options.events)])
    print(runner.machine())
    print(runner.table(f"\n{options.events:,} scalars of 20 tags", rows, _UNITS, "torch"))


if __name__ == "__main__":
    main()

"""Do the benchmark's main figures come out again when they are measured in another way?

    python -m benchmarks.independent [--against FILE]        FILE of `tbasync bench --json FILE`

Nothing is shared with `tbasync/bench`. A push is timed with `perf_counter`, in a burst and one by one. The CPU
of an event is what the operating system says of a whole process, from its start to its end, that logs a million
events, less that of one that logs a thousand: `/usr/bin/time -v` where it is installed, `wait4` otherwise. A
step's overhead is that of another network, by `perf_counter` and by `process_time`. They should agree with the
benchmark's within 15 %, overheads within 15 % or one point.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
ROOT = CHILD.parents[2]
TIME = "/usr/bin/time"
EVENTS = {"tbasync": 1_000_000, "torch": 60_000}
BURSTS = {"tbasync": 200_000, "torch": 30_000}
# our figure -> the same one in the benchmark's document
SAME = {
    "burst [ns]": "latency/burst mean",
    "single [ns]": "latency/p50",
    "CPU [µs an event]": "cpu/CPU",
    "wall overhead [%]": "steps/overhead, scalars",
}


def child(what, writer, count, prefix=()):
    """What a fresh process prints, its CPU seconds by wait4, and what it says on stderr."""
    directory = tempfile.mkdtemp(prefix="independent-")
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": paths}
    command = [*prefix, sys.executable, "-W", "ignore", str(CHILD), what, writer, str(count), directory]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said, words = out.read(), err.read()
    shutil.rmtree(directory, ignore_errors=True)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}:\n{words}")
    return json.loads(said.splitlines()[-1]), usage.ru_utime + usage.ru_stime, words


def cpu_of(writer, count):
    """CPU seconds of a whole process that logs `count` events."""
    if not os.access(TIME, os.X_OK):
        return child("events", writer, count)[1]
    words = child("events", writer, count, [TIME, "-v"])[2]
    user, system = re.search(r"User time.*: ([\d.]+)", words), re.search(r"System time.*: ([\d.]+)", words)
    return float(user[1]) + float(system[1])


def measure(writer):
    """All figures of a writer, once."""
    few, many = 1_000, EVENTS[writer]
    figures = child("push", writer, BURSTS[writer])[0]
    figures["CPU [µs an event]"] = (cpu_of(writer, many) - cpu_of(writer, few)) / (many - few) * 1e6
    return figures | child("steps", writer, 400)[0]


def agree(ours, theirs, name):
    """Whether two figures say the same."""
    off = abs(ours - theirs)
    return off <= 0.15 * abs(theirs) or (name.endswith("[%]") and off <= 1.0)


def main():
    """Measures, prints, compares; ends with status 1 where a figure does not come out again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, metavar="FILE", help="what `tbasync bench --json FILE` wrote")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each writer (3)")
    arguments = parser.parse_args()
    found = {writer: [] for writer in EVENTS}
    for _ in range(arguments.rounds):
        for writer, rounds in found.items():
            rounds.append(measure(writer))
    how = f"{TIME} -v" if os.access(TIME, os.X_OK) else "wait4"
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}; CPU by {how}")
    bench = json.loads(arguments.against.read_text())["peers"] if arguments.against else {}
    different = 0
    for writer, rounds in found.items():
        print(
            f"\n{writer:24}{'median':>12}{'lowest':>12}{'highest':>12}" + f"{'benchmark':>12}" * bool(bench)
        )
        for name in rounds[0]:
            figures = [figure[name] for figure in rounds]
            line = f"{name:24}{statistics.median(figures):12,.2f}{min(figures):12,.2f}{max(figures):12,.2f}"
            theirs = bench.get(writer, {}).get("figures", {}).get(SAME.get(name, ""), {}).get("median")
            if theirs is not None:
                same = agree(statistics.median(figures), theirs, name)
                different += not same
                line += f"{theirs:12,.2f}  {'agrees' if same else 'differs'}"
            print(line)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())

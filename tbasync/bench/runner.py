"""Measures every peer in processes of its own, in interleaved rounds, and takes medians.

Rounds are interleaved because a shared machine's speed drifts: what is compared must have been measured
within the same seconds. Each measurement is a process of its own because a peer's threads, caches and heap
must not be another's burden.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

Figures = dict[str, float]

# Idle BLAS threads spin for a while after they have been used, and their CPU time would be the writer's.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


def measure_once(module: str, peer: str, arguments: Sequence[str]) -> Figures:
    """Runs `python -m module --peer peer …` in a fresh process and directory, and returns what it prints.

    Raises:
        RuntimeError: the process failed.
    """
    log_dir = tempfile.mkdtemp(prefix="tbasync-bench-")
    command = [sys.executable, "-m", module, "--peer", peer, "--log-dir", log_dir, *arguments]
    try:
        done = subprocess.run(
            command, env={**os.environ, **_ONE_THREAD}, capture_output=True, text=True, check=False
        )
    finally:
        shutil.rmtree(log_dir, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(module: str, peers: Sequence[str], rounds: int, arguments: Sequence[str]) -> dict[str, Figures]:
    """The median over `rounds` of every figure of every peer."""
    runs: dict[str, list[Figures]] = {peer: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            runs[peer].append(measure_once(module, peer, arguments))
    return {peer: _medians(results) for peer, results in runs.items()}


def _medians(results: Sequence[Figures]) -> Figures:
    return {name: statistics.median(result[name] for result in results) for name in results[0]}


def machine() -> str:
    """The machine and the versions that a figure belongs to, in one line."""
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} CPUs, CPython {platform.python_version()}"


def table(title: str, rows: Mapping[str, Figures], units: Mapping[str, str], against: str) -> str:
    """A table of figures; in brackets, for each, the share that it is of the figure of the peer `against`."""
    names = [name for name in next(iter(rows.values())) if name in units]
    lines = [title, f"{'':14}" + "".join(f"{f'{name} [{units[name]}]':>26}" for name in names)]
    base = rows.get(against, {})
    for peer, figures in rows.items():
        cells = [f"{figures[name]:,.2f}{_share(figures[name], base.get(name, 0))}" for name in names]
        lines.append(f"{peer:14}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n".join(lines)


def _share(figure: float, base: float) -> str:
    if not figure or not base or figure == base:
        return ""
    return f" (1/{base / figure:,.1f})" if figure < base else f" ({figure / base:,.1f}x)"

"""Measures peers in processes of their own, in interleaved rounds.

Rounds are interleaved because a shared machine's speed drifts: what is compared must have been measured
within the same seconds. Each measurement is a process of its own because a peer's threads, caches and heap
must not be another's burden.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .unit import Figures, Plan, Unit

# Idle BLAS threads spin for a while after they have been used, and their CPU time would be the writer's.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
_LONGEST_SECONDS = 600.0
_SAID = 2_000  # characters of a crashed process's last words that are kept

Work = Mapping[str, Mapping[str, Any]]


@dataclass
class Answers:
    """What a process found out.

    Attributes:
        figures: "unit/figure" -> value.
        errors: unit -> what went wrong with it.
    """

    figures: Figures = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


Round = dict[str, Answers]


def work_for(peer: str, units: Sequence[Unit], plan: Plan, given: Mapping[str, Any] | None = None) -> Work:
    """What a peer is asked: not all can answer everything. `given` replaces amounts of these names."""
    return {
        unit.name: {name: (given or {}).get(name, amount) for name, amount in unit.amounts_of(plan).items()}
        for unit in units
        if unit.asks(peer)
    }


def ask(peer: str, work: Work, longest: float = _LONGEST_SECONDS) -> Answers:
    """The answers of a fresh process in a fresh directory; a crash of it is an answer, too."""
    directory = tempfile.mkdtemp(prefix="tbasync-bench-")
    command = [sys.executable, "-m", "tbasync.bench.child", peer, directory, json.dumps(work)]
    try:
        done = subprocess.run(
            command, env={**os.environ, **_ONE_THREAD}, capture_output=True, timeout=longest, check=False
        )
        said, status, words = done.stdout, f"ended with status {done.returncode}", done.stderr
    except subprocess.TimeoutExpired as error:
        said, status, words = error.stdout or b"", f"was ended after {longest:.0f} s", error.stderr or b""
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    answers, answered = _answers(said.decode(errors="replace"))
    for unit in work:
        if unit not in answered:
            last = words.decode(errors="replace").strip()[-_SAID:]
            answers.errors[unit] = f"the process {status}" + (f": {last}" if last else "")
    return answers


def _answers(said: str) -> tuple[Answers, set[str]]:
    """What a process has printed, and which questions that answers, be it with no figure at all."""
    answers, answered = Answers(), set[str]()
    for line in said.splitlines():
        try:
            answer = json.loads(line)
            unit = answer["unit"]
        except (ValueError, TypeError, KeyError):
            continue  # what the peer's package prints
        answered.add(unit)
        if "error" in answer:
            answers.errors[unit] = answer["error"]
        else:
            answers.figures |= {f"{unit}/{name}": value for name, value in answer["figures"].items()}
    return answers, answered


def measure(
    work: Mapping[str, Work],
    rounds: int,
    seconds: float = float("inf"),
    tell: Callable[[str], None] = lambda message: None,
) -> list[Round]:
    """Asks every peer, `rounds` times.

    Args:
        work: peer -> its questions.
        rounds: how often.
        seconds: no round is begun that would, by the longest so far, end later; the first one always is.
        tell: is told who is being measured.
    """
    done, began, longest = list[Round](), time.perf_counter(), 0.0
    while len(done) < rounds and (not done or time.perf_counter() - began + longest <= seconds):
        start, answers = time.perf_counter(), Round()
        for peer, questions in work.items():
            tell(f"round {len(done) + 1}: {peer}")
            answers[peer] = ask(peer, questions)
        done.append(answers)
        longest = max(longest, time.perf_counter() - start)
    return done


def machine() -> str:
    """The machine and the versions that a figure belongs to, in one line."""
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} CPUs, CPython {platform.python_version()}"

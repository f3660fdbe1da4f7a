"""All questions about all writers, in interleaved rounds: what `tbasync bench` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from . import document, goals, peers, runner
from .peers import PEERS
from .table import table
from .unit import Plan
from .units import UNITS

NAMES = [name for name in PEERS if name != "empty"]
FULL_SECONDS, QUICK_SECONDS = 86.0, 12.0
FULL_ROUNDS, QUICK_ROUNDS = 5, 2


# Wrapped writers are tbasync's own behind another face; the time is better spent on a further round of all.
_LESS = {"limit": 0.3}


def _is_wrapped(name: str) -> bool:
    return name.startswith("wrap(")


def chosen(asked: Sequence[str] | None, plan: Plan) -> list[str]:
    """The installed ones of the peers that were asked for; the quick form leaves wrapped ones out by itself."""
    here = [name for name in peers.installed() if name in NAMES]
    if asked is not None:
        return [name for name in here if name in asked]
    return [name for name in here if plan != "quick" or not _is_wrapped(name)]


def run(
    names: Sequence[str],
    plan: Plan,
    rounds: int,
    seconds: float,
    tell: Callable[[str], None] = lambda message: None,
) -> tuple[dict[str, Any], list[str]]:
    """Measures and returns the document and the lines of the report.

    Args:
        names: peers that are installed.
        plan: "bench" or "quick".
        rounds: at most so many.
        seconds: no round is begun that would, by the longest so far, end later.
        tell: is told who is being measured.
    """
    units = list(UNITS.values())
    before, began = document.machine(), time.perf_counter()
    work = {name: runner.work_for(name, units, plan, _LESS if _is_wrapped(name) else None) for name in names}
    found = runner.measure(work, rounds, seconds, tell)
    answer = document.document(found, units, plan, time.perf_counter() - began, before)
    return answer, report(answer, found)


def report(answer: dict[str, Any], rounds: Sequence[runner.Round]) -> list[str]:
    """What is printed: machine and versions, a table a question, the goals."""
    machine = answer["machine"]
    load = "" if machine["load"] is None else f", load {machine['load']:.1f} before"
    lines = [
        f"{machine['processor']}, {machine['cpus']} CPUs{load}, {machine['system']}, {machine['python']}",
        ", ".join(f"{name} {version}" for name, version in answer["versions"].items()),
        f"{answer['rounds']} rounds in {answer['seconds']:.0f} s; medians, ± half the rounds' range; beside it the "
        'share of torch\'s, or "noisy" where the rounds contradict each other',
        _drift(answer["drift"]),
    ]
    absent = [name for name, peer in answer["peers"].items() if peer["status"] == "not installed"]
    lines += [f"not installed: {', '.join(map(_absent, absent))}"] if absent else []
    unread = [name for name in rounds[0] if PEERS[name].is_writer and not PEERS[name].writes_events]
    lines += [f"not read back, as they write no event files: {', '.join(unread)}"] if unread else []
    for unit in UNITS.values():
        lines += table(rounds, unit)
    return lines + goals.report(rounds)


def _absent(name: str) -> str:
    """A writer that is not there, and why if only a part of what it needs is missing, as TensorBoard for torch's."""
    missing = PEERS[name].missing
    return (
        f"{name} (for want of {', '.join(missing)})" if 0 < len(missing) < len(PEERS[name].packages) else name
    )


def _drift(drift: float | None) -> str:
    if drift is None:
        return "one round: how far rounds are apart is not known, so no ratio is stated"
    state = "a noisy machine" if drift > document.DRIFTS else "a machine quiet enough"
    return f"the floor (tuple, clock, append) took {drift:.2f} times as long in the slowest round: {state}"

"""What `tbasync bench` found, as a JSON document."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import verdict
from .goals import GOALS
from .peers import PEERS, version_of
from .runner import Round
from .table import pairs, values
from .unit import Plan, Unit

SCHEMA = 1
DRIFTS = verdict.RATIO_SPREAD


def machine() -> dict[str, Any]:
    """Where the figures belong to."""
    try:
        model = Path("/proc/cpuinfo").read_text().partition("model name")[2].partition("\n")[0].strip("\t :")
    except OSError:
        model = platform.processor()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": model,
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": load,
    }


def versions() -> dict[str, str]:
    """Distribution -> version, of the peers and what tbasync stands on."""
    names = [
        *dict.fromkeys(peer.distribution for peer in PEERS.values()),
        "numpy",
        "protobuf",
        "pillow",
        "crc32c",
    ]
    return {name: found for name in names if (found := version_of(name))}


def document(
    rounds: Sequence[Round], units: Sequence[Unit], plan: Plan, seconds: float, before: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that was measured, each round on its own; `before` is the machine as it was then."""
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": dict(before),
        "versions": versions(),
        "plan": plan,
        "amounts": {unit.name: unit.amounts_of(plan) for unit in units},
        "rounds": len(rounds),
        "seconds": round(seconds, 1),
        "drift": drift(rounds),
        "peers": {peer: _peer(rounds, peer, units) for peer in PEERS if peer != "empty"},
        "goals": [_goal(rounds, goal) for goal in GOALS],
    }


def drift(rounds: Sequence[Round]) -> float | None:
    """How many times as long the floor's burst took in the slowest round as in the fastest; None if unknown."""
    floors = values(rounds, "floor", "latency/burst mean") if rounds and "floor" in rounds[0] else []
    return max(floors) / min(floors) if len(floors) > 1 else None


def _peer(rounds: Sequence[Round], peer: str, units: Sequence[Unit]) -> dict[str, Any]:
    if peer not in rounds[0]:
        return {
            "status": "not installed" if PEERS[peer].missing else "not asked",
            "errors": {},
            "figures": {},
        }
    figures = {
        f"{unit.name}/{name}": _figure(rounds, peer, unit, f"{unit.name}/{name}", measure)
        for unit in units
        for name, measure in unit.figures.items()
        if values(rounds, peer, f"{unit.name}/{name}")
    }
    errors = {
        unit.name: found
        for unit in units
        if (
            found := [
                answers[peer].errors[unit.name] for answers in rounds if unit.name in answers[peer].errors
            ]
        )
    }
    status = "measured" if figures and not errors else "in part" if figures else "failed"
    return {
        "status": status,
        "read back": PEERS[peer].writes_events,
        "errors": errors,
        "figures": figures,
        "curve": _curve(rounds, peer),
    }


def _figure(rounds: Sequence[Round], peer: str, unit: Unit, key: str, measure: str) -> dict[str, Any]:
    found = values(rounds, peer, key)
    middle = verdict.Measured.of(found)
    figure = {
        "unit": measure,
        "median": middle.median,
        "low": middle.low,
        "high": middle.high,
        "rounds": found,
    }
    if measure == "%":
        return figure | {"noisy": not verdict.steady_percent(found)}
    if unit.base not in rounds[0] or peer == unit.base:
        return figure
    ours, theirs = pairs(rounds, peer, unit.base, key)
    ratio = verdict.ratio(ours, theirs) if ours else None
    return figure | {"of": unit.base, "ratio": ratio, "noisy": ratio is None}


def _curve(rounds: Sequence[Round], peer: str) -> list[list[float]]:
    """The distribution of paced calls, [share, nanoseconds], medians of the rounds."""
    from .latency import CURVE, curve_name

    found = [(share, values(rounds, peer, f"latency/{curve_name(share)}")) for share in CURVE]
    return [[share, verdict.Measured.of(rounds_).median] for share, rounds_ in found if rounds_]


def _goal(rounds: Sequence[Round], goal: Any) -> dict[str, Any]:
    return {
        "name": goal.name,
        "limit": goal.limit,
        "at_least": goal.at_least,
        "rounds": goal.rounds(rounds),
        "verdict": goal.verdict(rounds),
    }

"""One question on its own: what a folder of `benchmarks/` calls."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from . import peers, runner
from .table import table
from .unit import Unit


def main(
    unit: Unit,
    arguments: Sequence[str] | None = None,
    *,
    description: str | None = None,
    rounds: int = 3,
    only: Sequence[str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Measures the installed peers and prints a table. Each amount of the unit is an option.

    Args:
        unit: the question.
        arguments: the command line; None is the process's own.
        description: for --help; None is the question.
        rounds: the default number of rounds.
        only: the peers that are measured by default, of those installed; None for all.
        defaults: amounts, where others than the unit's own suit better.
    """
    amounts = {**unit.amounts_of("alone"), **(defaults or {})}
    installed = [name for name in peers.installed() if unit.asks(name)]
    parser = argparse.ArgumentParser(description=description or unit.question)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"measurements of each writer ({rounds})")
    parser.add_argument("--peers", nargs="+", choices=installed, metavar="PEER", help="only these writers")
    for name, value in amounts.items():
        if isinstance(value, list):
            kind: dict[str, Any] = {"nargs": "+", "choices": value, "metavar": name[:-1].upper()}
        else:
            kind = {"type": type(value)}
        meaning = f"{unit.amounts[name].meaning} (default: {value})".replace("%", "%%")
        parser.add_argument(f"--{name}", default=value, help=meaning, **kind)
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in amounts}
    chosen = options.peers or [name for name in installed if only is None or name in only]
    work = {peer: {unit.name: given} for peer in chosen}
    print(runner.machine())
    print("\n".join(table(runner.measure(work, options.rounds), unit)))

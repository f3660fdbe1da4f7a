"""Tables: a line a figure, a column a writer, and what each is of the base's, where that can be said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import verdict
from .runner import Round
from .unit import Unit

_NAME, _CELL = 34, 21


def values(rounds: Sequence[Round], peer: str, key: str) -> list[float]:
    """A figure ("unit/figure") of a peer, of the rounds that have it."""
    return [answers[peer].figures[key] for answers in rounds if key in answers[peer].figures]


def pairs(rounds: Sequence[Round], peer: str, base: str, key: str) -> tuple[list[float], list[float]]:
    """A figure of two peers, of the rounds in which both have it."""
    both = [
        (answers[peer].figures[key], answers[base].figures[key])
        for answers in rounds
        if key in answers[peer].figures and base in answers and key in answers[base].figures
    ]
    return [ours for ours, _ in both], [theirs for _, theirs in both]


def table(rounds: Sequence[Round], unit: Unit) -> list[str]:
    """The lines of one question: its text, a head, and for each figure its median, spread and ratio."""
    peers = [peer for peer in rounds[0] if any(unit.name in _units(answers, peer) for answers in rounds)]
    lines = ["", unit.question, f"{'':{_NAME}}" + "".join(f"{peer:>{_CELL}}" for peer in peers)]
    for name, measure in unit.figures.items():
        cells = [_cell(rounds, peer, unit, name) for peer in peers]
        if any(cells):
            lines.append(f"{f'{name} [{measure}]':{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells))
    for peer in rounds[0]:
        lines += _errors(rounds, peer, unit)
    return lines if peers else lines[:2] + lines[3:]


def _units(answers: Round, peer: str) -> set[str]:
    return {key.partition("/")[0] for key in answers[peer].figures}


def _errors(rounds: Sequence[Round], peer: str, unit: Unit) -> Iterable[str]:
    errors = [answers[peer].errors[unit.name] for answers in rounds if unit.name in answers[peer].errors]
    if errors:
        yield f"{peer}: failed in {len(errors)} of {len(rounds)} rounds: {errors[0]}"


def _cell(rounds: Sequence[Round], peer: str, unit: Unit, name: str) -> str:
    key = f"{unit.name}/{name}"
    found = values(rounds, peer, key)
    if not found:
        return ""
    figure = verdict.Measured.of(found)
    text = number(figure.median)
    if unit.figures[name] == "%":
        apart = figure.high - figure.low
        return f"{text} ±{apart / 2:.1f}" if len(found) > 1 else text
    if len(found) > 1 and figure.median > 0:
        text += f" ±{(figure.high - figure.low) / 2 / figure.median:.0%}"
    if peer == unit.base or len(found) < 2 or figure.median == 0:
        return text
    ours, theirs = pairs(rounds, peer, unit.base, key)
    if not ours or not any(theirs):
        return text
    return f"{text}  {verdict.shown(verdict.ratio(ours, theirs))}"


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"

"""What may be said of figures that were measured in several rounds, and what may not.

A figure is a list, one value a round. Two writers are compared round by round, for what is compared must have
been measured within the same seconds; the ratio is the median of the rounds' ratios. Three rules:

- A ratio is stated only if the rounds' ratios lie within `RATIO_SPREAD` of each other. A reader takes "1/30"
  for something between 1/25 and 1/36; rounds that differ by more than half say no such thing. The smallest
  margin that is claimed anywhere is 1.5, so that a wider spread could also turn a verdict round.
- A difference in percent is stated only if its rounds lie within one point of each other, or within half of
  their median: +100 % may well have been +80 %, but +1 % may not have been +3 %.
- "Reached" and "not reached" need every round: if one of them says the contrary, the answer is "noisy".

One round has no spread, so nothing can be stood behind.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RATIO_SPREAD = 1.5
POINTS = 1.0
NOISY = "noisy"
REACHED = "reached"
NOT_REACHED = "not reached"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Measured:
    """A figure of some rounds.

    Attributes:
        median, low, high: of the rounds.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Measured:
        """From one value a round, one at least."""
        return cls(statistics.median(rounds), min(rounds), max(rounds))


def ratio(figures: Sequence[float], base: Sequence[float]) -> float | None:
    """`figures` as a multiple of `base`, both one a round; None where that is noise, or no ratio at all."""
    ratios = [ours / theirs for ours, theirs in zip(figures, base, strict=True) if ours > 0 and theirs > 0]
    if len(ratios) < len(figures) or not steady(ratios):
        return None
    return statistics.median(ratios)


def steady(ratios: Sequence[float]) -> bool:
    """Whether a ratio, one a round, may be stated."""
    return len(ratios) > 1 and min(ratios) > 0 and max(ratios) <= RATIO_SPREAD * min(ratios)


def steady_percent(differences: Sequence[float]) -> bool:
    """Whether a difference in percent, one a round, may be stated."""
    if len(differences) < 2:
        return False
    return max(differences) - min(differences) <= max(POINTS, 0.5 * abs(statistics.median(differences)))


def verdict(reached: Sequence[bool]) -> str:
    """What is to be said of a limit that each round kept or did not."""
    if not reached:
        return NOT_MEASURED
    if len(reached) == 1 or len(set(reached)) > 1:
        return NOISY
    return REACHED if reached[0] else NOT_REACHED


def shown(ratio_: float | None) -> str:
    """A ratio in words: a fraction of the other's, a multiple of it, or noise."""
    if ratio_ is None:
        return NOISY
    return f"1/{1 / ratio_:,.1f}" if ratio_ < 1 else f"{ratio_:,.1f}x"

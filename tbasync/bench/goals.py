"""The figures that tbasync is to reach, and whether it does, round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import verdict
from .gap import SCALARS as GAPS
from .kinds import ON_THREAD
from .runner import Round
from .steps import HISTOGRAMS, SCALARS
from .table import number

_OURS, _TORCH, _FLOOR = "tbasync", "torch", "floor"


@dataclass(frozen=True)
class Goal:
    """A figure with a limit that it may not exceed (or, for `at_least`, fall below).

    Attributes:
        name: what is measured.
        limit: in the figure's unit.
        figure: a round -> the figure; KeyError where something that it needs was not measured.
        show: a figure as text.
        at_least: the limit is a lower one.
        elsewhere: the folder of `benchmarks/` that measures what `tbasync bench` has no time for.
    """

    name: str
    limit: float
    figure: Callable[[Round], float]
    show: Callable[[float], str]
    at_least: bool = False
    elsewhere: str = ""

    def rounds(self, rounds: Sequence[Round]) -> list[float]:
        """The figure in the rounds that have it."""
        found = map(self._in, rounds)
        return [figure for figure in found if figure is not None]

    def _in(self, answers: Round) -> float | None:
        try:
            return self.figure(answers)
        except (KeyError, ZeroDivisionError):  # a peer that is not there, or that has failed
            return None

    def reached(self, figure: float) -> bool:
        """Whether a figure keeps the limit."""
        return figure >= self.limit if self.at_least else figure <= self.limit

    def verdict(self, rounds: Sequence[Round]) -> str:
        """ "reached" or "not reached", where all rounds agree; "noisy" or "not measured"."""
        return verdict.verdict([self.reached(figure) for figure in self.rounds(rounds)])


def _of(key: str, base: str) -> Callable[[Round], float]:
    return lambda answers: answers[_OURS].figures[key] / answers[base].figures[key]


def _encoded(kind: str) -> Callable[[Round], float]:
    """The writer thread's CPU, of all that the same call costs torch's process."""
    ours, theirs = f"kinds/{kind}{ON_THREAD}", f"kinds/{kind}"
    return lambda answers: answers[_OURS].figures[ours] / answers[_TORCH].figures[theirs]


def _own(key: str) -> Callable[[Round], float]:
    return lambda answers: answers[_OURS].figures[key]


def _nowhere(answers: Round) -> float:
    raise KeyError("it takes longer than `tbasync bench` may")


def _fraction(figure: float) -> str:
    return f"1/{number(1 / figure)}" if figure < 1 else f"{number(figure)}x"


def _in(unit: str) -> Callable[[float], str]:
    return lambda figure: f"{number(figure)} {unit}"


def _percent(figure: float) -> str:
    return f"{figure:+.1f} %"


GOALS = (
    Goal("push of a float, median, of torch's", 1 / 15, _of("latency/p50", _TORCH), _fraction),
    Goal(
        "push of a float, burst of 200,000, of torch's", 1 / 80, _of("latency/burst mean", _TORCH), _fraction
    ),
    Goal("push of a float, median, of the floor", 1.6, _of("latency/p50", _FLOOR), _fraction),
    Goal("paced push, p99.9", 10_000, _own("latency/paced p99.9"), _in("ns")),
    Goal("paced push, longest", 1_000, _own("latency/paced max"), _in("µs")),
    Goal("log_metrics of 20 values", 60, _own("metrics/log_metrics of 20"), _in("ns a value")),
    Goal("whole-process CPU per scalar, of torch's", 1 / 40, _of("cpu/CPU", _TORCH), _fraction),
    Goal("training step, 10 scalars", 1.0, _own(f"steps/overhead, {SCALARS}"), _percent),
    Goal("training step, and histograms", 4.0, _own(f"steps/overhead, {HISTOGRAMS}"), _percent),
    Goal("busy loop, 10,000 scalars/s: p99.9 gap", 1.0, _own(f"gap/{GAPS} p99.9"), _in("ms")),
    Goal("busy loop, 10,000 scalars/s: iterations lost", 2.0, _own(f"gap/{GAPS} lost"), _percent),
    Goal("histogram of 10,000, writer's CPU, of torch's", 1 / 20, _encoded("histogram of 10,000"), _fraction),
    Goal("histogram of 4 million, of torch's", 1 / 2.5, _encoded("histogram of 4 million"), _fraction),
    Goal(
        "PR curve of 1 million, writer's CPU, of torch's", 1 / 4, _encoded("PR curve of 1 million"), _fraction
    ),
    Goal(
        "image 512x512, noise, writer's CPU, of torch's", 1 / 3, _encoded("image 512x512, noise"), _fraction
    ),
    Goal(
        "image 512x512, smooth, writer's CPU, of torch's",
        1 / 1.5,
        _encoded("image 512x512, smooth"),
        _fraction,
    ),
    Goal("add_figure, caller's time, of torch's", 1 / 20, _of("media/add_figure", _TORCH), _fraction),
    Goal("events a second, nothing lost", 1e6, _own("cpu/events"), _in("a second"), at_least=True),
    Goal("CPU per event, 10^4 to 10^7 events", 1.15, _nowhere, _fraction, elsewhere="growth"),
    Goal("CPU per event, 1 to 10,000 tags", 2.0, _nowhere, _fraction, elsewhere="growth"),
    Goal("memory over 10^7 events", 64, _nowhere, _in("MiB"), elsewhere="memory"),
)


def report(rounds: Sequence[Round]) -> list[str]:
    """The table of goals: the limit, the median of the rounds and their range, the verdict."""
    lines = ["", f"{'to reach':48}{'limit':>18}{'median':>18}{'rounds':>42}  verdict"]
    for goal in GOALS:
        found = goal.rounds(rounds)
        middle, span = "", ""
        if found:
            figures = verdict.Measured.of(found)
            middle = goal.show(figures.median)
            span = f"{goal.show(figures.low)} to {goal.show(figures.high)}" if len(found) > 1 else "one"
        sign = "≥" if goal.at_least else "≤"
        said = goal.verdict(rounds) + (f" here: benchmarks/{goal.elsewhere}" if goal.elsewhere else "")
        lines.append(f"{goal.name:48}{f'{sign} {goal.show(goal.limit)}':>18}{middle:>18}{span:>42}  {said}")
    return lines

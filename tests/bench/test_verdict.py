"""What is said of made-up rounds: a ratio, a verdict, or "noisy"."""

from __future__ import annotations

import pytest

from tbasync.bench import goals, growth, table, verdict
from tbasync.bench.cpu import UNIT as CPU
from tbasync.bench.runner import Answers, Round
from tbasync.bench.steps import SCALARS


def rounds_of(**figures: list[float]) -> list[Round]:
    """Rounds of the CPU question, from one list of figures a peer; NaN stands for a failure in that round."""
    count = max(map(len, figures.values()))
    made = []
    for number in range(count):
        answers = {}
        for peer, values in figures.items():
            value = values[number]
            failed = value != value
            answers[peer] = Answers({}, {"cpu": "it crashed"}) if failed else Answers({"cpu/CPU": value}, {})
        made.append(answers)
    return made


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1.0, 1.0, 1.0], [40.0, 40.0, 40.0], 1 / 40),
        ([1.0, 2.0, 4.0], [40.0, 80.0, 160.0], 1 / 40),  # the machine drifts, the ratio does not
        ([1.0, 1.2, 1.45], [10.0, 10.0, 10.0], 0.12),
        ([1.0, 1.2, 1.51], [10.0, 10.0, 10.0], None),
        ([1.0], [40.0], None),  # one round has no spread
        ([], [], None),
        ([1.0, 1.0], [0.0, 40.0], None),
        ([0.0, 0.0], [40.0, 40.0], None),
    ],
)
def test_a_ratio_is_stated_only_if_the_rounds_agree(
    ours: list[float], theirs: list[float], expected: float | None
) -> None:
    """Compared round by round; a spread of more than 1.5, a single round or a zero is noise."""
    assert verdict.ratio(ours, theirs) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.2, 0.9], True),
        ([0.2, 1.3], False),
        ([90.0, 120.0], True),
        ([50.0, 120.0], False),
        ([1.0], False),
        ([-0.4, 0.5], True),
    ],
)
def test_a_difference_in_percent(differences: list[float], expected: bool) -> None:
    """Within a point, or within half of the median."""
    assert verdict.steady_percent(differences) is expected


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        ([True, True], "reached"),
        ([False, False], "not reached"),
        ([True, False, True], "noisy"),
        ([True], "noisy"),
        ([False], "noisy"),
        ([], "not measured"),
    ],
)
def test_a_verdict_needs_every_round(reached: list[bool], expected: str) -> None:
    """One round that says the contrary, or one round alone, is no verdict."""
    assert verdict.verdict(reached) == expected


def test_ratios_in_words() -> None:
    """A fraction below one, a multiple above, noise for None."""
    assert [verdict.shown(value) for value in (0.025, 1.5, None)] == ["1/40.0", "1.5x", "noisy"]


def goal(name: str) -> goals.Goal:
    """The one goal whose name begins so."""
    (found,) = [goal for goal in goals.GOALS if goal.name.startswith(name)]
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([0.7, 0.8], [40.0, 44.0], "reached"),
        ([2.0, 2.0], [40.0, 44.0], "not reached"),
        ([0.7, 2.0], [40.0, 40.0], "noisy"),
        ([0.7, float("nan"), 0.8], [40.0, 40.0, 40.0], "reached"),
        ([float("nan")] * 2, [40.0, 40.0], "not measured"),
    ],
)
def test_a_goal_against_torch(ours: list[float], theirs: list[float], expected: str) -> None:
    """CPU per scalar of at most a fortieth, in all rounds that have both."""
    assert goal("whole-process CPU").verdict(rounds_of(tbasync=ours, torch=theirs)) == expected


def test_a_goal_without_its_peer_or_its_figure() -> None:
    """Nothing is said where torch is not there, or where the question was not asked."""
    assert goal("whole-process CPU").verdict(rounds_of(tbasync=[1.0, 1.0])) == "not measured"
    assert goal("paced push, p99.9").verdict(rounds_of(tbasync=[1.0, 1.0])) == "not measured"
    assert goal("memory over").verdict(rounds_of(tbasync=[1.0, 1.0])) == "not measured"


def test_a_lower_limit_and_a_percentage() -> None:
    """At least a million events a second; at most one percent of a step."""
    answers = [
        {"tbasync": Answers({"cpu/events": events, f"steps/overhead, {SCALARS}": percent})}
        for events, percent in ((1.1e6, 0.4), (1.2e6, -0.2))
    ]
    assert goal("events a second").verdict(answers) == "reached"
    assert goal("training step, 10 scalars").verdict(answers) == "reached"
    slower = [{"tbasync": Answers({"cpu/events": 0.9e6})}] * 2
    assert goal("events a second").verdict(slower) == "not reached"
    assert any("≥ 1,000,000 a second" in line and "reached" in line for line in goals.report(answers))


def test_a_table_with_a_noisy_cell_and_a_crash() -> None:
    """Ratios in brackets of the base's column, "noisy" where rounds disagree, and who crashed, with how often."""
    nan = float("nan")
    rounds = rounds_of(tbasync=[1.0, 1.1], torch=[40.0, 42.0], tensorboardX=[30.0, 60.0], wandb=[nan, nan])
    text = "\n".join(table.table(rounds, CPU))
    assert "1.05 ±5%  1/39.1" in text
    assert "45.0 ±33%  noisy" in text
    assert "41.0 ±2%" in text
    assert "wandb: failed in 2 of 2 rounds: it crashed" in text
    assert "wall" not in text  # a line for what nobody has would be empty


def test_growth_over_made_up_rounds() -> None:
    """The dearest amount over the cheapest, round by round, against the limit."""
    series = {10: rounds_of(tbasync=[1.0, 1.0]), 100: rounds_of(tbasync=[1.1, 1.2])}
    for rounds in series.values():
        for answers in rounds:
            answers["tbasync"].figures |= {"cpu/events": 1e6, "cpu/memory growth": 2.0}
    lines, said = growth.report("events", series, "tbasync", 1.15)
    assert lines[2].split()[:4] == ["100", "1.15", "(1.10", "to"]
    assert said == "dearest over cheapest, round by round: 1.10, 1.20; to reach: ≤ 1.15: noisy"
    assert growth.report("events", series, "tbasync", 1.3)[1].endswith(": reached")

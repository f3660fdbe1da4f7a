"""What the tests of both originals share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from .calls import Call, Calls, arguments

# Deterministic, of one example after another, without looking for several faults at once.
CHECKS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def unused_arguments(strategy: Calls, method: Callable[..., Any]) -> set[str]:
    """The arguments of a method that not one of many calls makes use of."""
    parameters = arguments(method)
    unused = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}

    @settings(CHECKS, max_examples=60, phases=[Phase.generate])
    @given(call=strategy)
    def draw(call: Call) -> None:
        unused.difference_update([p.name for p in parameters[: len(call.args)]], call.kwargs)

    draw()
    return unused

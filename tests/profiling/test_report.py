"""What a profile says at its end, in words."""

from __future__ import annotations

from typing import Any

import pytest

from tbasync.profiling.report import report
from tbasync.profiling.result import Method, Result


def method(name: str, calls: int, total: float) -> Method:
    return Method(name, calls, total, *[total / calls] * 4)


def result(methods: list[Method], **others: Any) -> Result:
    spent = sum(method.total_seconds for method in methods)
    return Result(10.0, 9.0, spent, 0.0, 0.0, methods, [], [], **others)


def last_words(own: Result, other: Result | None = None) -> str:
    text = report(own, other)[-1]
    assert isinstance(text, str)
    return text


def test_an_estimate_leaves_the_barriers_wait_out() -> None:
    """And says so."""
    own = result([method("add_scalar", 100, 1.0)], estimate=[method("add_scalar", 100, 0.1)])
    expected = (
        "With tbasync it would be about 100 ms, 10 times less, but for what flush() and close() wait for."
    )
    assert expected in last_words(own)


def test_methods_that_could_not_be_tried_are_named() -> None:
    """There is no total without them."""
    own = result(
        [method("add_scalar", 100, 1.0), method("add_graph", 1, 1.0), method("add_text", 1, 1.0)],
        estimate=[method("add_scalar", 100, 0.1)],
    )
    expected = (
        "With tbasync: no estimate, for all calls of add_graph, add_text failed when they were made again."
    )
    assert expected in last_words(own)


@pytest.mark.parametrize("barrier", [0.1, 0.001])
def test_a_comparison_says_what_barriers_took(barrier: float) -> None:
    """If that is a good part of it."""
    own = result([method("add_scalar", 100, 1.0), method("close", 1, 0.01)])
    other = result([method("add_scalar", 100, 0.02), method("close", 1, barrier)])
    words = last_words(own, other)
    assert (", 100 ms of it in flush() and close(), which wait until all is written;" in words) == (
        barrier > 0.01
    )
    assert "the whole run took 10.0 s instead of 10.0 s" in words
    assert "they are not the same" not in words


def test_runs_that_did_not_log_the_same_are_not_compared_in_silence() -> None:
    """A script that ended early, or chose another way."""
    words = last_words(result([method("add_scalar", 100, 1.0)]), result([method("add_scalar", 1, 0.01)]))
    assert "That run logged 1 times, and the first one 100 times: they are not the same." in words

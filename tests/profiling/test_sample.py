"""Samples of calls: bounded, spread over the run, and as the calls were."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.profiling import sample as samples
from tbasync.profiling.sample import Sample


@settings(max_examples=20)
@given(st.integers(0, 5000))
def test_spread_evenly_and_bounded(count: int) -> None:
    """Of any number of calls, at most 256 are kept, at even distances from the first one on."""
    sample = Sample()
    for step in range(count):
        sample.offer("add_scalar", ("a", 1.0, step), {})
    steps = [sampled.call.arguments[2] for sampled in sample.calls]
    assert len(steps) <= 256
    assert len(steps) == count or len(steps) >= 127
    distances = set(np.diff(steps))
    assert len(distances) <= 1
    assert steps[:1] == [0][:count]
    assert not distances or count - steps[-1] <= distances.pop()


def test_methods_share_nothing_but_the_order() -> None:
    """Each method has a sample of its own; together they are in the order of the calls."""
    sample = Sample()
    for step in range(1000):
        sample.offer("often", (step,), {})
        if step % 100 == 0:
            sample.offer("seldom", (), {"step": step})
    calls = sample.calls
    seldom = [sampled.call.options["step"] for sampled in calls if sampled.name == "seldom"]
    assert seldom == list(range(0, 1000, 100))
    assert [sampled.order for sampled in calls] == sorted(sampled.order for sampled in calls)


def test_bounded_in_bytes(monkeypatch: Any) -> None:
    """Large arguments thin a sample out as well; one call is kept however large it is."""
    monkeypatch.setattr(samples, "_MOST_BYTES", 10_000)
    sample = Sample()
    for _ in range(100):
        sample.offer("add_histogram", ("h", np.zeros(500)), {})
    assert 1 <= sum(sampled.call.nbytes for sampled in sample.calls) <= 10_000
    sample = Sample()
    sample.offer("add_histogram", ("h", np.zeros(10_000)), {})
    assert len(sample.calls) == 1


def test_arguments_are_as_they_were() -> None:
    """What is changed after the call is in the sample as it was at the call."""
    sample = Sample()
    values = np.zeros(3)
    sample.offer("add_histogram", ("h", values), {})
    values += 1
    assert sample.calls[0].call.arguments[1].tolist() == [0, 0, 0]


def test_what_there_is_no_memory_for_is_left_out() -> None:
    """An argument too large to be copied costs the sample one call, and the script nothing."""

    class Refusing(dict):  # type: ignore[type-arg]
        def __copy__(self) -> Any:
            raise MemoryError

    sample = Sample()
    sample.offer("add_hparams", (Refusing(a=1),), {})
    sample.offer("add_hparams", ({"a": 1},), {})
    assert [sampled.call.arguments for sampled in sample.calls] == [({"a": 1},)]

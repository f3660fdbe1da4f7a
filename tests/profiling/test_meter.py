"""Timed calls: each counted once, where it was made, with what belongs to it and nothing else."""

from __future__ import annotations

import functools
import inspect
import threading
import time
from array import array
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync.profiling import meter as meters
from tbasync.profiling.instruments import Instruments
from tbasync.profiling.meter import Meter
from tbasync.profiling.result import Result, result


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the meter's own."""
    clock = Clock()
    monkeypatch.setattr(meters, "perf_counter_ns", clock)
    return clock


class Writer:
    """A writer whose methods take as long as they are told."""

    clock: Clock

    def add_scalar(self, tag: str, nanoseconds: int) -> int:
        self.clock.now += nanoseconds
        return nanoseconds

    def add_scalars(self, tag: str, nanoseconds: int) -> None:
        self.clock.now += 1
        self.add_scalar(tag, nanoseconds)
        self.add_scalar(tag, nanoseconds)

    def add_failure(self, nanoseconds: int) -> None:
        self.clock.now += nanoseconds
        raise KeyError(nanoseconds)


def measured(meter: Meter, clock: Clock) -> Any:
    """A writer whose methods are timed."""
    members = {
        name: meter.logging(name, method)
        for name, method in inspect.getmembers(Writer, inspect.isfunction)
        if name.startswith("add_")
    }
    return type("Measured", (Writer,), {**members, "clock": clock})()


def by_name(methods: Any) -> dict[str, Any]:
    """Methods of a result by their names."""
    return {method.name: method for method in methods}


def test_calls_are_counted_and_timed(clock: Clock) -> None:
    """Count, total, mean, median and maximum are those of the calls; what a method returns comes out."""
    meter = Meter()
    writer = measured(meter, clock)
    for nanoseconds in (5, 1, 30, 4):
        assert writer.add_scalar("a", nanoseconds) == nanoseconds
    method = by_name(result(meter, 100, {}).methods)["add_scalar"]
    assert method.calls == 4
    figures = (method.total_seconds, method.mean_seconds, method.p50_seconds, method.max_seconds)
    assert figures == pytest.approx((40e-9, 10e-9, 4e-9, 30e-9))


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_quantiles_are_numpys(durations: list[int]) -> None:
    """p50 and p99 are the values that at least that share of the calls did not exceed."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meters, "perf_counter_ns", clock)
        meter = Meter()
        writer = measured(meter, clock)
        for nanoseconds in durations:
            writer.add_scalar("a", nanoseconds)
    method = result(meter, 1, {}).methods[0]
    expected = np.quantile(np.array(durations) / 1e9, [0.5, 0.99], method="inverted_cdf")
    assert (method.p50_seconds, method.p99_seconds) == pytest.approx(tuple(expected))


def test_calls_within_calls_are_part_of_them(clock: Clock) -> None:
    """A method that is made of others is one call; theirs are not entered on their own."""
    meter = Meter()
    measured(meter, clock).add_scalars("a", 10)
    methods = by_name(result(meter, 100, {}).methods)
    assert set(methods) == {"add_scalars"}
    assert methods["add_scalars"].total_seconds == pytest.approx(21e-9)


def overriding(meter: Meter, clock: Clock) -> Any:
    """A writer of a user's class, two deep, whose methods spend 100 ns of their own in each."""

    class Mine(type(measured(meter, clock))):  # type: ignore[misc]
        def add_scalar(self, tag: str, nanoseconds: int) -> Any:
            clock.now += 60
            result = super().add_scalar(tag, nanoseconds)
            clock.now += 40
            return result

        def add_scalars(self, tag: str, nanoseconds: int) -> None:
            clock.now += 100
            for _ in range(3):
                super().add_scalar(tag, nanoseconds)
            super().add_scalars(tag, nanoseconds)

        def add_failure(self, nanoseconds: int) -> None:
            clock.now += 100

    class Further(Mine):
        def add_scalar(self, tag: str, nanoseconds: int) -> Any:
            clock.now += 100
            return super().add_scalar(tag, nanoseconds)

    for cls in (Mine, Further):
        for name in set(vars(cls)) & {"add_scalar", "add_scalars", "add_failure"}:
            setattr(cls, name, meter.overriding(name, vars(cls)[name]))
    return Further()


def test_a_subclass_counts_as_a_whole(clock: Clock) -> None:
    """The outermost call is timed and counted once, at the line that makes it, whatever it calls in turn."""
    meter = Meter()
    writer = overriding(meter, clock)
    start = clock.now
    first = inspect.getsourcelines(test_a_subclass_counts_as_a_whole)[1]
    for nanoseconds in (5, 7):
        assert writer.add_scalar("a", nanoseconds) == nanoseconds
    writer.add_scalars("a", 10)
    writer.add_failure(1)
    figures = result(meter, clock.now - start, {})
    found = {method.name: (method.calls, method.total_seconds) for method in figures.methods}
    assert found == {
        "add_scalar": (2, pytest.approx(412e-9)),
        # Its own 100, three of the package's, and the package's with two of this class's, which are part of it.
        "add_scalars": (1, pytest.approx((100 + 3 * 10 + 1 + 2 * 210) * 1e-9)),
        "add_failure": (1, pytest.approx(100e-9)),
    }
    assert figures.logging_seconds == pytest.approx(figures.wall_seconds)
    assert {site.line - first for site in figures.sites} == {7, 8, 9}
    assert (figures.measuring_seconds, clock.now - start) == (0, 412 + 551 + 100)


def test_the_estimate_of_a_subclass(clock: Clock) -> None:
    """Its methods are sampled as the package's calls that they make, and cost what they spend themselves."""
    meter = Meter()
    writer = overriding(meter, clock)
    writer.add_scalar("a", 5)
    writer.add_scalars("a", 10)
    writer.add_failure(1)
    sampled = [(call.name, call.call.arguments) for call in meter.sample.calls]
    scalar = ("add_scalar", ("a", 10))
    assert sampled == [("add_scalar", ("a", 5)), scalar, scalar, scalar, ("add_scalars", ("a", 10))]
    tried = {"add_scalar": array("q", [2, 4]), "add_scalars": array("q", [1])}
    estimate = by_name(result(meter, 1000, tried).estimate)
    assert estimate["add_scalar"].total_seconds == pytest.approx((200 + 3) * 1e-9)
    assert estimate["add_scalars"].total_seconds == pytest.approx((100 + 3 * 3 + 1) * 1e-9)
    assert estimate["add_failure"].total_seconds == pytest.approx(100e-9)
    only = by_name(result(meter, 1000, {"add_scalar": array("q", [2, 4])}).estimate)
    assert set(only) == {"add_scalar", "add_failure"}


def test_an_override_that_raises(clock: Clock) -> None:
    """Its exception comes out, from above or from below the package's method, and the next call is timed as ever."""
    meter = Meter()
    base = type(measured(meter, clock))

    class Mine(base):  # type: ignore[misc, valid-type]
        def add_failure(self, nanoseconds: int) -> None:
            if nanoseconds > 5:
                raise ValueError
            super().add_failure(nanoseconds)

    Mine.add_failure = meter.overriding("add_failure", Mine.add_failure)  # type: ignore[method-assign]
    writer = Mine()
    for nanoseconds, kind in ((9, ValueError), (3, KeyError)):
        with pytest.raises(kind):
            writer.add_failure(nanoseconds)
    writer.add_scalar("a", 5)
    methods = by_name(result(meter, 100, {}).methods)
    assert (methods["add_failure"].calls, methods["add_failure"].total_seconds) == (2, pytest.approx(3e-9))
    assert methods["add_scalar"].total_seconds == pytest.approx(5e-9)


def test_what_measuring_a_subclass_costs_is_left_out(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """To take samples within a call of a subclass is no part of that call, nor of what it spent itself."""
    meter = Meter()
    writer = overriding(meter, clock)
    monkeypatch.setattr(meter.sample, "offer", lambda *_: setattr(clock, "now", clock.now + 1000))
    writer.add_scalar("a", 5)
    figures = result(meter, clock.now, {"add_scalar": array("q", [0])})
    assert figures.methods[0].total_seconds == pytest.approx(205e-9)
    assert figures.estimate[0].total_seconds == pytest.approx(200e-9)
    assert figures.measuring_seconds == pytest.approx(1000e-9)


def test_a_call_that_raises_counts(clock: Clock) -> None:
    """Its exception comes out, its time is entered, and the next call is timed as ever."""
    meter = Meter()
    writer = measured(meter, clock)
    with pytest.raises(KeyError):
        writer.add_failure(7)
    writer.add_scalar("a", 5)
    methods = by_name(result(meter, 100, {}).methods)
    assert methods["add_failure"].total_seconds == pytest.approx(7e-9)
    assert methods["add_scalar"].total_seconds == pytest.approx(5e-9)


def test_lines_are_those_of_the_callers(clock: Clock) -> None:
    """Calls are gathered by the line that makes them, the dearest line first."""
    meter = Meter()
    writer = measured(meter, clock)
    first = inspect.getsourcelines(test_lines_are_those_of_the_callers)[1]
    for _ in range(3):
        writer.add_scalar("a", 1)
    _ = writer.add_scalar("a", 10), writer.add_scalars("a", 20)
    sites = result(meter, 100, {}).sites
    assert [(site.line - first, site.method, site.calls) for site in sites] == [
        (7, "add_scalars", 1),
        (7, "add_scalar", 1),
        (6, "add_scalar", 3),
    ]
    assert all(site.file.endswith("test_meter.py") for site in sites)


def test_threads_are_told_apart() -> None:
    """All threads' calls are in the table; the critical path is the main thread's alone."""
    meter = Meter()
    clock = Clock()
    writer = measured(meter, clock)
    slept = meter.logging("add_sleep", lambda self, seconds: time.sleep(seconds))
    threads = [threading.Thread(target=slept, args=(None, 0.01)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slept(None, 0.02)
    writer.add_scalar("a", 1)
    measured_result = result(meter, 10**9, {})
    assert by_name(measured_result.methods)["add_sleep"].calls == 4
    assert 0.02 <= measured_result.logging_seconds < measured_result.other_threads_seconds + 10
    assert measured_result.other_threads_seconds >= 0.03


def test_what_measuring_costs_is_left_out(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking samples and sizes takes time that is neither the call's nor the run's."""
    meter = Meter()
    writer = measured(meter, clock)
    start = clock.now
    monkeypatch.setattr(meter.sample, "offer", lambda *_: setattr(clock, "now", clock.now + 1000))

    class Event:
        def ByteSize(self) -> int:
            clock.now += 500
            return 84

    class EventFileWriter:
        def add_event(self, event: Event) -> None:
            clock.now += 3

    sized = meter.sizing(EventFileWriter.add_event)
    add_event = meter.logging("add_event", lambda self, event: sized(EventFileWriter(), event))
    add_event(writer, Event())
    figures = result(meter, clock.now - start, {})
    (method,) = figures.methods
    assert (method.total_seconds, method.bytes) == (pytest.approx(3e-9), 100)
    assert figures.measuring_seconds == pytest.approx(1500e-9)
    assert figures.wall_seconds == pytest.approx(3e-9)
    assert figures.active_seconds == pytest.approx(0, abs=1e-12)


class Tensor:
    """A tensor on a device, or not."""

    def __init__(self, clock: Clock, away: bool) -> None:
        self.clock, self.away = clock, away

    def item(self) -> float:
        self.clock.now += 50
        return 1.0


def test_reads_are_counted_as_waits(clock: Clock) -> None:
    """A read of a device tensor within a call is that call's wait; outside it has a row and a line."""
    meter = Meter()
    item = meter.reading("Tensor.item", Tensor.item, lambda tensor, _: tensor.away, False)
    add = meter.logging("add_scalar", lambda self, tensor: [item(tensor), item(tensor)])
    add(None, Tensor(clock, True))
    add(None, Tensor(clock, False))
    item(Tensor(clock, True))
    item(Tensor(clock, False))
    figures = result(meter, 1, {})
    (method,), (read,) = figures.methods, figures.reads
    assert (method.calls, method.device_syncs, method.total_seconds) == (2, 2, pytest.approx(200e-9))
    assert (read.calls, read.device_syncs, read.total_seconds) == (2, 1, pytest.approx(100e-9))
    assert "Tensor.item" in {site.method for site in figures.sites}


def test_reads_of_other_threads_are_not_ours(clock: Clock) -> None:
    """A writer's thread reads what it has been given: that is on nobody's critical path."""
    meter = Meter()
    item = meter.reading("Tensor.item", Tensor.item, lambda tensor, _: tensor.away, False)
    thread = threading.Thread(target=lambda: item(Tensor(clock, True)))
    thread.start()
    thread.join()
    figures = result(meter, 1, {})
    assert (figures.reads, figures.sites) == ([], [])


def test_moves_count_only_when_they_wait(clock: Clock) -> None:
    """`.cpu()` of a tensor that is there already is no read."""
    meter = Meter()
    cpu = meter.reading("Tensor.cpu", Tensor.item, lambda tensor, _: tensor.away, True)
    cpu(Tensor(clock, False))
    assert result(meter, 1, {}).reads == []
    cpu(Tensor(clock, True))
    assert result(meter, 1, {}).reads[0].calls == 1


def test_instruments_can_be_taken_off() -> None:
    """While they are removed the classes are as they were, own and inherited methods alike."""
    module = ModuleType("tbasync.writer")

    class Base:
        def add_text(self) -> None: ...

    class SummaryWriter(Base):
        def add_scalar(self) -> None: ...

    SummaryWriter.__module__ = module.__name__
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    before = dict(vars(SummaryWriter))
    instruments = Instruments(Meter())
    instruments._time_writers(module)
    instruments._time_writers(module)
    during = dict(vars(SummaryWriter))
    assert {"__init__", "add_scalar", "add_text"} <= set(during)
    assert during["add_scalar"].__wrapped__ is before["add_scalar"]
    with instruments.removed():
        assert dict(vars(SummaryWriter)) == before
    assert dict(vars(SummaryWriter)) == during


def test_classes_of_the_users_are_found() -> None:
    """What overrides a writer's method, in a subclass or a mixin, is timed from the first object on, and only that."""
    module = ModuleType("tbasync.writer")

    class SummaryWriter:
        def add_scalar(self, value: int) -> int:
            return value

        def flush(self) -> None: ...

    SummaryWriter.__module__ = module.__name__
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    meter = Meter()
    instruments = Instruments(meter)
    instruments._time_writers(module)

    class Mixin:
        def flush(self) -> None:
            super().flush()  # type: ignore[misc]

    class Mine(Mixin, SummaryWriter):
        @functools.wraps(SummaryWriter.add_scalar)
        def add_scalar(self, value: int) -> int:
            return super().add_scalar(value) + 1

        def add_both(self) -> None:
            self.add_scalar(1)
            self.add_scalar(2)

        add_static = staticmethod(len)

    class Behind:
        def add_scalar(self) -> None: ...

    class Further(Mine, Behind): ...

    before = [dict(vars(cls)) for cls in (Mixin, Mine, Further, Behind)]
    writer = Further()
    Further()
    during = [dict(vars(cls)) for cls in (Mixin, Mine, Further, Behind)]
    changed = [
        sorted(name for name in now if now[name] is not then[name])
        for then, now in zip(before, during, strict=True)
    ]
    assert changed == [["flush"], ["add_scalar"], [], []]
    assert writer.add_scalar(1) == 2
    writer.add_both()
    writer.flush()
    counts = {method.name: method.calls for method in result(meter, 1, {}).methods}
    assert counts == {"SummaryWriter()": 2, "add_scalar": 3, "flush": 1}
    with instruments.removed():
        assert [dict(vars(cls)) for cls in (Mixin, Mine, Further, Behind)] == before


def test_json_and_back(clock: Clock) -> None:
    """A result is the same after it has been JSON; the estimate's total is there if all is estimated."""
    meter = Meter()
    writer = measured(meter, clock)
    writer.add_scalar("a", 10)
    writer.add_scalar("a", 30)
    figures = result(meter, 1000, {"add_scalar": array("q", [2])})
    assert figures.estimated_seconds == pytest.approx(4e-9)
    assert Result.from_json(figures.to_json()) == figures
    assert result(meter, 1000, {}).estimated_seconds is None

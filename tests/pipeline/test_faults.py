"""What becomes of failures: said once, counted exactly, raised once; and the reporter itself cannot fail."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator

import pytest

from tbasync import LoggingError, TbasyncWarning
from tbasync.pipeline.faults import Faults, describe


class Unspeakable(Exception):
    """An exception that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.fixture
def said() -> Iterator[list[warnings.WarningMessage]]:
    """All warnings, each time they are given."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def test_failures_are_counted_and_raised_once(said: list[warnings.WarningMessage]) -> None:
    """The first one is the cause; the next call finds nothing."""
    faults = Faults("warn")
    first = ValueError("first")
    faults.failed("a", "lost", first, 3)
    faults.failed("b", "lost", KeyError("second"), 4)
    with pytest.raises(
        LoggingError, match="7 summaries were not logged; the first failure: ValueError: first"
    ) as c:
        faults.raise_pending()
    assert c.value.__cause__ is first
    assert c.value.failures == 7
    faults.raise_pending()


def test_each_cause_is_said_once(said: list[warnings.WarningMessage]) -> None:
    """A thousand failures of two causes are two warnings."""
    faults = Faults("warn")
    for k in range(1000):
        faults.failed(k % 2, f"cause {k % 2}", ValueError())
    assert [str(warning.message) for warning in said] == ["cause 0", "cause 1"]
    assert all(warning.category is TbasyncWarning for warning in said)


def test_causes_without_end_fall_silent_but_trouble_does_not(said: list[warnings.WarningMessage]) -> None:
    """A tag in each message must not fill the screen, nor use up what a full disk has to say."""
    faults = Faults("warn")
    for k in range(10_000):
        faults.note(k, "note")
    assert len(said) == 256
    faults.trouble("disk", "the disk is full", OSError())
    assert str(said[-1].message) == "the disk is full"


def test_trouble_is_said_once_until_it_is_over(said: list[warnings.WarningMessage]) -> None:
    """Two disks that fail in turn are two warnings, however often they are tried."""
    faults = Faults("warn")
    for _ in range(2):
        for _ in range(50):
            faults.trouble("a", "disk a", OSError(1, "a"))
            faults.trouble("b", "disk b", OSError(2, "b"))
        faults.recovered()
    assert [str(warning.message) for warning in said] == ["disk a", "disk b"] * 2


def test_threads_with_one_cause_say_it_once(said: list[warnings.WarningMessage]) -> None:
    """Whoever comes first."""
    faults = Faults("warn")
    start = threading.Barrier(8)

    def note() -> None:
        start.wait()
        faults.note("cause", "said")

    threads = [threading.Thread(target=note) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 1


def test_warnings_that_are_errors_do_not_stop_anything() -> None:
    """Under `-W error` the warning would be an exception on the writer thread."""
    faults = Faults("warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faults.failed("a", "lost", ValueError("x"))
    with pytest.raises(LoggingError):
        faults.raise_pending()


@pytest.mark.parametrize("answer", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_handler_that_raises_is_on_its_own(answer: type[BaseException]) -> None:
    """It gets every failure; what it raises goes nowhere, and nothing is pending."""
    heard: list[BaseException] = []

    def handler(error: BaseException) -> None:
        heard.append(error)
        raise answer

    faults = Faults(handler)
    for _ in range(3):
        faults.failed("a", "lost", ValueError("x"))
        faults.trouble("b", "trouble", OSError("y"))
    faults.raise_pending()
    assert not faults.raise_at_push
    assert [type(error) for error in heard] == [ValueError, OSError, ValueError, ValueError]


def test_raise_at_push(said: list[warnings.WarningMessage]) -> None:
    """A failure, and a trouble, is raised by one push; when the trouble is over nothing is."""
    faults = Faults("raise")
    assert not faults.raise_at_push
    faults.trouble("disk", "full", OSError("full"))
    assert faults.raise_at_push
    with pytest.raises(LoggingError, match="nothing can be written for now: OSError: full"):
        faults.raise_untold()
    assert not faults.raise_at_push
    faults.trouble("disk", "full", OSError("full"))
    assert not faults.raise_at_push
    faults.recovered()
    faults.trouble("disk", "full", OSError("full"))
    faults.recovered()
    assert not faults.raise_at_push
    faults.failed("a", "lost", ValueError("x"))
    assert faults.raise_at_push
    with pytest.raises(LoggingError, match="1 summary was not logged"):
        faults.raise_untold()
    assert not faults.raise_at_push


def test_an_exception_that_cannot_be_shown_is_reported_all_the_same(
    said: list[warnings.WarningMessage],
) -> None:
    """Its type is what there is to say."""
    assert describe(Unspeakable()) == "Unspeakable"
    faults = Faults("warn")
    faults.failed("a", "lost", Unspeakable())
    with pytest.raises(LoggingError, match="the first failure: Unspeakable"):
        faults.raise_pending()


def test_counts_are_exact_across_threads() -> None:
    """Pushers that drop report while a flush takes the count away."""
    faults = Faults("warn")
    faults.note("a", "x")
    taken = 0

    def fail() -> None:
        for _ in range(2000):
            faults.failed("a", "lost", ValueError("x"), 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=fail) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) or taken < 8000:
            try:
                faults.raise_pending()
            except LoggingError as error:
                taken += error.failures
    assert taken == 8000

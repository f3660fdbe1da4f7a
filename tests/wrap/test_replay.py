"""`wrap()` of any object with `add_*` methods: its calls are made elsewhere, as they were meant, in order."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync
from tbasync import LoggingError, TbasyncWarning

ROOT = Path(__file__).resolve().parents[2]


class Recorder:
    """A writer that notes its calls; each takes a lock that nobody else may hold at that moment."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.threads: set[int] = set()
        self.title = "a title"
        self.gate = threading.Event()
        self.gate.set()
        self._alone = threading.Lock()

    def _note(self, *call: Any) -> None:
        assert self._alone.acquire(blocking=False), "two calls at once"
        self.gate.wait(60)
        self.calls.append(call)
        self.threads.add(threading.get_ident())
        self._alone.release()

    def add_scalar(
        self, tag: str, value: Any, step: int | None = None, walltime: float | None = None
    ) -> None:
        self._note("add_scalar", tag, value, step, walltime)

    def add_any(self, *arguments: Any, **options: Any) -> str:
        self._note("add_any", arguments, options)
        return "never seen"

    def add_failure(self, tag: str) -> None:
        raise ArithmeticError(tag)

    def describe(self, name: str, *, loud: bool = False) -> str:
        self._note("describe", name, loud)
        if not name:
            raise LookupError("no name")
        return f"{name.upper() if loud else name} after {len(self.calls)} calls"

    def flush(self) -> None:
        self._note("flush")

    def close(self) -> None:
        self._note("close")


class Bare:
    """A writer with nothing but one method."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add_value(self, value: Any) -> None:
        self.values.append(value)


def test_calls_are_made_in_order_by_one_thread() -> None:
    """Positional and keyword arguments arrive as given, in the order of the calls, not on this thread."""
    recorder = Recorder()
    wrapped = tbasync.wrap(recorder)
    for step in range(500):
        wrapped.add_scalar("loss", step * 0.5, step, 9.0)
        assert wrapped.add_any(step, [step], key={"k": step}) is None
    wrapped.flush()
    expected: list[Any] = []
    for step in range(500):
        expected.append(("add_scalar", "loss", step * 0.5, step, 9.0))
        expected.append(("add_any", (step, [step]), {"key": {"k": step}}))
    assert recorder.calls == [*expected, ("flush",)]
    assert len(recorder.threads) == 1
    assert threading.get_ident() not in recorder.threads
    wrapped.close()


def test_a_call_does_not_wait() -> None:
    """While the writer thread is held up, calls return; after a flush all have been made."""
    recorder = Recorder()
    wrapped = tbasync.wrap(recorder)
    recorder.gate.clear()
    for step in range(100):
        wrapped.add_scalar("loss", 1.0, step)
    assert recorder.calls == []
    recorder.gate.set()
    wrapped.flush()
    assert len(recorder.calls) == 101
    wrapped.close()


def test_what_is_changed_afterwards_is_logged_as_it_was() -> None:
    """Arrays, tensors, lists and dicts, nested too, have the values that they had at the call."""
    torch = pytest.importorskip("torch")
    recorder = Recorder()
    wrapped = tbasync.wrap(recorder)
    recorder.gate.clear()
    array, tensor, nested = np.zeros(3), torch.zeros(3), {"list": [np.zeros(2), {"x": bytearray(b"ab")}]}
    wrapped.add_any(array, tensor, nested)
    array += 1
    tensor += 1
    nested["list"][0] += 1  # type: ignore[operator]
    nested["list"][1]["x"][0] = 0  # type: ignore[index]
    nested["list"].append("more")
    recorder.gate.set()
    wrapped.flush()
    ((_, (was_array, was_tensor, was_nested), _), _) = recorder.calls
    assert (was_array.tolist(), was_tensor.tolist()) == ([0, 0, 0], [0, 0, 0])
    assert was_nested["list"][0].tolist() == [0, 0]
    assert was_nested["list"][1:] == [{"x": bytearray(b"ab")}]
    wrapped.close()


def test_the_time_of_a_call_is_when_it_was_called() -> None:
    """A method with an optional `walltime` gets the time of the call, not that of its being made."""
    recorder = Recorder()
    wrapped = tbasync.wrap(recorder)
    recorder.gate.clear()
    before = time.time()
    wrapped.add_scalar("loss", 1.0, 1)
    after = time.time()
    wrapped.add_scalar("loss", 1.0, 1, 5.0)
    wrapped.add_scalar("loss", 1.0, 1, walltime=6.0)
    recorder.gate.set()
    wrapped.flush()
    times = [call[-1] for call in recorder.calls[:3]]
    assert before <= times[0] <= after
    assert times[1:] == [5.0, 6.0]
    wrapped.close()


def test_it_passes_for_one_of_its_class() -> None:
    """isinstance, attributes, dir and repr are the original's; so is what is assigned."""
    recorder = Recorder()
    wrapped: Any = tbasync.wrap(recorder)
    assert isinstance(wrapped, Recorder)
    assert wrapped.title == "a title"
    wrapped.add_scalar("loss", 1.0)
    wrapped.title = "another"
    assert recorder.title == "another"
    assert len(recorder.calls) == 1  # the assignment came after the call
    assert {"add_scalar", "describe", "flush", "close", "title"} <= set(dir(wrapped))
    assert repr(recorder) in repr(wrapped)
    assert not hasattr(wrapped, "no_such_thing")
    assert tbasync.wrap(wrapped) is wrapped
    wrapped.close()


def test_other_methods_wait_their_turn_and_answer() -> None:
    """What returns something is called when all before it have been; its result or error is the caller's."""
    recorder = Recorder()
    wrapped = tbasync.wrap(recorder)
    for step in range(50):
        wrapped.add_scalar("loss", 1.0, step)
    assert wrapped.describe("it", loud=True) == "IT after 51 calls"
    with pytest.raises(LookupError, match="no name"):
        wrapped.describe("")
    assert len(recorder.threads) == 1
    wrapped.close()


def test_a_call_that_fails_is_told_once() -> None:
    """It is warned of, costs nobody else anything, and is raised by the next flush with its cause."""
    recorder = Recorder()
    wrapped: Any = tbasync.wrap(recorder)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            wrapped.add_failure("smoke")
        wrapped.add_scalar("loss", 1.0, 1)
        with pytest.raises(LoggingError, match="3 summaries") as caught:
            wrapped.flush()
    assert isinstance(caught.value.__cause__, ArithmeticError)
    (warning,) = said
    assert warning.category is TbasyncWarning
    assert "add_failure 'smoke'" in str(warning.message)
    assert wrapped.stats().failed == 3
    assert recorder.calls[0][:2] == ("add_scalar", "loss")
    wrapped.close()


def test_options_are_those_of_the_queue() -> None:
    """`on_full`, `on_error` and the like mean what they mean for tbasync's own writer."""
    errors: list[BaseException] = []
    wrapped: Any = tbasync.wrap(Recorder(), on_error=errors.append)
    wrapped.add_failure("x")
    wrapped.flush()
    assert [type(error) for error in errors] == [ArithmeticError]
    wrapped.close()


@pytest.mark.parametrize("option", ["no_such_option", "log_dir", "anchor", "ranks", "fsync", "self"])
def test_options_that_do_not_apply(option: str) -> None:
    """A TypeError that names the option, and all that are taken; the original has not been touched."""
    recorder = Recorder()
    taken = "interval, capacity, max_items, on_full, on_error"
    with pytest.raises(TypeError, match=rf"wrap\(\) of a Recorder takes no option '{option}', but {taken}$"):
        tbasync.wrap(recorder, interval=1, **{option: 1})
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("option", "value"), [("interval", "x"), ("capacity", 0), ("on_full", "explode"), ("on_error", None)]
)
def test_options_of_wrong_values(option: str, value: Any) -> None:
    """The error names the option."""
    with pytest.raises((TypeError, ValueError), match=f"^{option} must be"):
        tbasync.wrap(Recorder(), **{option: value})


def test_closing_and_going_on() -> None:
    """`close` makes all calls, then the original's own; whatever comes later is made all the same."""
    recorder = Recorder()
    wrapped = tbasync.wrap(recorder)
    wrapped.add_scalar("loss", 1.0, 1)
    wrapped.close()
    assert [call[0] for call in recorder.calls] == ["add_scalar", "close"]
    wrapped.add_scalar("loss", 2.0, 2)
    wrapped.close()
    assert [call[0] for call in recorder.calls] == ["add_scalar", "close"] * 2


def test_without_flush_and_close() -> None:
    """An object that has neither gets barriers all the same, and works as a context manager."""
    bare: Any = Bare()
    with tbasync.wrap(bare) as wrapped:
        wrapped.add_value(1)
        assert wrapped.flush()
        assert bare.values == [1]
        wrapped.add_value(2)
    assert bare.values == [1, 2]


def test_an_object_that_has_every_method() -> None:
    """What answers to any name, such as a framework's dummy on other ranks, is wrapped like the others."""

    class Dummy:
        def nothing(self, *_: Any, **__: Any) -> None: ...

        def __getattr__(self, name: str) -> Any:
            return self.nothing

    with tbasync.wrap(Dummy()) as wrapped:
        wrapped.add_scalar("loss", 1.0, 1)
        assert wrapped.anything_else(1) is None


def test_context_managers_of_its_own() -> None:
    """An original that is a context manager is entered and left, after its calls, with the exception."""

    class Managed(Bare):
        def __enter__(self) -> Managed:
            self.values.append("enter")
            return self

        def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
            self.values.append(kind)
            return kind is KeyError

    managed = Managed()
    with tbasync.wrap(managed) as wrapped:
        wrapped.add_value(1)
        raise KeyError
    assert managed.values == ["enter", 1, KeyError]


class Special(Bare):
    """A writer that is a container, a function and more."""

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: int) -> Any:
        return self.values[place]

    def __setitem__(self, place: int, value: Any) -> None:
        self.values[place] = value

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.values))

    def __call__(self, value: Any, *, twice: bool = False) -> Any:
        return value * 2 if twice else value

    def __eq__(self, other: object) -> bool:
        return other == "special"

    def __hash__(self) -> int:
        return 7

    def __str__(self) -> str:
        return f"special {self.values}"

    def __format__(self, spec: str) -> str:
        return f"formatted {spec}"

    def __del__(self) -> None:
        assert type(self) is Special


def test_special_methods() -> None:
    """What Python looks up in the class is there as well, and takes its turn behind the calls before it."""
    special = Special()
    wrapped: Any = tbasync.wrap(special)
    assert not wrapped
    for number in range(100):
        wrapped.add_value(number)
    assert len(wrapped) == 100
    wrapped[0] = "first"
    wrapped.add_value("last")
    assert (wrapped[0], "last" in wrapped, list(wrapped)[1:3]) == ("first", True, [1, 2])
    assert (wrapped(2), wrapped(2, twice=True)) == (2, 4)
    assert (wrapped == "special", hash(wrapped), f"{wrapped:x}") == (True, 7, "formatted x")
    assert str(wrapped).startswith("special ['first', 1")
    assert repr(wrapped).startswith("<tbasync.wrap(")
    with pytest.raises(IndexError):
        wrapped[1000]
    assert tbasync.wrap(wrapped) is wrapped
    wrapped.close()


def test_special_methods_that_are_not_there() -> None:
    """A class without them has none wrapped either; what can be compared and hashed stays so."""
    with tbasync.wrap(Bare()) as wrapped, tbasync.wrap(Bare()) as other:
        for use in (len, iter, lambda value: value[0], lambda value: value()):
            with pytest.raises(TypeError):
                use(wrapped)
        assert len({wrapped, other, wrapped}) == 2


def test_deleting_an_attribute() -> None:
    """It is deleted of the original, after the calls before."""
    recorder: Any = Recorder()
    with tbasync.wrap(recorder) as wrapped:
        wrapped.extra = 1
        del wrapped.extra
        assert not hasattr(recorder, "extra")
        with pytest.raises(AttributeError):
            del wrapped.extra


class Portable(Bare):
    """A writer that can be pickled."""


@pytest.mark.parametrize("duplicate", [lambda it: pickle.loads(pickle.dumps(it)), copy.copy, copy.deepcopy])
def test_copies(duplicate: Callable[[Any], Any]) -> None:
    """A pickle or a copy is wrapped as well, has what was called before and the options, and goes its own way."""
    original = Portable()
    with tbasync.wrap(original, max_items=77) as wrapped:
        for number in range(100):
            wrapped.add_value(number)
        with duplicate(wrapped) as copied:
            assert isinstance(copied, Portable)
            assert tbasync.wrap(copied) is copied
            assert copied._pipeline.options.max_items == 77
            assert copied._original is not original
            copied.values = [*copied.values, "its own"]
            copied.add_value("more")
            assert len(wrapped.values) == 100
        assert copied._original.values == [*range(100), "its own", "more"]


def test_what_cannot_be_pickled() -> None:
    """The error is that of pickling the original, and both go on working."""
    with tbasync.wrap(Recorder()) as wrapped:
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(wrapped)
        wrapped.add_scalar("loss", 1.0, 1)
        wrapped.flush()
        assert len(wrapped.calls) == 2


def test_a_flush_that_takes_too_long() -> None:
    """It answers False in time, and loses nothing."""
    recorder = Recorder()
    wrapped: Any = tbasync.wrap(recorder)
    recorder.gate.clear()
    wrapped.add_scalar("loss", 1.0, 1)
    assert wrapped.flush(timeout=0.05) is False
    recorder.gate.set()
    assert wrapped.flush(timeout=60) is True
    assert recorder.calls[0][0] == "add_scalar"
    wrapped.close()


@pytest.mark.parametrize("timeout", ["x", -1, float("nan")])
def test_timeouts_that_are_none(timeout: Any) -> None:
    """Whether the original has such methods or not, the error names the argument, and nothing is called."""
    recorder = Recorder()
    for original in (recorder, Bare()):
        wrapped: Any = tbasync.wrap(original)
        for barrier in (wrapped.flush, wrapped.close):
            with pytest.raises((TypeError, ValueError), match=r"^timeout must be"):
                barrier(timeout)
        wrapped.close()
    assert [call[0] for call in recorder.calls] == ["close"]


def test_from_within_a_call() -> None:
    """A call that uses the wrapped writer in turn does not wait for itself."""
    answers: list[Any] = []

    class Nested(Recorder):
        def add_nested(self, ask: Callable[[], Any]) -> None:
            answers.append(ask())

    wrapped: Any = tbasync.wrap(Nested())
    wrapped.add_nested(lambda: wrapped.describe("inside"))
    wrapped.flush()
    assert answers == ["inside after 1 calls"]
    wrapped.close()


SCRIPTS = {
    "end": "",
    "exit": "sys.exit(0)",
    "exception": "raise SystemExit('x')",
    "thread": "threading.Thread(target=lambda: [w.add_value(n) for n in range(500, 600)]).start()",
}


@pytest.mark.parametrize("end", SCRIPTS)
def test_nothing_is_lost_at_exit(end: str) -> None:
    """Calls are made before exit handlers that the original registered, which may close it."""
    script = f"""
        import atexit, sys, threading
        import tbasync
        class W:
            closed, values = False, []
            def __init__(self): atexit.register(self.end)
            def add_value(self, value):
                assert not self.closed
                self.values.append(value)
            def end(self):
                self.closed = True
                print(len(self.values))
        w = tbasync.wrap(W(), interval=60)
        for number in range(500):
            w.add_value(number)
        {SCRIPTS[end]}
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr.replace("x\n", "")) == ("600\n" if end == "thread" else "500\n", "")


def test_a_forked_child_makes_its_own_calls() -> None:
    """The child starts with an empty queue and a thread of its own, the parent goes on."""
    script = """
        import os, sys
        import tbasync
        class W:
            def __init__(self): self.values = []
            def add_value(self, value): self.values.append(value)
        original = W()
        w = tbasync.wrap(original, interval=60)
        w.add_value("parent")
        child = os.fork()
        w.add_value("child" if child == 0 else "parent")
        w.flush()
        assert original.values == (["child"] if child == 0 else ["parent"] * 2), original.values
        if child == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, check=True, timeout=60)


def test_a_forgotten_one_makes_its_calls() -> None:
    """A wrapped writer that is dropped without `close` still makes the calls that it was given."""
    done = threading.Event()

    class Last(Bare):
        def add_last(self) -> None:
            done.set()

    wrapped: Any = tbasync.wrap(Last(), interval=0.01)
    wrapped.add_last()
    del wrapped
    assert done.wait(60)

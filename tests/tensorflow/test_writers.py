"""Default writers, steps, conditions, scopes and errors, against TensorFlow's own."""

from __future__ import annotations

import inspect
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tbasync.summary
from tests.encode.support import examples
from tests.summary.reading import numbers

from .support import assert_same, outcome, plain, tf

BOTH = pytest.mark.parametrize("summary", [tbasync.summary, tf.summary], ids=["tbasync", "tensorflow"])

# Further keyword arguments, for tbasync's own options.
OWN = {"create_file_writer": {"options"}}


def functions(module: Any) -> dict[str, Any]:
    """The public functions of a module by name."""
    return {
        name: member
        for name, member in vars(module).items()
        if not name.startswith("_") and inspect.isfunction(inspect.unwrap(member))
    }


@pytest.mark.parametrize("place", ["", "experimental", "SummaryWriter"])
def test_every_function_is_there(place: str) -> None:
    """The functions of tf.summary, its experimental part and its writers, with the same arguments."""
    ours, theirs = (getattr(module, place, module) for module in (tbasync.summary, tf.summary))
    missing = functions(theirs).keys() - functions(ours).keys()
    assert not missing
    for name, function in functions(theirs).items():
        wanted = inspect.signature(function).parameters
        given_ = inspect.signature(functions(ours)[name]).parameters
        names = [argument for argument in given_ if argument not in OWN.get(name, set())]
        assert names[: len(wanted)] == list(wanted), name
        for argument, parameter in wanted.items():
            assert given_[argument].default == parameter.default, (name, argument)


@BOTH
def test_no_writer_no_summary(summary: Any) -> None:
    """Without a default writer every function answers False, needs no step, and nothing is recorded."""
    assert not plain(summary.should_record_summaries())
    assert plain(summary.scalar("a", 1.0)) is False
    assert plain(summary.write("a", lambda: 1 / 0)) is False
    assert plain(summary.experimental.write_raw_pb(b"")) is False
    assert plain(summary.image("i", np.zeros((1, 2, 2, 1)))) is False
    assert outcome(summary, lambda module: module.scalar("a", 1.0, step=1.5)) is TypeError
    assert outcome(summary, lambda module: module.scalar("a", 1.0, step=2**70)) is ValueError


@BOTH
def test_a_step_is_needed(summary: Any, tmp_path: Path) -> None:
    """With a writer and without a step ValueError is raised, unless nothing is to be recorded."""
    with summary.create_file_writer(str(tmp_path)).as_default():
        for log in (
            lambda: summary.scalar("a", 1.0),
            lambda: summary.text("a", "x"),
            lambda: summary.write("a", 1.0),
            lambda: summary.histogram("a", [1.0]),
            lambda: summary.experimental.write_raw_pb(b""),
        ):
            with pytest.raises(ValueError, match=r"(?i)no step"):
                log()
        with summary.record_if(False):
            assert plain(summary.scalar("a", 1.0)) is False
        assert plain(summary.scalar("a", 1.0, 0)) is True


def nested(summary: Any, root: Path) -> list[Any]:
    """Writers and steps within one another; what is the default step in between."""
    first, second = (summary.create_file_writer(str(root / name)) for name in ("first", "second"))
    seen, step = [], summary.experimental.get_step
    with first.as_default(step=10):
        summary.scalar("x", 1.0)
        with second.as_default(step=20):
            summary.scalar("x", 2.0)
            with first.as_default():
                seen.append(step())
                summary.scalar("x", 3.0)
                summary.experimental.set_step(30)
            seen.append(step())
            with summary.create_noop_writer().as_default(step=5) as nothing:
                seen.append(nothing)
                summary.scalar("x", 4.0)
        seen.append(step())
        summary.scalar("x", 5.0)
        with first.as_default(step=11):
            summary.scalar("x", 6.0)
        summary.create_noop_writer().set_as_default(9)
        summary.scalar("x", 7.0, step=1)
    seen += [step(), plain(summary.should_record_summaries())]
    second.set_as_default(step=40)
    summary.scalar("x", 8.0)
    first.set_as_default()
    summary.scalar("x", 9.0)
    summary.flush()
    summary.flush(second)
    left = first.as_default()
    left.__enter__()
    left.__exit__(None, None, None)
    seen += [step(), plain(summary.should_record_summaries())]
    summary.experimental.set_step(None)
    first.close()
    second.close()
    return [seen, numbers(root / "first"), numbers(root / "second")]


def in_a_thread(function: Any, *arguments: Any) -> Any:
    """The function's result in a thread of its own, which starts without settings and leaves none."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments)))
    thread.start()
    thread.join()
    return results[0]


def test_nesting(tmp_path: Path) -> None:
    """Default writers and steps are set and restored in the same way."""
    ours = in_a_thread(nested, tbasync.summary, tmp_path / "tbasync")
    assert ours == in_a_thread(nested, tf.summary, tmp_path / "tensorflow")
    assert len(ours[1]) + len(ours[2]) == 9


@BOTH
def test_a_thread_has_its_own_default(summary: Any, tmp_path: Path) -> None:
    """Another thread has neither the writer nor the step nor the condition of this one."""
    with summary.create_file_writer(str(tmp_path)).as_default(step=1), summary.record_if(True):
        assert in_a_thread(lambda: plain(summary.scalar("x", 1.0))) is False
        assert in_a_thread(summary.experimental.get_step) is None
        assert plain(summary.scalar("x", 1.0)) is True


CONDITIONS = (True, False, None, lambda: True, lambda: False, lambda: np.bool_(False))


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_conditions(condition: Any) -> None:
    """`record_if` with a bool, None or a function, and within another; what is recorded, and what is answered."""

    def log(summary: Any) -> list[Any]:
        with summary.record_if(condition):
            answers = [summary.should_record_summaries(), summary.scalar("x", 1.0, 1)]
            with summary.record_if(lambda: True):
                answers.append(summary.scalar("y", 1.0, 1))
            answers.append(summary.graph(tf.Graph().as_graph_def()))
        return [bool(plain(answer)) for answer in [*answers, summary.scalar("z", 1.0, 1)]]

    assert_same(log)


@pytest.mark.parametrize("name", ["", None, "a/b", "-x", "/x", "x/", "é", "a b", "_", "..", "x//y", "//"])
def test_scopes(name: str | None) -> None:
    """Names in scopes, and scopes of odd names, give the same tags; TensorFlow's own scopes count."""

    def log(summary: Any) -> list[Any]:
        seen = []
        with summary.experimental.summary_scope(name, "default") as given_:
            seen.append(given_)
            summary.scalar("in", 1.0, 1)
            with summary.experimental.summary_scope("deeper") as given_:
                seen.append(given_)
                summary.scalar(name, 1.0, 1)
        with tf.name_scope("outer"), summary.experimental.summary_scope("mine") as given_:
            seen.append(given_)
            summary.scalar("in", 1.0, 1)
            summary.write("not in", 1.0, 1)
        return seen

    assert_same(log)


@examples(50)
@given(st.lists(st.text(max_size=5), min_size=1, max_size=3))
def test_any_scopes(names: list[str]) -> None:
    """As above for any names that UTF-8 can hold."""
    names = [re.sub("[\ud800-\udfff]", "", name) for name in names]

    def log(summary: Any) -> list[Any]:
        scope = summary.experimental.summary_scope
        with scope(names[0]) as first, scope(names[-1]) as second:
            summary.scalar(names[len(names) // 2], 1.0, 1)
        return [first, second]

    assert_same(log)


@BOTH
def test_a_closed_writer(summary: Any, tmp_path: Path) -> None:
    """It cannot become the default; flushing and closing it again does nothing."""
    writer = summary.create_file_writer(str(tmp_path))
    writer.init()
    writer.close()
    for use in (writer.as_default, writer.set_as_default, writer.init):
        with pytest.raises(RuntimeError, match="closed"):
            use()
    writer.flush()
    writer.close()


@BOTH
def test_bad_arguments(summary: Any, tmp_path: Path) -> None:
    """Each raises, and the same kind of error where that is one of Python's."""
    with pytest.raises(ValueError, match="logdir"):
        summary.create_file_writer(None)
    with pytest.raises(TypeError):
        summary.create_file_writer(3)
    with pytest.raises(ValueError, match=r"flush|writer"):
        summary.flush(3)
    with summary.create_file_writer(str(tmp_path)).as_default(step=1):
        for error, log in (
            (ValueError, lambda: summary.scalar("x", [1.0, 2.0])),
            (TypeError, lambda: summary.scalar(3, 1.0)),
            (TypeError, lambda: summary.scalar("x", 1.0, step="1")),
            (Exception, lambda: summary.scalar("x", "1")),
            (TypeError, lambda: summary.text("x", 3)),
            (TypeError, lambda: summary.text("x", [])),
            (TypeError, lambda: summary.histogram("x", [1.0], buckets=2.5)),
            (Exception, lambda: summary.histogram("x", "x")),
            (ValueError, lambda: summary.image("x", np.zeros((2, 2, 1)))),
            (Exception, lambda: summary.image("x", np.zeros((1, 2, 2, 5)))),
            (Exception, lambda: summary.image("x", np.zeros((1, 2, 2, 1)), max_outputs=-1)),
            (ValueError, lambda: summary.audio("x", np.zeros((1, 2), np.float32), 8000)),
            (Exception, lambda: summary.audio("x", np.zeros((1, 2, 1), np.float32), 0)),
            (TypeError, lambda: summary.audio("x", np.zeros((1, 2, 1), np.float32), 8e3)),
            (ValueError, lambda: summary.audio("x", np.zeros((1, 2, 1), np.float32), 8000, encoding="mp3")),
            (TypeError, lambda: summary.write(3, 1.0)),
            ((ValueError, TypeError), lambda: summary.write("x", np.zeros(1, "datetime64[s]"))),
            (ValueError, lambda: summary.graph(3)),
        ):
            with pytest.raises(error):
                log()

"""Writers in the style of tf.summary, without TensorFlow: what is tbasync's own about them."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync
from tbasync import summary
from tests.support import plain_reader

from .reading import numbers, values


def test_the_default_writer_is_this_threads(tmp_path: Path) -> None:
    """Eight threads with a default writer and steps of their own, at once."""
    ready = threading.Barrier(8)

    def log(place: int) -> None:
        writer = summary.create_file_writer(tmp_path / str(place))
        with writer.as_default(step=place):
            ready.wait()
            for value in range(100):
                summary.scalar("x", value)
            ready.wait()
        writer.close()

    threads = [threading.Thread(target=log, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in range(8):
        assert numbers(tmp_path / str(place)) == [("x", place, value) for value in range(100)]


def test_leaving_the_context_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of `as_default()` is no barrier, and neither is a second context of the same writer."""
    writer = summary.create_file_writer(tmp_path, interval=3600)
    monkeypatch.setattr(writer.writer, "flush", lambda *_, **__: pytest.fail("flushed"))
    for step in range(3):
        with writer.as_default(step):
            summary.scalar("x", 1.0)
    monkeypatch.undo()
    writer.close()
    assert [step for _, step, _ in numbers(tmp_path)] == [0, 1, 2]


def test_flush_is_a_barrier(tmp_path: Path) -> None:
    """What was logged is in the file when it returns; without a default writer there is nothing to wait for."""
    assert summary.flush() is True
    with summary.create_file_writer(tmp_path, interval=3600).as_default(1) as writer:
        summary.scalar("x", 1.0)
        assert summary.flush() is True
        assert len(numbers(tmp_path)) == 1
        summary.scalar("x", 2.0)
        assert summary.flush(writer) is True
        assert len(numbers(tmp_path)) == 2
    writer.close()


def test_a_writer_that_exists_already(tmp_path: Path) -> None:
    """A tbasync.SummaryWriter is used in both styles at once, in the order of the calls."""
    core = tbasync.SummaryWriter(tmp_path)
    writer = summary.SummaryWriter(core)
    assert writer.writer is core
    with writer.as_default(step=1):
        core.add_scalar("plain", 1.0, 1)
        summary.scalar("new", 2.0)
        core.add_scalar("plain", 3.0, 2)
    writer.close()
    assert [value.tag for value in values(tmp_path)] == ["plain", "new", "plain"]
    with pytest.raises(TypeError, match="writer must be"):
        summary.SummaryWriter(str(tmp_path))  # type: ignore[arg-type]


def test_closing_the_default_writer(tmp_path: Path) -> None:
    """What is logged to it afterwards raises, and says what to do; leaving the context works."""
    writer = summary.create_file_writer(tmp_path)
    with writer.as_default(step=1):
        writer.close()
        for log in (
            lambda: summary.scalar("x", 1.0),
            lambda: summary.text("x", "y"),
            lambda: summary.experimental.write_raw_pb(b""),
        ):
            with pytest.raises(RuntimeError, match="closed already"):
                log()
    assert not summary.should_record_summaries()


def test_a_rank_that_does_not_write(tmp_path: Path) -> None:
    """Its writer becomes the default and records nothing, needs no step and looks at no value."""
    writer = summary.create_file_writer(tmp_path / "none", ranks=0, rank=1)
    outer = summary.create_file_writer(tmp_path / "outer")
    with outer.as_default(), writer.as_default():
        assert summary.scalar("x", object()) is False
        assert summary.image("x", object()) is False
        assert summary.should_record_summaries() is False
        assert summary.flush() is True
    assert writer.close() is True
    outer.close()
    assert not (tmp_path / "none").exists()
    assert values(tmp_path / "outer") == []


def test_file_names_and_options(tmp_path: Path) -> None:
    """The suffix is TensorFlow's; another one, and tbasync's own options, are taken."""
    summary.create_file_writer(str(tmp_path / "a")).close()
    summary.create_file_writer(os.fsencode(tmp_path / "b"), 5, 100, ".mine", "name", on_full="raise").close()
    assert plain_reader.event_files(tmp_path / "a")[0].name.endswith(".v2")
    assert plain_reader.event_files(tmp_path / "b")[0].name.endswith(".mine")
    writer = summary.create_file_writer(tmp_path / "c", flush_millis=50)
    assert writer.writer._pipeline.options.interval == 0.05
    writer.close()


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (TypeError, {"max_queue": 1.5}),
        (ValueError, {"max_queue": -1}),
        (TypeError, {"flush_millis": "1"}),
        (ValueError, {"experimental_mesh": object()}),
        (TypeError, {"filename_suffix": 3}),
        (TypeError, {"unknown": 3}),
        (ValueError, {"on_full": "explode"}),
    ],
)
def test_bad_options(error: type[Exception], options: dict[str, Any], tmp_path: Path) -> None:
    """Each raises, and leaves no writer behind."""
    with pytest.raises(error, match=next(iter(options))):
        summary.create_file_writer(tmp_path, **options)


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    """OSError at once."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        summary.create_file_writer(tmp_path / "file")


def test_tracing_says_what_to_do_instead() -> None:
    """There is nothing to trace; `trace_off` is harmless."""
    summary.trace_off()
    for call in (summary.trace_on, lambda: summary.trace_export("x", 1)):
        with pytest.raises(tbasync.TbasyncError, match="add_graph"):
            call()


def test_a_pickled_writer_writes_its_own_file(tmp_path: Path) -> None:
    """As copies of `tbasync.SummaryWriter` do."""
    writer = summary.create_file_writer(tmp_path)
    copy = pickle.loads(pickle.dumps(writer))
    for each in (writer, copy):
        with each.as_default(1):
            summary.scalar("x", 1.0)
        each.close()
    assert len(plain_reader.event_files(tmp_path)) == 2
    assert len(numbers(tmp_path)) == 2


def test_a_step_that_moves_by_itself(tmp_path: Path) -> None:
    """A 0-d array as the default step is looked at in every call; so is a variable with `numpy()`."""

    class Variable:
        value = 5

        def numpy(self) -> Any:
            return np.array(self.value)

    step, variable = np.array(1), Variable()
    with summary.create_file_writer(tmp_path).as_default(step) as writer:
        for _ in range(3):
            summary.scalar("x", 0.0)
            step += 1
        assert summary.experimental.get_step() is step
        summary.experimental.set_step(variable)
        summary.scalar("x", 0.0)
        variable.value = 6
        summary.scalar("x", 0.0)
        summary.experimental.set_step("7")
        with pytest.raises(TypeError, match="step must be an integer"):
            summary.scalar("x", 0.0)
    writer.close()
    assert [number for _, number, _ in numbers(tmp_path)] == [1, 2, 3, 5, 6]

"""What the frameworks' loggers share, without a framework: values told apart, ends that end no training, labels."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncWarning
from tbasync.integrations._embedding_labels import Labels, read_labels
from tbasync.integrations._logging import close, log_values

from ..support.held import on_worker
from ..support.plain_reader import events, scalars


def logged(log_dir: Path, values: dict[str, Any], step: int | None = 3, **options: Any) -> dict[str, Any]:
    """The scalars of a run to which the values were logged at once."""
    with SummaryWriter(log_dir) as writer:
        log_values(writer, values, step, **options)
    return scalars(log_dir)


def test_numbers_of_every_kind(tmp_path: Path) -> None:
    """Python's, numpy's and arrays of one element, at the step; a bool is 1 or 0."""
    values = {"a": 1, "b": 2.5, "c": True, "d": np.float32(3.5), "e": np.ones((1, 1)), "f": math.inf}
    expected = {"a": 1.0, "b": 2.5, "c": 1.0, "d": 3.5, "e": 1.0, "f": math.inf}
    assert logged(tmp_path, values) == {tag: [(3, value)] for tag, value in expected.items()}


def test_plain_numbers_are_one_push(tmp_path: Path) -> None:
    """Whatever else is among them."""
    with SummaryWriter(tmp_path) as writer:
        log_values(writer, {"a": 1.0, "text": "text", "b": 2, "c": 3.0}, 1)
        assert writer.flush(60)
        stats = writer.stats()
    assert stats.pushed == 4
    assert stats.queue_length_peak <= 3  # the metrics, the text, the barrier


def test_tensors_are_in_that_push(tmp_path: Path) -> None:
    """Those of one element that are real; the others are told apart as ever."""
    torch = pytest.importorskip("torch")
    values = {
        "a": torch.tensor(1.5),
        "b": torch.ones((1, 1), dtype=torch.bfloat16, requires_grad=True),
        "c": 2,
    }
    with SummaryWriter(tmp_path) as writer:
        log_values(writer, values, 1)
        assert writer.flush(60)
        assert writer.stats().queue_length_peak <= 2  # the metrics, the barrier
        with pytest.warns(TbasyncWarning, match="'complex' is not logged"):
            log_values(writer, {"complex": torch.tensor(1j)}, 1)
        with pytest.warns(TbasyncWarning, match="'numpy' is not logged"):
            log_values(writer, {"numpy": np.complex64(1j)}, 1)
    assert scalars(tmp_path) == {"a": [(1, 1.5)], "b": [(1, 1.0)], "c": [(1, 2.0)]}


def test_texts_and_charts(tmp_path: Path) -> None:
    """A str is a text, even one that holds a number; a dict is a chart of its own."""
    values = logged(tmp_path, {"note": "1.5", "both": {"a": 1.0, "b": 2}}, None)
    assert values == {}
    assert scalars(tmp_path / "both_b") == {"both": [(0, 2.0)]}
    tags = [value.tag for event in events(tmp_path) for value in event.summary.value]
    assert tags == ["note/text_summary"]


def test_options_are_passed_on(tmp_path: Path) -> None:
    """To each kind's own method."""
    with SummaryWriter(tmp_path) as writer:
        log_values(writer, {"a": 1.0, "note": "text"}, 2, walltime=12.5)
    times = [event.wall_time for event in events(tmp_path) if event.summary.value]
    assert times == [12.5, 12.5]


def test_anything_else_is_left_out_and_said(tmp_path: Path) -> None:
    """The others of the same step are logged; Python's own filter says it once for each tag."""
    odd = {"a": 1.0, "list": [1, 2], "none": None, "array": np.zeros(3), "chart": {"x": "y"}, "b": 2.0}
    with SummaryWriter(tmp_path) as writer, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for step in range(3):
            log_values(writer, odd, step)
    assert set(scalars(tmp_path)) == {"a", "b"}
    said = [str(warning.message) for warning in caught]
    assert len(said) == 4
    for tag, message in zip(("list", "none", "array", "chart"), said, strict=True):
        assert message.startswith(f"{tag!r} is not logged, for a ")
        assert all(issubclass(warning.category, TbasyncWarning) for warning in caught)


@pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")
@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_what_was_not_logged_is_said_at_the_end(tmp_path: Path, on_error: Any) -> None:
    """In a warning, for a trained model must not be lost to it, unless the user asked for exceptions."""
    writer = SummaryWriter(tmp_path, on_error=on_error)
    writer.add_scalar("loss", 1.0, 1)
    on_worker(writer, lambda: 1 / 0)
    if on_error == "raise":
        with pytest.raises(LoggingError, match="division by zero"):
            close(writer, {"on_error": on_error})
    else:
        with pytest.warns(TbasyncWarning, match=r"not everything was logged: .*division by zero"):
            close(writer, {})
    assert writer.file_writer is None, "it is not closed"
    assert scalars(tmp_path) == {"loss": [(1, 1.0)]}


@pytest.mark.parametrize(
    ("content", "points", "expected"),
    [
        ("a\nb\n", 2, Labels(["a", "b"])),
        ("a\nb", 2, Labels(["a", "b"])),
        ("\nä b\n", 2, Labels(["", "ä b"])),
        ("word\tkind\na\t1\nb\t2\n", 2, Labels([["a", "1"], ["b", "2"]], ["word", "kind"])),
    ],
)
def test_labels(tmp_path: Path, content: str, points: int, expected: Labels) -> None:
    """A line for each point; with tabs, columns below their names."""
    (tmp_path / "labels.tsv").write_text(content, encoding="utf-8")
    assert read_labels(str(tmp_path), "labels.tsv", points) == expected


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a\n", "1 lines of labels, of 1 columns, for 2 points"),
        (b"", "0 lines"),
        (b"a\tb\nc\td\ne\n", "2 lines of labels, of 2 columns"),
        (b"\xff\xfe", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, content: bytes | None, why: str) -> None:
    """A warning says why there are none; the points themselves can be logged."""
    if content is not None:
        (tmp_path / "labels.tsv").write_bytes(content)
    with pytest.warns(TbasyncWarning, match=why):
        assert read_labels(str(tmp_path), "labels.tsv", 2) == Labels()


def test_labels_of_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log directory has no such file."""
    (tmp_path / "labels.tsv").write_text("a\n")
    monkeypatch.chdir(tmp_path)
    assert read_labels("elsewhere", "labels.tsv", 1).rows == ["a"]

"""The demo as a user meets it: its progress bar, its report, and what it says when a package is missing."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from tbasync.cli import main
from tbasync.demo import progress
from tbasync.demo.data import load_digits
from tbasync.demo.network import build
from tbasync.demo.numpy_network import NumpyNetwork
from tbasync.demo.train import batches, cosine


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """As if `package` were not installed."""
    monkeypatch.setitem(sys.modules, package, None)


def test_without_torch_it_trains_with_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network chosen by itself is numpy's where torch is not installed."""
    hide(monkeypatch, "torch")
    assert isinstance(build("auto", seed=0), NumpyNetwork)


@pytest.mark.parametrize(
    ("package", "options", "advice"),
    [
        ("sklearn", [], "pip install 'tbasync[demo]'"),
        ("torch", ["--network", "torch"], "pip install torch"),
        ("torch", ["--network", "numpy", "--writer", "torch"], "pip install torch tensorboard"),
        ("tensorboard", ["--network", "numpy", "--writer", "torch"], "pip install torch tensorboard"),
    ],
)
def test_a_missing_package_is_named(
    package: str,
    options: list[str],
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The one line says what to install; nothing was written."""
    if package != "sklearn":
        pytest.importorskip("sklearn")
    hide(monkeypatch, package)
    assert main(["demo", "--log-dir", str(tmp_path / "run"), *options]) == 2
    assert advice in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_log_dir_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log directory that cannot be is one line with its name, before any training."""
    pytest.importorskip("sklearn")
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["demo", "--network", "numpy", "--log-dir", str(blocked)]) == 2
    said = capsys.readouterr()
    assert str(blocked) in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_no_writer_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--writer none trains the same and writes no file."""
    pytest.importorskip("sklearn")
    run = tmp_path / "run"
    options = ["--writer", "none", "--network", "numpy", "--epochs", "1", "--log-dir", str(run)]
    assert main(["demo", *options]) == 0
    said = capsys.readouterr()
    assert "43 steps" in said.out
    assert said.err == ""
    assert not run.exists()


def test_the_split_is_of_all_digits() -> None:
    """The digits are the 1,797 of the data set, scaled to 0..1, and split as the seed says."""
    pytest.importorskip("sklearn")
    digits, again = load_digits(4), load_digits(4)
    assert (digits.train_images.shape, digits.test_images.shape) == ((1347, 1, 8, 8), (450, 1, 8, 8))
    assert (digits.train_images.min(), digits.train_images.max()) == (0, 1)
    assert np.array_equal(digits.test_labels, again.test_labels)
    assert not np.array_equal(digits.test_labels, load_digits(5).test_labels)


def test_an_epoch_is_every_image_once() -> None:
    """The batches of an epoch hold each index exactly once."""
    pytest.importorskip("sklearn")
    indices = np.concatenate(list(batches(load_digits(0), np.random.default_rng(0))))
    assert np.array_equal(np.sort(indices), np.arange(1347))


def test_the_learning_rate_falls_from_one_to_nothing() -> None:
    """The schedule starts at 1, never rises and ends just above 0."""
    factors = [cosine(step, 100) for step in range(100)]
    assert factors[0] == 1
    assert factors == sorted(factors, reverse=True)
    assert 0 < factors[-1] < 0.001


def test_no_bar_where_nobody_looks_on() -> None:
    """A stream that is no terminal gets nothing."""
    stream = io.StringIO()
    run_bar(stream)
    assert stream.getvalue() == ""


def test_a_plain_bar_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich a terminal gets a bar that ends full, with the note, on a line of its own."""
    hide(monkeypatch, "rich")
    stream = Terminal()
    run_bar(stream)
    *_, last = stream.getvalue().rstrip("\n").split("\r")
    assert last == f"[{'#' * progress.WIDTH}] 100 %  half right"
    assert stream.getvalue().endswith("\n")


def test_richs_bar() -> None:
    """With rich a terminal gets its bar, the note beside it."""
    pytest.importorskip("rich")
    stream = Terminal()
    run_bar(stream)
    assert "half right" in stream.getvalue()
    assert "100%" in stream.getvalue()


def run_bar(stream: io.StringIO) -> None:
    with progress.progress_bar(3, stream) as bar:
        for _ in range(3):
            bar.advance()
        bar.note("half right")

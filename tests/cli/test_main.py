"""The command line: its commands are found, its errors are one line, its exit status is right."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

import tbasync
from tbasync import cli
from tbasync.cli import demo, main

ROOT = Path(__file__).resolve().parents[2]


def test_python_m_tbasync_is_the_command() -> None:
    """`python -m tbasync --version` prints the package's version."""
    command = [sys.executable, "-m", "tbasync", "--version"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert printed == f"tbasync {tbasync.__version__}\n"


def test_help_lists_each_module_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Every public module of the package is a command, with the first line of its docstring as help."""
    files = {path.stem for path in Path(cli.__path__[0]).glob("*.py") if not path.stem.startswith("_")}
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    words = capsys.readouterr().out.split()
    assert ended.value.code == 0
    assert "demo" in files
    assert files <= set(words)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ([], "tbasync: error: the following arguments are required: COMMAND"),
        (["dmeo"], "tbasync: error: argument COMMAND: invalid choice: 'dmeo'"),
        (["demo", "--epoch", "3"], "tbasync: error: unrecognized arguments: --epoch 3"),
        (["demo", "--epochs", "0"], "tbasync demo: error: argument --epochs: expected a whole number"),
        (["demo", "--epochs", "x"], "tbasync demo: error: argument --epochs: expected a whole number"),
        (["demo", "--seed", "-1"], "tbasync demo: error: argument --seed: expected"),
        (["demo", "--writer", "tf"], "tbasync demo: error: argument --writer: invalid choice: 'tf'"),
    ],
)
def test_a_wrong_line_is_answered_with_one(
    line: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line gives status 2 and one line that names the argument."""
    with pytest.raises(SystemExit) as ended:
        main(line)
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert said.err.startswith(complaint)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (cli.CommandError("no such run"), 2, "tbasync demo: error: no such run\n"),
        (KeyboardInterrupt(), 130, "tbasync demo: interrupted\n"),
    ],
)
def test_what_a_command_raises(
    raised: BaseException,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A command's error is one line and status 2; an interrupt is status 130 without a traceback."""

    def run(arguments: argparse.Namespace) -> int:
        raise raised

    monkeypatch.setattr(demo, "run", run)
    assert main(["demo"]) == status
    assert capsys.readouterr().err == line


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else a command raises is a bug and is not hidden."""

    def run(arguments: argparse.Namespace) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(demo, "run", run)
    with pytest.raises(ZeroDivisionError):
        main(["demo"])

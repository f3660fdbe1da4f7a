"""`tbasync view`: what is no run is an error with a suggestion, and what is one opens in the real TensorBoard."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tbasync import SummaryWriter
from tbasync.cli import main
from tbasync.cli._errors import CommandError
from tbasync.cli.view import checked

from ..support.tensorboard_server import TensorBoard, needs_tensorboard

ROOT = Path(__file__).resolve().parents[2]


def make_run(log_dir: Path) -> Path:
    """A run with one point."""
    with SummaryWriter(log_dir) as writer:
        writer.add_scalar("loss", 0.25, 3)
    return log_dir


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, which is the user's home as well, with some runs and other folders in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WHERE", "runs")
    make_run(tmp_path / "runs" / "first")
    make_run(tmp_path / "runs" / "second")
    (tmp_path / "runs" / "firts").mkdir()
    (tmp_path / "rums").mkdir()
    return tmp_path


@pytest.mark.parametrize("given", ["runs", "runs/first", "./runs", "s3://bucket/runs"])
def test_what_is_there_is_taken_as_it_is(home: Path, given: str) -> None:
    """A run, a folder of runs, and what lies elsewhere."""
    assert checked(given) == given


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("'runs/first'", "runs/first"),
        ('"runs"', "runs"),
        ("“runs”", "runs"),
        (" runs ", "runs"),
        ("~/runs", "{home}/runs"),
        ("'~/runs'", "{home}/runs"),
        ("$WHERE/first", "runs/first"),
    ],
)
def test_what_a_shell_has_left_is_mended(
    home: Path, given: str, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quotes and blanks go, ~ and variables are replaced, and one line says so."""
    taken = taken.format(home=home)
    assert checked(given) == taken
    assert capsys.readouterr().err == f"tbasync view: {given} is taken for {taken}\n"


def test_a_name_with_quotes_that_exists_is_that(home: Path) -> None:
    """What is there needs no mending."""
    make_run(home / "'odd'")
    assert checked("'odd'") == "'odd'"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("runs/frist", "there is no folder runs/frist; did you mean runs/first ?"),
        ("runs/SECOND", "there is no folder runs/SECOND; did you mean runs/second ?"),
        ("run/frst", "there is no folder run/frst; did you mean runs/first ?"),
        ("'runs/frist'", "there is no folder runs/frist; did you mean runs/first ?"),
        ("{home}/runz", "there is no folder {home}/runz; did you mean {home}/runs ?"),
        ("elsewhere", "there is no folder elsewhere"),
        ("runs/first/checkpoints", "there is no folder runs/first/checkpoints"),
        ("rums", "there are no event files in or below rums; did you mean runs ?"),
        ("runs/firts", "there are no event files in or below runs/firts; did you mean runs/first ?"),
        ("", "there is no folder without a name; did you mean . ?"),
        ("x\x1b[31m", "there is no folder x\\x1b[31m"),
    ],
)
def test_what_is_not_there_is_named_with_what_is_like_it(home: Path, given: str, complaint: str) -> None:
    """One line; only folders that hold event files are suggested."""
    with pytest.raises(CommandError) as raised:
        checked(given.format(home=home))
    assert str(raised.value) == complaint.format(home=home)


def test_an_event_file_is_no_folder(home: Path) -> None:
    """Its folder is suggested."""
    (file,) = (home / "runs" / "first").iterdir()
    with pytest.raises(CommandError, match=r"is a file.*; did you mean runs/first \?$"):
        checked(str(file.relative_to(home)))


def test_the_status_of_an_error_is_2(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of every command."""
    assert main(["view", "runs/frist", "--port", "0"]) == 2
    complaint = "tbasync view: error: there is no folder runs/frist; did you mean runs/first ?\n"
    assert capsys.readouterr().err == complaint


def test_without_tensorboard(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get it."""
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "tensorboard.main", raising=False)
    with pytest.raises(CommandError, match="pip install tensorboard"):
        main_of_view("runs")


def main_of_view(*words: str) -> None:
    """The command without the error's translation to a status."""
    from argparse import Namespace

    from tbasync.cli import view

    view.run(Namespace(logdir=words[0], arguments=list(words[1:])))


STOCK, OURS = ["tensorboard.main", "--logdir"], ["tbasync", "view"]


def start(command: list[str], *arguments: str) -> subprocess.Popen[str]:
    """TensorBoard in a process group of its own, with what it says in one pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", *command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"},
        start_new_session=True,
    )


def ended_by(number: signal.Signals, command: list[str], log_dir: Path) -> tuple[int, float]:
    """Starts TensorBoard, asks it for the run's point, signals it; its exit status, and the point's value."""
    process = start(command, str(log_dir), "--host", "127.0.0.1", "--port", "0", "--load_fast", "false")
    try:
        assert process.stdout is not None
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+/", line)))
        board = TensorBoard(url)
        ((_, value),) = board.wait_for(lambda: board.scalars(".", "loss"))
        process.send_signal(number)
        process.communicate(timeout=60)
        return process.returncode, value
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@needs_tensorboard
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_is_tensorboard_that_runs(number: signal.Signals, tmp_path: Path) -> None:
    """It serves the run, and a signal ends it as it ends TensorBoard started by its own name."""
    make_run(tmp_path)
    with ThreadPoolExecutor(2) as both:
        ours, stock = both.map(lambda command: ended_by(number, command, tmp_path), (OURS, STOCK))
    assert ours == stock
    assert ours[1] == 0.25


@needs_tensorboard
@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--nonsense"], ["--port", "x"], ["--version"], ["--help"]])
def test_arguments_and_exit_status_are_tensorboards(arguments: list[str], tmp_path: Path) -> None:
    """What follows the folder is for TensorBoard, `--help` too; its answer and its status are passed on."""
    make_run(tmp_path)
    answers = []
    for process in [start(command, str(tmp_path), *arguments) for command in (OURS, STOCK)]:
        said, _ = process.communicate(timeout=60)
        answers.append((process.returncode, said.replace("main.py", "tensorboard").splitlines()[-1]))
    assert answers[0] == answers[1]

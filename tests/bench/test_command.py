"""`tbasync bench`: its quick form from end to end, its JSON, its plots, its refusals."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tbasync.bench import command, document, goals, peers
from tbasync.bench.peers import PEERS
from tbasync.bench.runner import Answers
from tbasync.bench.units import UNITS
from tbasync.cli import main

ROOT = Path(__file__).resolve().parents[2]


def bench(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs `tbasync bench` in a directory."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tbasync", "bench", *options]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


def check_figure(name: str, figure: Any, rounds: int) -> None:
    """A figure of the document has its unit, spread and rounds, and a ratio unless it is noise."""
    assert figure["low"] <= figure["median"] <= figure["high"]
    assert 1 <= len(figure["rounds"]) <= rounds
    unit, _, rest = name.partition("/")
    assert figure["unit"] == UNITS[unit].figures[rest]
    if "of" in figure:
        assert figure["noisy"] is (figure["ratio"] is None)


@pytest.mark.long
def test_the_quick_form(tmp_path: Path) -> None:
    """Two rounds of tbasync and the floor: report, document and plots; exit status 0."""
    options = [
        "--quick",
        "--peers",
        "tbasync",
        "floor",
        "--rounds",
        "2",
        "--seconds",
        "60",
        "--json",
        "f.json",
    ]
    plots = ["--plots", "plots"] if importlib.util.find_spec("matplotlib") else []
    ended = bench(tmp_path, *options, *plots)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "2 rounds in" in ended.stdout
    assert "CPython" in ended.stdout
    assert "whole-process CPU per scalar" in ended.stdout
    found = json.loads((tmp_path / "f.json").read_text())
    assert (found["schema"], found["plan"], found["rounds"]) == (1, "quick", 2)
    assert found["drift"] >= 1
    assert set(found["peers"]) == set(PEERS) - {"empty"}
    assert {name for name, peer in found["peers"].items() if peer["status"] == "measured"} == {
        "tbasync",
        "floor",
    }
    for peer in found["peers"].values():
        for name, figure in peer["figures"].items():
            check_figure(name, figure, 2)
    assert [goal["name"] for goal in found["goals"]] == [goal.name for goal in goals.GOALS]
    assert {goal["verdict"] for goal in found["goals"]} <= {"reached", "not reached", "noisy", "not measured"}
    assert found["machine"].keys() == {"system", "processor", "cpus", "python", "load"}
    if plots:
        assert (tmp_path / "plots" / "latency.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "plots" / "cpu_per_event.png").exists()


def made_up() -> list[dict[str, Answers]]:
    """Two rounds in which torch's process died once and tbasync was measured."""
    good = {"cpu/CPU": 0.8, "latency/burst mean": 300.0}
    return [
        {"tbasync": Answers(dict(good)), "torch": Answers({"cpu/CPU": 40.0}), "floor": Answers(dict(good))},
        {
            "tbasync": Answers(dict(good)),
            "torch": Answers({}, {"cpu": "the process ended with status -11"}),
            "floor": Answers({"latency/burst mean": 600.0}),
        },
    ]


def test_a_crash_is_in_the_report_and_in_the_document() -> None:
    """The peer is "in part"; who was not asked or is not there is so; the floor's drift is called noise."""
    rounds = made_up()
    answer = document.document(rounds, list(UNITS.values()), "bench", 70.0, document.machine())
    assert answer["peers"]["torch"]["status"] == "in part"
    assert answer["peers"]["torch"]["errors"] == {"cpu": ["the process ended with status -11"]}
    assert answer["peers"]["tbasync"]["figures"]["cpu/CPU"]["noisy"] is True  # one round in common
    assert answer["drift"] == 2
    text = "\n".join(command.report(answer, rounds))
    assert "torch: failed in 1 of 2 rounds: the process ended with status -11" in text
    assert "2.00 times as long in the slowest round: a noisy machine" in text
    json.dumps(answer)


def test_why_a_writer_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch is installed, and its writer cannot be measured for want of TensorBoard."""
    monkeypatch.setattr(peers, "find_spec", {"torch": object()}.get)
    assert command._absent("torch") == "torch (for want of tensorboard)"
    assert command._absent("tensorboardX") == "tensorboardX"


def test_plots_of_earlier_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those are made that the document has figures for, few kilobytes each; nothing is measured."""
    pytest.importorskip("matplotlib")
    answer = document.document(made_up(), list(UNITS.values()), "bench", 70.0, document.machine())
    file, plots = tmp_path / "figures.json", tmp_path / "plots"
    file.write_text(json.dumps(answer))
    assert main(["bench", "--from", str(file), "--plots", str(plots)]) == 0
    assert capsys.readouterr().out == f"{plots / 'cpu_per_event.png'}\n"
    assert [path.name for path in plots.iterdir()] == ["cpu_per_event.png"]
    with Image.open(plots / "cpu_per_event.png") as image:
        assert image.mode == "P"
        assert image.width > 1000


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 0}'])
def test_figures_of_something_else(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names the file, status 2."""
    pytest.importorskip("matplotlib")
    file = tmp_path / "figures.json"
    file.write_text(text)
    assert main(["bench", "--from", str(file), "--plots", str(tmp_path / "plots")]) == 2
    assert f"--from: {file} " in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


def test_a_peer_without_any_figure_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, and the report is printed all the same."""
    broken = Answers({}, {"cpu": "the process ended with status 1"})
    monkeypatch.setattr("tbasync.bench.runner.ask", lambda peer, work: broken)
    assert main(["bench", "--quick", "--peers", "tbasync", "--rounds", "1"]) == 1
    assert "tbasync: failed in 1 of 1 rounds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--peers", "nobody"], "there is no writer 'nobody'; there are floor, tbasync"),
        (["--rounds", "0"], "--rounds must be 1 or more, got 0"),
        (["--from", "figures.json"], "--from makes plots: say where to by --plots DIR"),
    ],
)
def test_refusals(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what is wrong, status 2, nothing is measured."""
    assert main(["bench", *options]) == 2
    assert words in capsys.readouterr().err


def test_who_is_measured() -> None:
    """Those that were asked for; by themselves all, but in the quick form none that is wrapped."""
    assert command.chosen(["floor"], "bench") == ["floor"]
    assert not [name for name in command.chosen(None, "quick") if name.startswith("wrap")]
    assert "empty" not in command.chosen(None, "bench")

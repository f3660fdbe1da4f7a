"""Peers that crash, lie or hang: it is said, and the others are measured all the same."""

from __future__ import annotations

import importlib.util
import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tbasync.bench import peers, proof, runner
from tbasync.bench.cpu import UNIT as CPU
from tbasync.bench.metrics import UNIT as METRICS
from tbasync.bench.units import UNITS

ROOT = Path(__file__).resolve().parents[2]

WORK = {
    "cpu": {"events": 2_000, "tags": 20, "limit": 5.0, "repeats": 1},
    "metrics": {"calls": 50, "limit": 5.0},
}


def impostor(directory: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Puts a package named tensorboardX, with a SummaryWriter of this body, before the real one."""
    package = directory / "tensorboardX"
    package.mkdir()
    source = "import os, time\nclass SummaryWriter:\n    def __init__(self, log_dir):\n        pass\n"
    (package / "__init__.py").write_text(source + textwrap.indent(textwrap.dedent(body), "    "))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(directory), str(ROOT)]))


NOTHING = """
def flush(self): pass
def close(self): pass
"""


@pytest.mark.slow
def test_a_peer_that_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit status and last words are reported; the peer after it is measured in every round."""
    impostor(
        tmp_path, monkeypatch, "def add_scalar(self, *a):\n    os.write(2, b'out of luck')\n    os._exit(7)\n"
    )
    rounds = runner.measure({"tensorboardX": WORK, "floor": WORK}, 2)
    assert len(rounds) == 2
    for answers in rounds:
        assert answers["tensorboardX"].figures == {}
        assert answers["tensorboardX"].errors == dict.fromkeys(
            WORK, "the process ended with status 7: out of luck"
        )
        assert answers["floor"].errors == {}
        assert answers["floor"].figures["cpu/CPU"] > 0


def test_what_was_found_before_a_crash_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question answered before the process dies keeps its answer."""
    body = """
        def add_scalar(self, *a): pass
        def log_metrics(self, *a): os._exit(9)
    """
    impostor(tmp_path, monkeypatch, textwrap.dedent(body) + NOTHING)
    answers = runner.ask("tensorboardX", {"metrics": WORK["metrics"]})
    assert "status 9" in answers.errors["metrics"]
    answers = runner.ask("tensorboardX", {"cpu": WORK["cpu"], "metrics": WORK["metrics"]})
    assert answers.errors["cpu"].startswith("LostError: tensorboardX: 0 values are in the files, 4,000 were")
    assert "status 9" in answers.errors["metrics"]


@pytest.mark.slow
def test_a_peer_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, and that is said."""
    impostor(tmp_path, monkeypatch, "def add_scalar(self, *a):\n    time.sleep(60)\n" + NOTHING)
    answers = runner.ask("tensorboardX", WORK, longest=1.0)
    assert answers.errors == dict.fromkeys(WORK, "the process was ended after 1 s")


def test_a_peer_that_raises_and_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error a question, in the exception's words; what the package prints, JSON too, is no answer."""
    body = "def add_scalar(self, *a):\n    print('[1]', '{}', sep='\\n')\n    raise OSError('no space')\n"
    impostor(tmp_path, monkeypatch, body + NOTHING)
    assert runner.ask("tensorboardX", WORK).errors == dict.fromkeys(WORK, "OSError: no space")


def test_no_round_is_begun_that_would_end_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the longest round so far; the first one is always measured."""
    monkeypatch.setattr(runner, "ask", lambda peer, work: clock(10.0) and runner.Answers())
    now = 0.0

    def clock(later: float = 0.0) -> float:
        nonlocal now
        now += later
        return now

    monkeypatch.setattr(runner.time, "perf_counter", clock)
    assert len(runner.measure({"floor": {}}, 5, seconds=35.0)) == 3
    assert len(runner.measure({"floor": {}}, 5, seconds=1.0)) == 1
    assert len(runner.measure({"floor": {}}, 2)) == 2


def test_who_is_asked_what() -> None:
    """Floors and wrapped writers are asked about calls alone, writers about all that can be asked here."""
    units = list(UNITS.values())
    assert set(runner.work_for("floor", units, "quick")) == {"cpu", "latency", "metrics"}
    assert set(runner.work_for("wrap(torch)", units, "bench")) == {"cpu", "latency", "metrics"}
    assert set(runner.work_for("tbasync", units, "bench")) >= set(UNITS) - {"steps"}
    assert runner.work_for("floor", [CPU], "alone", {"events": 5, "no such amount": 1}) == {
        "cpu": {"events": 5, "tags": 20, "limit": 60.0, "repeats": 1}
    }


@pytest.mark.parametrize("name", sorted(set(UNITS) - {"steps"}))
def test_every_question_is_answered_about_tbasync(name: str, tmp_path: Path) -> None:
    """In its quick form: all figures of its table that are not for others, each a number."""
    unit = UNITS[name]
    if name == "media":
        pytest.importorskip("matplotlib")
    figures = unit.measure("tbasync", str(tmp_path / "run"), **unit.amounts_of("quick"))
    shown = {figure for figure in unit.figures if name != "gap" or figure.startswith(("idle", "10,000"))}
    assert shown <= set(figures)
    assert all(isinstance(value, int | float) for value in figures.values())


@pytest.mark.slow
def test_the_training_loop(tmp_path: Path) -> None:
    """Steps with each load are slower or faster than without, and both are said."""
    pytest.importorskip("torch")
    unit = UNITS["steps"]
    figures = unit.measure("tbasync", str(tmp_path), **unit.amounts_of("quick") | {"steps": 5})
    assert figures["no logging"] > 0
    assert figures["overhead, with images"] > -100


def test_peers_that_are_here() -> None:
    """tbasync and the floors always are; each other one only with its packages, and a version."""
    here = peers.installed()
    assert {"empty", "floor", "tbasync"} <= set(here)
    assert set(here) <= set(peers.PEERS)
    assert ("tensorboardX" in here) is (importlib.util.find_spec("tensorboardX") is not None)
    assert peers.version_of("numpy")
    assert peers.version_of("no-such-distribution") == ""


def test_the_proof(tmp_path: Path) -> None:
    """What is in the files is counted, over all kinds; a writer that writes no event files is not asked."""
    import numpy as np

    from tbasync import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("a", 1.0, 0)
        writer.add_histogram("b", np.arange(9.0), 0)
        writer.add_text("c", "text", 0)
    proof.check("tbasync", str(tmp_path), 3)
    proof.check("wandb", str(tmp_path), 77)
    with pytest.raises(proof.LostError, match="3 values are in the files, 4 were logged"):
        proof.check("tbasync", str(tmp_path), 4)
    assert proof.values_in(str(tmp_path / "nowhere")) == 0


def test_a_large_file_is_counted_by_its_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record but the first is one value."""
    from tbasync import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        for step in range(500):
            writer.add_scalar("a", 1.0, step)
    monkeypatch.setattr(proof, "_LARGE", 100)
    assert proof.values_in(str(tmp_path)) == 500


def test_log_metrics_falls_back_to_single_calls(tmp_path: Path) -> None:
    """A writer without log_metrics is asked for each value by itself."""
    pytest.importorskip("tensorboardX")
    figures: dict[str, Any] = METRICS.measure("tensorboardX", str(tmp_path), calls=50, limit=5.0)
    assert figures["log_metrics of 20"] > 0

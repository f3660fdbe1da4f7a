"""Real jobs: processes, a process group, training."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from .link import Link, why_not
from .support import read_scalars, wait_until

pytest.importorskip("torch.distributed")
pytest.importorskip("sklearn")
pytestmark = [pytest.mark.slow, pytest.mark.torch, pytest.mark.timeout(300)]

SCRIPT = Path(__file__).parent / "jobs" / "digits.py"
ROOT = Path(__file__).parents[2]
FUNCTIONS = {"": np.mean, "/min": np.min, "/max": np.max, "/sum": np.sum}


def environment(**more):
    """The environment of a rank: this source tree, one thread a process, short messages."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"} | more


def torchrun(out, *options):
    """Runs the job of four ranks under torchrun; fails if it fails."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=4", "--master-port=0"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    done = subprocess.run(
        [*command, str(SCRIPT), str(out), *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout


def launch(out, *options, world=4):
    """Starts the ranks one by one, as a launcher that does not end the others when one dies would."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    ranks = []
    for rank in range(world):
        own = {"RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        log = open(out / f"log{rank}", "w")  # noqa: SIM115
        ranks.append(
            subprocess.Popen(
                [sys.executable, str(SCRIPT), str(out), *options],
                env=environment(**{name: str(value) for name, value in own.items()}),
                stdout=log,
                stderr=log,
            )
        )
        log.close()
    codes = [rank.wait(240) for rank in ranks]
    return codes, "\n".join((out / f"log{rank}").read_text() for rank in range(world))


def logged(out, rank):
    """What a rank says that it has logged."""
    with np.load(out / f"rank{rank}.npz") as data:
        return {name: data[name] for name in data.files}


@pytest.mark.long
def test_a_job_under_torchrun(tmp_path):
    """DDP on four ranks: one event file, and reductions equal to what `all_gather` gives, bit for bit."""
    torchrun(tmp_path, "--gather", "--steps", "40")
    assert len(list((tmp_path / "run").iterdir())) == 1
    points = read_scalars(tmp_path / "run")
    gathered = logged(tmp_path, 0)["gathered"]
    assert gathered.shape == (40, 4)
    for suffix, function in FUNCTIONS.items():
        expected = [function(row) for row in gathered]
        exact = sorted(points[f"exact{suffix}"])
        assert [value for _, value in exact] == expected, "the float64 values, to the last bit"
        assert [step for step, _ in exact] == list(range(40))
        stored = sorted(points[f"loss{suffix}"])
        assert [value for _, value in stored] == np.float32(expected).tolist()
    for rank in range(4):
        assert np.array_equal(logged(tmp_path, rank)["logged"], gathered[:, rank])
        own = sorted(points[f"rank{rank}/loss"])
        assert [value for _, value in own] == np.float32(gathered[:, rank]).tolist()


@pytest.mark.long
def test_a_job_with_a_slow_rank_and_one_that_logs_twice_as_often(tmp_path):
    """Ranks out of step, and a tag and step that one rank alone has: nothing is lost."""
    torchrun(tmp_path, "--slow", "2", "--twice", "1", "--steps", "30", "--alone")
    points = read_scalars(tmp_path / "run")
    values = np.array([logged(tmp_path, rank)["logged"] for rank in range(4)]).T
    found = dict(points["exact"])
    assert len(points["exact"]) == 30
    assert [found[step] for step in range(30)] == [np.mean(row) for row in values]
    extra = {step: value for step, value in points["loss"] if step >= 30}
    assert extra == {30 + step: np.float32(values[step, 1]) for step in range(30)}


@pytest.mark.long
def test_a_job_that_loses_a_rank(tmp_path):
    """One rank is killed in the midst of it: the others go on, and nothing of theirs is lost."""
    codes, log = launch(tmp_path, "--kill", "3", "--steps", "30", "--alone", "--pace", "0.02")
    assert codes == [0, 0, 0, -signal.SIGKILL], log
    points = read_scalars(tmp_path / "run")
    values = np.array([logged(tmp_path, rank)["logged"] for rank in range(3)]).T
    last = dict(points["exact"])
    assert sorted(last) == list(range(30))
    # What the killed rank had pushed a second before it died is in; of the rest there are the other three.
    assert [last[step] for step in range(16, 30)] == [np.mean(row) for row in values[16:]]
    for rank in range(3):
        own = sorted(points[f"rank{rank}/loss"])
        assert [value for _, value in own] == np.float32(values[:, rank]).tolist()
    lost = sorted(points["rank3/loss"])
    assert [step for step, _ in lost] == list(range(16))


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
@pytest.mark.long
def test_a_job_on_two_hosts_whose_link_is_cut(tmp_path):
    """Two ranks on each of two hosts, 50 ms apart: a cut of 10 s slows no step, and the log is complete."""
    options = ["--alone", "--steps", "360", "--pace", "0.05", "--timeout", "90"]
    with Link(delay=0.05) as link:
        ranks = []
        for rank in range(4):
            host = rank // 2
            own = environment(
                RANK=str(rank),
                WORLD_SIZE="4",
                MASTER_ADDR=link.addresses[0],
                MASTER_PORT="29511",
                GLOO_SOCKET_IFNAME=link.devices[host],
            )
            command = link.command(host, sys.executable, str(SCRIPT), str(tmp_path), *options)
            with open(tmp_path / f"log{rank}", "w") as log:
                ranks.append(subprocess.Popen(command, env=own, stdout=log, stderr=log))
        try:
            wait_until(lambda: len(list(tmp_path.glob("started*"))) == 4, 120)
            time.sleep(3)
            link.up = False
            time.sleep(10)
            link.up = True
            codes = [rank.wait(180) for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
    log = "\n".join((tmp_path / f"log{rank}").read_text() for rank in range(4))
    assert codes == [0, 0, 0, 0], log
    assert link.passed > 100
    points = read_scalars(tmp_path / "run")
    values = np.array([logged(tmp_path, rank)["logged"] for rank in range(4)]).T
    exact = dict(points["exact"])
    assert [exact[step] for step in range(360)] == [np.mean(row) for row in values]
    assert len(points["exact"]) == 360
    for rank in range(4):
        seconds = logged(tmp_path, rank)["seconds"]
        assert seconds.max() < 3.0, "no step has waited for the link"

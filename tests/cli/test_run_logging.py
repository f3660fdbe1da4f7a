"""Scripts under `tbasync run` log through tbasync, and what they logged is there however they end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch.utils.tensorboard")
pytest.importorskip("tensorboardX")

from tests.wrap import runs

ROOT = Path(__file__).resolve().parents[2]

POINTS = [(step, float(step)) for step in range(1000)]

LOG = """
    import os, sys
    from {package} import SummaryWriter
    def log(run, count=1000):
        writer = SummaryWriter("runs/" + run)
        print("tbasync" in type(writer).__module__)
        for step in range(count):
            writer.add_scalar("loss", step, step)
        return writer
"""

# How a script comes to its end after it has logged to the run "main", with nothing flushed or closed.
ENDS = {
    "end": ("", 0),
    "exit": ("sys.exit(3)", 3),
    "exception": ("1 / 0", 1),
    "interrupt": ("raise KeyboardInterrupt", -2),
    "os._exit": ("sys.stdout.flush(); os._exit(4)", 4),
    "os.execv": ("sys.stdout.flush(); os.execv('/bin/sh', ['sh', '-c', 'exit 5'])", 5),
    "os.execlp": ("sys.stdout.flush(); os.execlp('sh', 'sh', '-c', 'exit 6')", 6),
}


def run(
    script: str,
    directory: Path,
    *options: str,
    package: str = "tbasync",
    launch: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Runs a script under `tbasync run`, from a directory of its own."""
    (directory / "script.py").write_text(
        textwrap.dedent(LOG.format(package=package)) + textwrap.dedent(script)
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, "-m", "tbasync", "run", *options, "script.py"]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_lost_at_the_end(end: str, tmp_path: Path) -> None:
    """Whatever way the script takes out, all that it has logged is in the file, and its status is its own."""
    code, status = ENDS[end]
    ended = run(f'writer = log("main")\n{code}', tmp_path)
    assert (ended.returncode, ended.stdout) == (status, "True\n"), ended.stderr
    assert runs.scalars(tmp_path / "runs") == {"main/loss": POINTS}


# What a script does about SIGTERM before it makes a writer, and the status that it then ends with.
KILLS = "os.kill(os.getpid(), signal.SIGKILL)"  # leaves no time to write anything
TERMINATED = {
    "by default": ("", -15),
    "with a handler set before": (f"signal.signal(signal.SIGTERM, lambda *_: {KILLS})", -9),
    "ignored": ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", -9),
}
LAZY = """
    import signal, tbasync
    def log_lazily(run):
        writer = tbasync.SummaryWriter("runs/" + run, interval=3600)
        for step in range(1000):
            writer.add_scalar("loss", step, step)
        return writer
"""


@pytest.mark.parametrize("case", TERMINATED)
def test_a_sigterm_with_the_option(case: str, tmp_path: Path) -> None:
    """`--install-sigterm`: all that was logged is in the files, then comes what the signal does without it."""
    before, status = TERMINATED[case]
    script = textwrap.dedent(LAZY) + textwrap.dedent(f"""
        {before}
        one, other = log_lazily("one"), log_lazily("other")
        os.kill(os.getpid(), signal.SIGTERM)
        {KILLS}
    """)
    ended = run(script, tmp_path, "--install-sigterm")
    assert ended.returncode == status, ended.stderr
    assert runs.scalars(tmp_path / "runs") == {"one/loss": POINTS, "other/loss": POINTS}


def test_a_sigterm_without_the_option(tmp_path: Path) -> None:
    """It is as under python: the process dies at once, and what has not been written yet is lost."""
    script = textwrap.dedent(LAZY) + textwrap.dedent("""
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        writer = log_lazily("lazy")
        os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert run(script, tmp_path).returncode == -15
    assert runs.scalars(tmp_path / "runs") == {}


def test_writers_of_other_threads_are_drained_too(tmp_path: Path) -> None:
    """The option is for all writers; that only the main thread can set handlers is nobody's error."""
    script = textwrap.dedent(LAZY) + textwrap.dedent("""
        import threading
        made = []
        thread = threading.Thread(target=lambda: made.append(log_lazily("lazy")))
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert run(script, tmp_path, "--install-sigterm").returncode == -15
    assert runs.scalars(tmp_path / "runs") == {"lazy/loss": POINTS}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_terminated_children(method: str, tmp_path: Path) -> None:
    """Processes of multiprocessing have the option as well."""
    script = textwrap.dedent(LAZY) + textwrap.dedent(f"""
        import multiprocessing, time
        def work(done):
            writer = log_lazily("child")
            done.set()
            time.sleep(60)
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            done = context.Event()
            child = context.Process(target=work, args=(done,))
            child.start()
            assert done.wait(60)
            child.terminate()
            child.join()
            print(child.exitcode)
    """)
    ended = run(script, tmp_path, "--install-sigterm")
    assert ended.stdout == "-15\n", ended.stderr
    assert runs.scalars(tmp_path / "runs") == {"child/loss": POINTS}


@pytest.mark.long
@pytest.mark.parametrize("package", ["torch.utils.tensorboard", "tensorboardX"])
def test_packages_give_tbasyncs_writer(package: str, tmp_path: Path) -> None:
    """Scripts with the import lines of torch and tensorboardX log through tbasync."""
    ended = run('writer = log("main")\nos._exit(4)', tmp_path, package=package)
    assert ended.returncode == 4, ended.stderr
    assert runs.scalars(tmp_path / "runs") == {"main/loss": POINTS}


def test_a_script_that_logs_nothing(tmp_path: Path) -> None:
    """It runs as ever, and no file is made."""
    (tmp_path / "script.py").write_text("print(1)")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tbasync", "run", "script.py"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]


def test_forked_children(tmp_path: Path) -> None:
    """A child that logs and leaves by `os._exit` loses nothing, nor does the parent that waits for it."""
    script = """
        writer = log("main")
        child = os.fork()
        if child == 0:
            log("child")
            writer.add_scalar("loss", -1.0, 1000)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        writer.add_scalar("loss", -2.0, 1001)
    """
    ended = run(script, tmp_path)
    assert ended.returncode == 0, ended.stderr
    series = runs.scalars(tmp_path / "runs")
    assert series["child/loss"] == POINTS
    assert sorted(series["main/loss"]) == [*POINTS, (1000, -1.0), (1001, -2.0)]


@pytest.mark.long
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing(method: str, tmp_path: Path) -> None:
    """Children started in any way log through tbasync as well, and leave nothing behind unwritten."""
    script = f"""
        def work(run):
            writer = log(run)
            sys.stdout.flush()
        if __name__ == "__main__":
            import multiprocessing
            context = multiprocessing.get_context("{method}")
            children = [context.Process(target=work, args=(f"child{{number}}",)) for number in range(2)]
            for child in children: child.start()
            for child in children: child.join()
            print([child.exitcode for child in children])
    """
    ended = run(script, tmp_path, package="tensorboardX")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "True\n" * 2 + "[0, 0]\n"
    assert runs.scalars(tmp_path / "runs") == {"child0/loss": POINTS, "child1/loss": POINTS}


@pytest.mark.long
def test_under_torchrun(tmp_path: Path) -> None:
    """`torchrun … -m tbasync run script.py`: every rank runs the script, its environment as torchrun set it."""
    script = """
        import torch.distributed as dist
        dist.init_process_group("gloo")
        writer = log(f"rank{dist.get_rank()}-of-{dist.get_world_size()}")
        dist.barrier()
        dist.destroy_process_group()
    """
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
    ended = run(script, tmp_path, package="torch.utils.tensorboard", launch=torchrun)
    assert ended.returncode == 0, ended.stderr
    assert runs.scalars(tmp_path / "runs") == {"rank0-of-2/loss": POINTS, "rank1-of-2/loss": POINTS}

"""`tbasync profile` on real scripts: what it says is right, and the script notices nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..support.ahead import ahead

ROOT = Path(__file__).resolve().parents[2]

LOG = """
    import os, sys, threading, time
    from tbasync import SummaryWriter
    def log(count=1000):
        writer = SummaryWriter("runs/main")
        for step in range(count):
            writer.add_scalar("loss", step, step)
        return writer
"""


def profile(
    script: str, directory: Path, *options: str, arguments: Sequence[str] = (), prelude: str = LOG
) -> subprocess.CompletedProcess[str]:
    """Runs a script, which may use `log`, under `tbasync profile`."""
    (directory / "script.py").write_text(textwrap.dedent(prelude) + textwrap.dedent(script))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
    command = [sys.executable, "-m", "tbasync", "profile", *options, "script.py", *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


def figures(ended: subprocess.CompletedProcess[str]) -> Any:
    """What `--json` printed."""
    try:
        return json.loads(ended.stdout)
    except ValueError:
        raise AssertionError(ended.stdout + ended.stderr) from None


def methods(run: Any) -> dict[str, Any]:
    """The methods of a run by name."""
    return {method["name"]: method for method in run["methods"]}


def test_what_is_printed(tmp_path: Path) -> None:
    """The script's own output, then tables with each method, the dearest lines, and shares in words."""
    ended = profile("log().close(); print('done')", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("done\n")
    for text in ("add_scalar", "1,000", "script.py:7", "critical path", "With tbasync it would be about"):
        assert text in ended.stdout


def test_json(tmp_path: Path) -> None:
    """`--json` prints nothing else on stdout; counts, lines and arguments are the script's."""
    ended = profile(
        "log(int(sys.argv[1])).close(); print('done')", tmp_path, "--json", arguments=["700", "--json"]
    )
    document = figures(ended)
    assert ended.stderr == "done\n"
    assert (document["command"], document["status"]) == (["script.py", "700", "--json"], 0)
    assert document["tbasync"] is None
    own = document["own"]
    counts = {name: method["calls"] for name, method in methods(own).items()}
    assert counts == {"SummaryWriter()": 1, "add_scalar": 700, "close": 1}
    assert own["sites"][0]["file"].endswith("script.py")
    assert {"line": 7, "method": "add_scalar", "calls": 700}.items() <= {
        key: value for site in own["sites"] if site["line"] == 7 for key, value in site.items()
    }.items()
    assert 0 < own["logging_seconds"] <= own["active_seconds"] <= own["wall_seconds"]
    assert sum(method["total_seconds"] for method in own["methods"]) == pytest.approx(own["logging_seconds"])
    assert own["estimated_seconds"] > 0


ENDS = {
    "exit": ("sys.exit(3)", 3, ""),
    "exception": ("1 / 0", 1, "ZeroDivisionError"),
    "interrupt": ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
    "os._exit": ("os._exit(4)", 4, ""),
    "exec": ("os.execvp('sh', ['sh', '-c', 'exit 5'])", 5, ""),
    "thread": ("threading.Thread(target=lambda: [time.sleep(0.2), w.add_text('t', 'x')]).start()", 0, ""),
    "pool": (
        "from concurrent.futures import ThreadPoolExecutor as Pool\n"
        "pool = Pool(1)\n"
        "pool.submit(w.add_text, 't', 'x').result()",
        0,
        "",
    ),
    "os._exit beside a thread": (
        "threading.Thread(target=time.sleep, args=(300,)).start(); os._exit(6)",
        6,
        "",
    ),
    "a directory that is gone": (
        "import tempfile; gone = tempfile.mkdtemp(); os.chdir(gone); os.rmdir(gone)",
        0,
        "",
    ),
    "a closed stderr": ("sys.stderr = None; sys.exit('unseen')", 1, ""),
    "a thread that is interrupted": (
        "threading.Thread(target=lambda: [time.sleep(0.2), os.kill(os.getpid(), 2), time.sleep(0.2)]).start()",
        0,
        "",
    ),
    "atexit": ("import atexit; atexit.register(w.add_text, 't', 'x')", 0, ""),
}


Ended = subprocess.CompletedProcess[str]

endings = ahead("end", lambda end, directory: profile(f"w = log()\n{ENDS[end][0]}", directory, "--json"))


@pytest.mark.parametrize("end", ENDS)
def test_however_the_script_ends(end: str, endings: Callable[[str], Ended]) -> None:
    """The status and the traceback are the script's, and all calls are in the table, the last ones too."""
    _, status, complaint = ENDS[end]
    ended = endings(end)
    document = figures(ended)
    assert (ended.returncode, document["status"]) == (status, status)
    assert complaint in ended.stderr
    assert "profiling" not in ended.stderr
    found = methods(document["own"])
    assert found["add_scalar"]["calls"] == 1000
    if end in ("thread", "pool", "atexit"):
        assert found["add_text"]["calls"] == 1
    assert "script.py" in {site["file"] for site in document["own"]["sites"]}
    assert document["own"]["estimate"]


def test_a_script_that_is_killed(tmp_path: Path) -> None:
    """Where nothing could be measured, one line says so; the exit status is what a shell says of the script's."""
    ended = profile("w = log(); os.kill(os.getpid(), 9)", tmp_path, "--json")
    assert (ended.returncode, ended.stdout) == (137, "")
    assert re.fullmatch(
        "tbasync profile: nothing to report: .* ended with status 137 before it .*\n", ended.stderr
    )


SIGNALS = {
    "SIGTERM": "",
    "SIGHUP": "",
    "SIGUSR1": "",
    "SIGQUIT": "",
    "SIGALRM": "signal.alarm(1)",
    "SIGINT": "signal.signal(signal.SIGINT, signal.SIG_DFL)",
}


def profile_with_a_signal(name: str, directory: Path) -> Ended:
    """Profiles a script that is sent the signal."""
    number = int(getattr(signal, name))
    script = f"""
        import signal
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        w = log()
        {SIGNALS[name]}
        if not {SIGNALS[name].startswith("signal.alarm")}:
            os.kill(os.getpid(), {number})
        time.sleep(60)
        w.add_text("never", "reached")
    """
    return profile(script, directory, "--json")


signalled_scripts = ahead("deadly", profile_with_a_signal)


@pytest.mark.parametrize("deadly", SIGNALS)
def test_a_signal_that_ends_the_script(deadly: str, signalled_scripts: Callable[[str], Ended]) -> None:
    """The report has all up to there, the estimate too; the exit status is what a shell says of the script's."""
    number = int(getattr(signal, deadly))
    ended = signalled_scripts(deadly)
    document = figures(ended)
    assert (ended.returncode, document["status"], ended.stderr) == (128 + number, 128 + number, "")
    found = methods(document["own"])
    assert {name: method["calls"] for name, method in found.items()} == {
        "SummaryWriter()": 1,
        "add_scalar": 1000,
    }
    assert document["own"]["estimated_seconds"] > 0


def test_a_signal_in_the_midst_of_a_call(tmp_path: Path) -> None:
    """It is reported in time though the main thread stands with a lock in its hands that the estimate needs."""
    script = """
        import signal
        from tbasync.profiling import signals
        signals.SECONDS_TO_DIE = 0.2
        lock = threading.Lock()
        class Value:
            def __float__(self):
                with lock:
                    return 1.0
        w = log()
        w.add_scalar("loss", Value(), 1)
        with lock:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
    """
    ended = profile(script, tmp_path, "--json")
    document = figures(ended)
    assert (ended.returncode, ended.stderr) == (143, "")
    assert methods(document["own"])["add_scalar"]["calls"] == 1001
    assert document["own"]["estimate"] == []


def test_signals_that_the_script_looks_at(tmp_path: Path) -> None:
    """It finds, sets and gets back what it would without us; children that it starts die of signals at once."""
    script = """
        import multiprocessing, signal, subprocess
        from signal import getsignal, signal as set_signal
        assert getsignal(signal.SIGTERM) is signal.SIG_DFL is set_signal(signal.SIGTERM, print)
        assert getsignal(signal.SIGTERM) is print is set_signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGTERM)
        assert getsignal(signal.SIGTERM) is signal.SIG_IGN is set_signal(signal.SIGTERM, signal.SIG_DFL)
        w = log(10)
        child = os.fork()
        if child == 0:
            assert getsignal(signal.SIGTERM) is signal.SIG_DFL is set_signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        for _ in range(20):  # terminated before it can have done anything
            worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
            worker.start()
            worker.terminate()
            worker.join()
            assert worker.exitcode == -signal.SIGTERM
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
        command = subprocess.Popen(["sleep", "60"])
        command.terminate()
        assert command.wait() == -signal.SIGTERM
        log(10)
    """
    ended = profile(script, tmp_path, "--json")
    assert ended.returncode == 0, ended.stderr
    assert methods(figures(ended)["own"])["add_scalar"]["calls"] == 20


@pytest.mark.parametrize("last", ["1 / 0", "sys.exit('that was it')", "raise KeyboardInterrupt"])
def test_what_the_script_says_at_its_end(last: str, tmp_path: Path) -> None:
    """Its traceback is printed when it ends, once, as python prints it; only then are calls made again."""
    script = f"""
        class Value:
            def __float__(self):
                print("asked", file=sys.stderr)
                return 1.0
        w = log()
        w.add_scalar("loss", Value(), 1)
        {last}
    """
    ended = profile(script, tmp_path, "--json")
    plain = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == plain.stderr + "asked\n"
    assert ended.returncode % 256 == (plain.returncode if plain.returncode > 0 else 128 - plain.returncode)


def test_children_are_left_alone(tmp_path: Path) -> None:
    """A forked child logs as it likes; the table is the parent's."""
    script = """
        w = log(10)
        child = os.fork()
        if child == 0:
            log(500)
            os._exit(0)
        os.waitpid(child, 0)
        log(10)
    """
    document = figures(profile(script, tmp_path, "--json"))
    assert methods(document["own"])["add_scalar"]["calls"] == 20


def test_a_script_without_a_writer(tmp_path: Path) -> None:
    """The report is a sentence that says what was looked for."""
    ended = profile("print('nothing')", tmp_path, prelude="")
    assert ended.returncode == 0
    assert ended.stdout.startswith("nothing\n\nNo SummaryWriter of torch, tensorboardX or tbasync was used")


@pytest.mark.parametrize("words", [[], ["missing.py"], ["--json", "-m"], ["--compare", "--"]])
def test_without_a_script(words: list[str], tmp_path: Path) -> None:
    """A wrong command line is one line and status 2."""
    command = [sys.executable, "-m", "tbasync", "profile", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.startswith("tbasync profile: error: ")
    assert ended.stderr.count("\n") == 1


def signalled(script: str, directory: Path, numbers: Sequence[int]) -> tuple[int, str]:
    """Status and output of a command that is sent signals when the script, which may use `log`, prints "ready"."""
    (directory / "script.py").write_text(textwrap.dedent(LOG) + textwrap.dedent(script))
    command = [sys.executable, "-m", "tbasync", "profile", "script.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in numbers:
            process.send_signal(number)
        printed, _ = process.communicate(timeout=60)
    return process.returncode, printed


def test_signals_are_the_scripts_affair(tmp_path: Path) -> None:
    """A SIGTERM to the command reaches the script, which may end as it likes, and is reported."""
    script = """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(8))
        w = log()
        print("ready", flush=True)
        time.sleep(60)
    """
    status, printed = signalled(script, tmp_path, [signal.SIGTERM])
    assert status == 8
    assert "add_scalar" in printed


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1"])
def test_a_signal_to_the_command(name: str, tmp_path: Path) -> None:
    """Even if it is sent twice, it ends the script alone, and the report of what was logged so far is printed."""
    number = getattr(signal, name)
    script = 'w = log()\nprint("ready", flush=True)\ntime.sleep(60)'
    status, printed = signalled(script, tmp_path, [number] if name == "SIGINT" else [number, number])
    assert status == 128 + number
    assert "add_scalar" in printed
    assert "With tbasync it would be about" in printed


def test_an_interrupt_from_the_keyboard(tmp_path: Path) -> None:
    """The terminal sends Ctrl-C to the command and to the script: the script sees it once."""
    termios = pytest.importorskip("termios")
    fcntl = pytest.importorskip("fcntl")
    script = """
        import signal
        w = log()
        noted, note = os.pipe()
        os.set_blocking(note, False)
        signal.set_wakeup_fd(note)  # takes a byte for every signal, however quickly they come
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            time.sleep(0.3)
        print("seen", len(os.read(noted, 9)))
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(LOG) + textwrap.dedent(script))
    command = [sys.executable, "-m", "tbasync", "profile", "script.py"]
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.write(ours, b"\x03")
        printed, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert printed.startswith("seen 1\n")
    assert "With tbasync it would be about" in printed


def test_a_script_from_standard_input(tmp_path: Path) -> None:
    """`-` works as under python, with `--compare` too: both runs get the whole script."""
    source = textwrap.dedent(LOG) + "log(int(sys.argv[1]))\nprint(sys.argv, repr(sys.stdin.read()))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tbasync", "profile", "--json", "--compare", "-", "30"]
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        input=source,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    document = figures(ended)
    assert ended.stderr == "['-', '30'] ''\n" * 2
    for run in ("own", "tbasync"):
        assert methods(document[run])["add_scalar"]["calls"] == 30
        assert {site["file"] for site in document[run]["sites"]} == {"<stdin>"}


@pytest.mark.parametrize("package", ["tbasync", "tensorboardX"])
@pytest.mark.long
def test_a_subclass_of_the_scripts_own(package: str, tmp_path: Path) -> None:
    """What its methods do besides is part of the calls, which are counted once; and there is an estimate."""
    pytest.importorskip(package)
    prelude = f"""
        import time
        from {package} import SummaryWriter
        class Mine(SummaryWriter):
            def add_scalar(self, tag, value, step):
                time.sleep(0.01)
                super().add_scalar("mine/" + tag, value, step)
        with Mine("runs/main") as w:
            for step in range(20):
                w.add_scalar("loss", 1.0, step)
    """
    own = figures(profile("", tmp_path, "--json", prelude=prelude))["own"]
    method = methods(own)["add_scalar"]
    assert (method["calls"], [site["line"] for site in own["sites"]].count(10)) == (20, 1)
    assert method["total_seconds"] > 0.2
    (estimate,) = (method for method in own["estimate"] if method["name"] == "add_scalar")
    assert 0.2 < estimate["total_seconds"] < method["total_seconds"] + 0.1
    assert own["estimated_seconds"] > 0.2


TORCH = """
    import sys, time
    import torch
    from {package} import SummaryWriter
    writer, values, spent = SummaryWriter("runs/main"), torch.randn({elements}), 0.0
    for step in range(40):
        loss = values.mean() + step
        start = time.perf_counter()
        writer.add_scalar("loss", loss.item(), step)
        writer.add_histogram("values", values, step)
        spent += time.perf_counter() - start
    start = time.perf_counter()
    writer.close()
    spent += time.perf_counter() - start
    print("spent", spent, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("package", ["torch.utils.tensorboard", "tensorboardX"])
@pytest.mark.long
def test_totals_agree_with_the_scripts_own_clock(package: str, tmp_path: Path) -> None:
    """The table's totals, and what measuring cost, make up what the script itself has timed, within 5 %."""
    pytest.importorskip(package)
    prelude = TORCH.format(package=package, elements=1_000_000)
    ended = profile("", tmp_path, "--json", prelude=prelude)
    own = figures(ended)["own"]
    spent = float(re.findall(r"spent (\S+)", ended.stderr)[0])
    found = methods(own)
    assert {name: method["calls"] for name, method in found.items()} == {
        "SummaryWriter()": 1,
        "add_scalar": 40,
        "add_histogram": 40,
        "close": 1,
    }
    (item,) = own["reads"]
    assert (item["name"], item["calls"], item["device_syncs"]) == ("Tensor.item", 40, 0)
    measured = own["logging_seconds"] - found["SummaryWriter()"]["total_seconds"] + item["total_seconds"]
    assert measured == pytest.approx(spent - own["measuring_seconds"], rel=0.05)
    assert found["add_histogram"]["bytes"] > 40 * 1000
    assert own["estimated_seconds"] < own["logging_seconds"]


@pytest.mark.long
@pytest.mark.slow
def test_compare(tmp_path: Path) -> None:
    """The second run is under tbasync, makes the same calls, and both are printed side by side."""
    pytest.importorskip("torch.utils.tensorboard")
    prelude = TORCH.format(package="torch.utils.tensorboard", elements=10_000)
    document = figures(profile("", tmp_path, "--json", "--compare", prelude=prelude))
    own, other = methods(document["own"]), methods(document["tbasync"])
    assert {name: method["calls"] for name, method in own.items()} == {
        name: method["calls"] for name, method in other.items()
    }
    assert document["tbasync"]["logging_seconds"] < document["own"]["logging_seconds"]
    printed = profile("", tmp_path, "--compare", prelude=prelude).stdout
    assert "The same with tbasync, in a second run" in printed
    assert re.search("times less.*; the whole run took", printed)


@pytest.mark.long
@pytest.mark.slow
def test_on_the_demo(tmp_path: Path) -> None:
    """The demo with torch's writer: what the loop itself has counted as logging is what the table says."""
    pytest.importorskip("torch.utils.tensorboard")
    pytest.importorskip("sklearn")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    demo = ["-m", "tbasync", "demo", "--writer", "torch", "--epochs", "1", "--log-dir", str(tmp_path / "run")]
    command = [sys.executable, "-m", "tbasync", "profile", "--json", *demo]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=True
    )
    own = figures(ended)["own"]
    counted = float(re.findall(r"Logging: +([\d.,]+) ms", ended.stderr)[0].replace(",", "")) / 1e3
    outside = sum(methods(own)[name]["total_seconds"] for name in ("SummaryWriter()", "close"))
    measured = own["logging_seconds"] - outside + own["measuring_seconds"]
    assert measured == pytest.approx(counted, rel=0.05)
    assert methods(own)["add_histogram"]["calls"] > 10

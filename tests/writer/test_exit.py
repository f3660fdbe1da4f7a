"""Everything that was logged is in the file when the process has ended, however it ends.

Each case is a small program in an interpreter of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ..support.plain_reader import scalars, steps

ROOT = Path(__file__).resolve().parents[2]
COUNT = 1000

LOG_1000 = """
    for step in range(1000):
        writer.add_scalar("loss", step / 2, step)
"""


def run(program: str, directory: Path, *, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Runs a program whose `d` is the directory to log to."""
    source = "import sys; d = sys.argv[1]\n" + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source, str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    if expect is not None:
        assert done.returncode == expect, done.stderr
    return done


ENDS = {
    "the end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "an uncaught exception": ("raise ValueError('training failed')", 1),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", -signal.SIGINT),
    "SIGINT": (
        "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
        -signal.SIGINT,
    ),
    "an exception in a thread": ("import threading; threading.Thread(target=lambda: 1 / 0).start()", 0),
    "del": ("del writer", 0),
    "a cycle that is never collected": (
        "import gc; gc.disable(); a = [writer]; a.append(a); del a, writer",
        0,
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_all_is_there_after(end: str, tmp_path: Path) -> None:
    """1,000 scalars and no close()."""
    statement, code = ENDS[end]
    program = f"import tbasync\nwriter = tbasync.SummaryWriter(d)\n{textwrap.dedent(LOG_1000)}\n{statement}"
    done = run(program, tmp_path, expect=code)
    assert steps(tmp_path, "loss") == list(range(COUNT))
    assert "tbasync:" not in done.stderr, done.stderr


def test_os_exit_after_flush(tmp_path: Path) -> None:
    """`os._exit` drains nothing, but what a flush has covered is in the file."""
    program = """
        import os, tbasync
        writer = tbasync.SummaryWriter(d)
        for step in range(1000): writer.add_scalar("loss", step / 2, step)
        writer.flush()
        for step in range(1000, 2000): writer.add_scalar("loss", step / 2, step)
        os._exit(0)
    """
    run(program, tmp_path)
    found = steps(tmp_path, "loss", torn_end=True)
    assert found == list(range(len(found)))
    assert len(found) >= COUNT


@pytest.mark.parametrize("register", ["before", "after"])
def test_exit_handlers_that_log(register: str, tmp_path: Path) -> None:
    """Those registered after the import run before the drain; those before it run after, and drain themselves."""
    program = f"""
        import atexit
        def finish():
            for step in range(1000):
                writer.add_scalar("at exit", step / 2, step)
        {"atexit.register(finish)" if register == "before" else ""}
        import tbasync
        {"atexit.register(finish)" if register == "after" else ""}
        writer = tbasync.SummaryWriter(d)
        writer.add_scalar("loss", 1.0, 1)
    """
    run(program, tmp_path)
    assert steps(tmp_path, "loss") == [1]
    assert steps(tmp_path, "at exit") == list(range(COUNT))


def test_an_exit_handler_that_flushes_and_closes(tmp_path: Path) -> None:
    """After the drain they work as ever: another file is opened, written and closed."""
    program = """
        import atexit
        def finish():
            for step in range(10):
                writer.add_scalar("at exit", 1.0, step)
                assert writer.flush() is True
                if step == 5:
                    assert writer.close() is True
            with tbasync.SummaryWriter(d + "/new") as other:
                other.add_scalar("new", 1.0, 1)
        atexit.register(finish)
        import tbasync
        writer = tbasync.SummaryWriter(d)
        writer.add_scalar("loss", 1.0, 1)
    """
    run(program, tmp_path)
    assert steps(tmp_path, "at exit") == list(range(10))
    assert steps(tmp_path / "new", "new") == [1]


@pytest.mark.slow
def test_daemon_threads_that_log_at_exit(tmp_path: Path) -> None:
    """They hold up nothing, and what they pushed before the end began is in the file."""
    program = """
        import threading, tbasync
        writer = tbasync.SummaryWriter(d)
        pushed = threading.Event()
        def forever(k):
            step = 0
            while True:
                writer.add_scalar(f"daemon {k}", 1.0, step)
                writer.add_text("text", "x" * 100, step) if step % 50 == 0 else None
                step += 1
                if step == 1000: pushed.set()
        for k in range(4):
            threading.Thread(target=forever, args=(k,), daemon=True).start()
        pushed.wait()
        for step in range(1000): writer.add_scalar("loss", 1.0, step)
    """
    run(program, tmp_path)
    found = scalars(tmp_path, torn_end=True)
    assert [point.step for point in found.pop("loss")] == list(range(COUNT))
    for points in found.values():
        assert [point.step for point in points] == list(range(len(points)))
    assert max(map(len, found.values())) >= COUNT


def test_threads_that_outlive_the_main_program(tmp_path: Path) -> None:
    """Python waits for them; what they log to the very end is there (3.12 starts no threads any more by then)."""
    program = """
        import threading, time, tbasync
        writer = tbasync.SummaryWriter(d)
        main = threading.main_thread()
        def work():
            main.join()
            for step in range(1000): writer.add_scalar("loss", step / 2, step)
            late = tbasync.SummaryWriter(d + "/late")
            late.add_scalar("late", 1.0, 1)
        threading.Thread(target=work).start()
    """
    run(program, tmp_path)
    assert steps(tmp_path, "loss") == list(range(COUNT))
    assert steps(tmp_path / "late", "late") == [1]


def test_logging_in_destructors_at_the_very_end(tmp_path: Path) -> None:
    """When modules are torn down no thread runs any more: nothing hangs and nothing is said."""
    program = """
        import tbasync
        class Model:
            def __del__(self):
                writer.add_scalar("del", 1.0, 1)
                writer.add_text("del", "text", 1)
                writer.flush()
                writer.close()
        writer = tbasync.SummaryWriter(d)
        writer.add_scalar("loss", 1.0, 1)
        sys.model = Model()
        sys.writer = writer
        del Model
    """
    done = run(program, tmp_path)
    assert steps(tmp_path, "loss") == [1]
    assert done.stderr == ""


def test_a_disk_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    """The exit waits for its time, says on stderr what is missing, and goes."""
    program = """
        import os, threading, tbasync, tbasync.pipeline.process as process
        process.EXIT_SECONDS = 0.3
        writer = tbasync.SummaryWriter(d)
        writer.add_scalar("loss", 1.0, 1)
        writer.flush()
        write = os.write
        def hang(handle, data):
            return write(handle, data) if threading.current_thread() is threading.main_thread() else never.wait()
        never = threading.Event()
        os.write = hang
        writer.add_scalar("lost", 1.0, 1)
    """
    done = run(program, tmp_path)
    assert f"not everything reached {str(tmp_path)!r}" in done.stderr
    assert steps(tmp_path, "loss") == [1]


def test_a_full_disk_at_exit_is_told(tmp_path: Path) -> None:
    """After a while of trying the loss is counted on stderr; other writers are not held up by it."""
    program = """
        import errno, os, tbasync, tbasync.pipeline.process as process
        process.EXIT_SECONDS = 0.5
        broken, sound = tbasync.SummaryWriter(d + "/broken"), tbasync.SummaryWriter(d + "/sound")
        broken_inode = os.stat(d + "/broken/" + os.listdir(d + "/broken")[0]).st_ino
        write = os.write
        def full(handle, data):
            if os.fstat(handle).st_ino == broken_inode: raise OSError(errno.ENOSPC, "No space left on device")
            return write(handle, data)
        os.write = full
        import warnings; warnings.simplefilter("ignore")
        for step in range(1000):
            broken.add_scalar("loss", 1.0, step)
            sound.add_scalar("loss", 1.0, step)
    """
    done = run(program, tmp_path)
    assert "tbasync: 1000 summaries could not be written" in done.stderr
    assert "No space left on device" in done.stderr
    assert steps(tmp_path / "sound", "loss") == list(range(COUNT))
    assert steps(tmp_path / "broken", "loss") == []


def test_failures_are_told_at_exit(tmp_path: Path) -> None:
    """What no flush has raised is said once on stderr; the exit status stays the program's."""
    program = """
        import warnings; warnings.simplefilter("ignore")
        import tbasync
        writer = tbasync.SummaryWriter(d)
        writer._push("bad", 0, None, lambda tag: 1 / 0, ())
        writer.add_scalar("loss", 1.0, 1)
    """
    done = run(program, tmp_path)
    assert "tbasync: 1 summary was not logged" in done.stderr
    assert steps(tmp_path, "loss") == [1]


def test_ctrl_c_while_the_exit_drains(tmp_path: Path) -> None:
    """An impatient user gets away at once; the other writers have been asked to drain before that."""
    program = """
        import os, signal, threading, tbasync
        slow, other = tbasync.SummaryWriter(d + "/slow"), tbasync.SummaryWriter(d + "/other")
        held = threading.Event()
        def encode(tag):
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
            held.wait()
        for step in range(1000): other.add_scalar("loss", 1.0, step)
        slow._push("held", 0, None, encode, ())
        slow.flush(0.1)
    """
    run(program, tmp_path, expect=None)
    assert steps(tmp_path / "other", "loss", torn_end=True) == list(range(COUNT))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_ends_normally_drains_too(tmp_path: Path) -> None:
    """`sys.exit` in a forked child writes the child's own values; the parent's are in the parent's file."""
    program = """
        import os, warnings, tbasync
        warnings.simplefilter("ignore", DeprecationWarning)
        writer = tbasync.SummaryWriter(d)
        for step in range(1000): writer.add_scalar("parent", 1.0, step)
        child = os.fork()
        if not child:
            for step in range(1000): writer.add_scalar("child", 1.0, step)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    run(program, tmp_path)
    found = scalars(tmp_path)
    assert {tag: len(points) for tag, points in found.items()} == {"parent": COUNT, "child": COUNT}


# -- SIGTERM -----------------------------------------------------------------------------------------------

SIGTERM_PROGRAM = """
    import os, signal, threading, time, tbasync
    {before}
    writer = tbasync.SummaryWriter(d, interval=3600, install_sigterm=True)
    other = tbasync.SummaryWriter(d + "/other", interval=3600, install_sigterm=True)
    for step in range(1000):
        writer.add_scalar("loss", 1.0, step)
        other.add_scalar("loss", 1.0, step)
    os.kill(os.getpid(), signal.SIGTERM)
    {after}
"""


def sigterm(before: str = "", after: str = "time.sleep(60)") -> str:
    return SIGTERM_PROGRAM.format(before=before, after=after)


def test_sigterm_drains_and_then_kills(tmp_path: Path) -> None:
    """With the default action as the previous one: all is written, and the process dies of the signal."""
    run(sigterm(), tmp_path, expect=-signal.SIGTERM)
    assert steps(tmp_path, "loss") == steps(tmp_path / "other", "loss") == list(range(COUNT))


def test_sigterm_without_the_option_is_left_alone(tmp_path: Path) -> None:
    """Nothing is installed that was not asked for."""
    program = """
        import os, signal, tbasync
        writer = tbasync.SummaryWriter(d, interval=3600)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    """
    run(program, tmp_path)


def test_sigterm_then_the_programs_own_handler(tmp_path: Path) -> None:
    """It is called once, after the drain, and may log, raise or exit."""
    program = """
        import os, signal, time, tbasync
        def handler(number, frame):
            assert frame is not None
            assert writer.stats().written == 1000
            writer.add_scalar("handled", 1.0, number)
            sys.exit(7)
        signal.signal(signal.SIGTERM, handler)
        writer = tbasync.SummaryWriter(d, interval=3600, install_sigterm=True)
        for step in range(1000): writer.add_scalar("loss", 1.0, step)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    """
    run(program, tmp_path, expect=7)
    assert steps(tmp_path, "loss") == list(range(COUNT))
    assert steps(tmp_path, "handled") == [signal.SIGTERM]


def test_sigterm_that_was_ignored(tmp_path: Path) -> None:
    """It drains and goes on."""
    program = sigterm("signal.signal(signal.SIGTERM, signal.SIG_IGN)", 'writer.add_scalar("after", 1.0, 1)')
    run(program, tmp_path)
    assert steps(tmp_path, "loss") == list(range(COUNT))
    assert steps(tmp_path, "after") == [1]


def test_handlers_installed_on_top_of_one_another(tmp_path: Path) -> None:
    """A program's handler that calls the one before it, then a further writer: no endless recursion."""
    program = """
        import os, signal, time, tbasync
        first = tbasync.SummaryWriter(d, interval=3600, install_sigterm=True)
        ours = signal.getsignal(signal.SIGTERM)
        calls = []
        def handler(number, frame):
            calls.append(number)
            assert len(calls) == 1
            ours(number, frame)
        signal.signal(signal.SIGTERM, handler)
        second = tbasync.SummaryWriter(d + "/second", interval=3600, install_sigterm=True)
        third = tbasync.SummaryWriter(d + "/third", interval=3600, install_sigterm=True)
        for writer in (first, second, third): writer.add_scalar("loss", 1.0, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    """
    run(program, tmp_path, expect=-signal.SIGTERM)
    for directory in (tmp_path, tmp_path / "second", tmp_path / "third"):
        assert steps(directory, "loss") == [1]


def test_sigterm_with_a_disk_that_hangs(tmp_path: Path) -> None:
    """The process ends after a while all the same."""
    program = """
        import os, signal, threading, time, tbasync, tbasync.pipeline.sigterm as sigterm
        sigterm.DRAIN_SECONDS = 0.2
        writer = tbasync.SummaryWriter(d, install_sigterm=True)
        os.write = lambda handle, data: threading.Event().wait()
        writer.add_scalar("lost", 1.0, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    """
    done = run(program, tmp_path, expect=-signal.SIGTERM)
    assert "not everything reached" in done.stderr


def test_sigterm_to_children_in_their_first_instants(tmp_path: Path) -> None:
    """A child that is terminated as soon as it is forked ends by it: the signal is not lost with the fork."""
    program = """
        import os, signal, tbasync, time
        writer = tbasync.SummaryWriter(d, install_sigterm=True)
        for _ in range(20):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(1)
            os.kill(child, signal.SIGTERM)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
    """
    run(program, tmp_path)


def test_sigterm_needs_the_main_thread(tmp_path: Path) -> None:
    """ValueError that says so, before a file is made."""
    program = """
        import threading, tbasync
        errors = []
        def make():
            try: tbasync.SummaryWriter(d + "/run", install_sigterm=True)
            except ValueError as error: errors.append(str(error))
        thread = threading.Thread(target=make)
        thread.start(); thread.join()
        assert "main thread" in errors[0], errors
        import os
        assert not os.path.exists(d + "/run")
    """
    run(program, tmp_path)

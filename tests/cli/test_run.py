"""`tbasync run` against plain python: the same script prints the same and comes to the same end."""

from __future__ import annotations

import os
import py_compile
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ..support.ahead import ahead

ROOT = Path(__file__).resolve().parents[2]

# What a script can see of how it was started, but for the frames above its own.
SURROUNDINGS = """
    import __main__, sys
    print(sys.argv, sys.path[0], __name__, __file__, __package__, __spec__ and __spec__.name, __doc__)
    print(sorted(globals()), __builtins__, type(__loader__).__name__, vars(__main__) is globals())
"""

SCRIPTS = {
    "surroundings": SURROUNDINGS,
    "pickle": """
        import pickle
        class Thing: pass
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
    """,
    "no future of others": "def f(x: int): pass\nprint(f.__annotations__)",
    "exit status": "import sys; sys.exit(3)",
    "exit text": "import sys; sys.exit('that was it')",
    "exit none": "raise SystemExit",
    "exit in a function": "import sys\ndef f(): sys.exit(True)\nf()",
    "exception": "def f(): return 1 / 0\nf()",
    "chained exception": """
        try:
            {}["key"]
        except KeyError as error:
            raise RuntimeError("no key") from error
    """,
    "context of an exception": """
        def f():
            try:
                {}["key"]
            finally:
                [][0]
        f()
    """,
    "exception of the script's own excepthook": """
        import sys
        def hook(kind, value, traceback):
            print("hook", kind, value, traceback.tb_lineno, traceback.tb_next)
        sys.excepthook = hook
        raise ValueError("mine")
    """,
    "exception that reads as tbasync's": "class CommandError(Exception): pass\nraise CommandError('mine')",
    "exception group of no traceback": "raise BaseException",
    "interrupt": "raise KeyboardInterrupt",
    "interrupt by signal": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)",
    "interrupt caught": """
        import os, signal, time
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(9)
        except KeyboardInterrupt:
            print("caught")
    """,
    "terminated": "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(9)",
    "own signal handler": """
        import os, signal
        signal.signal(signal.SIGTERM, lambda number, frame: print(frame.f_code.co_name))
        os.kill(os.getpid(), signal.SIGTERM)
    """,
    "os._exit": "import os; print('last', flush=True); os._exit(7)",
    "atexit": "import atexit; atexit.register(print, 'at exit'); 1 / 0",
    "thread that outlives the script": """
        import threading
        def late():
            threading.main_thread().join()
            print("thread", __name__, late.__module__)
        threading.Thread(target=late).start()
    """,
    "globals in destructors": """
        class Thing:
            def __del__(self): print("gone", __name__)
        thing = Thing()
    """,
    "syntax error": "print('never'\nx = 1\n",
    "stdin": "import sys; print(sys.stdin.read())",
    "empty": "",
}


def run(words: Sequence[str], cwd: Path, *options: str, given: str = "some input") -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `python words…`, which is given something on its standard input."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *options, *words]
    ended = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, input=given, timeout=60
    )
    return ended.returncode, ended.stdout, ended.stderr


def assert_same(
    words: Sequence[str], cwd: Path, *options: str, given: str = "some input"
) -> tuple[int, str, str]:
    """Asserts that `tbasync run` does what python does, and returns that."""
    plain = run(words, cwd, *options, given=given)
    assert run(["-m", "tbasync", "run", *words], cwd, *options, given=given) == plain
    return plain


def run_script(name: str, directory: Path) -> None:
    (directory / "script.py").write_text(textwrap.dedent(SCRIPTS[name]))
    assert_same(["script.py"], directory)


def run_input(name: str, directory: Path) -> None:
    assert_same(["-", "an argument", "-"], directory, given=textwrap.dedent(SCRIPTS[name]))


scripts, inputs = ahead("name", run_script), ahead("given", run_input)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_as_under_python(name: str, scripts: Callable[[str], None]) -> None:
    """Exit status, stdout and stderr to the letter: arguments, `__main__`, exceptions, signals, exits."""
    scripts(name)


@pytest.mark.parametrize("given", [name for name in SCRIPTS if name not in ("surroundings", "syntax error")])
def test_a_script_from_standard_input(given: str, inputs: Callable[[str], None]) -> None:
    """`-` is a script that is read to the end of the input, and then runs as under python."""
    inputs(given)


def test_surroundings_of_a_script_from_standard_input(tmp_path: Path) -> None:
    """`sys.path` begins with where the process is; modules are found there; python's own `__file__` for it."""
    (tmp_path / "neighbour.py").write_text("print('here')")
    source = SURROUNDINGS + "    import neighbour, inspect\n    def f(): 1 / 0\n    f()"
    status, printed, _ = assert_same(["-"], tmp_path, given=textwrap.dedent(source))
    assert (status, "here" in printed) == (1, True)
    status, _, complaint = run(["-m", "tbasync", "run", "-"], tmp_path, given="x = (")
    assert (status, complaint.splitlines()[0]) == (1, '  File "<stdin>", line 1')


@pytest.mark.parametrize(
    "arguments",
    [
        ["--", "-m", "--help", "-h", "", " a b ", "--json", "é"],
        ["--"],
        ["-m", "x", "--"],
        ["-1", "--lr=0.1", "-vvv"],
    ],
)
def test_every_argument_reaches_the_script(arguments: list[str], tmp_path: Path) -> None:
    """Also those that look like tbasync's own, empty ones, and `--`."""
    (tmp_path / "script.py").write_text("import sys; print(sys.argv)")
    _, printed, _ = assert_same(["script.py", *arguments], tmp_path)
    assert printed == f"{['script.py', *arguments]}\n"


@pytest.mark.parametrize("source", ["x = '\0'", "# coding: none-such\n", "x = '\xff'"])
def test_what_is_no_source(source: str, tmp_path: Path) -> None:
    """A SyntaxError without frames; the interpreter words it otherwise for a file than for a string."""
    (tmp_path / "script.py").write_text(source, encoding="latin-1")
    for words in (["script.py"], ["-m", "tbasync", "run", "script.py"]):
        status, _, complaint = run(words, tmp_path)
        assert (status, "Traceback" in complaint) == (1, False)
        assert complaint.splitlines()[-1].startswith("SyntaxError: ")


def test_scripts_in_other_places(tmp_path: Path) -> None:
    """A relative path with folders in it, an absolute one, a link, and `sys.path` as python sets it."""
    (tmp_path / "there").mkdir()
    script = tmp_path / "there" / "script.py"
    script.write_text(textwrap.dedent(SURROUNDINGS))
    (tmp_path / "link.py").symlink_to(script)
    for path in ("there/script.py", str(script), "link.py", "there/../there/script.py"):
        assert_same([path], tmp_path)


def test_modules_packages_folders_and_archives(tmp_path: Path) -> None:
    """`-m module`, `-m package`, a folder, a zip file and byte code."""
    source = textwrap.dedent(SURROUNDINGS)
    package = tmp_path / "package"
    package.mkdir()
    for name in ("__init__.py", "__main__.py", "module.py"):
        (package / name).write_text(source)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", source)
    py_compile.compile(str(package / "module.py"), str(tmp_path / "compiled.pyc"))
    lines = (["-m", "package.module", "--x", "--"], ["-m", "package"], ["package"], ["archive.zip", "-m"])
    for words in lines:
        assert_same(words, tmp_path)
    assert_same(["compiled.pyc", "argument"], tmp_path)


def test_modules_that_fail(tmp_path: Path) -> None:
    """A module that raises, one and a submodule that are not there, a folder without a main."""
    (tmp_path / "raises.py").write_text("def f(): raise ValueError('x')\nf()\n")
    (tmp_path / "folder").mkdir()
    for words in (["-m", "raises"], ["-m", "missing"], ["-m", "raises.missing"], ["-m", "folder"]):
        status, _, _ = assert_same(words, tmp_path)
        assert status == 1


@pytest.mark.parametrize("option", ["-I", "-P", "-O", "-Werror"])
def test_options_of_the_interpreter(option: str, tmp_path: Path) -> None:
    """Options that change `sys.path` or how scripts are compiled mean the same."""
    if option == "-P" and sys.version_info < (3, 11):
        pytest.skip("this python has no -P")
    source = "import sys\nprint(sys.path[:1] != [sys.argv[1]], __debug__)\nassert 0\n"
    (tmp_path / "script.py").write_text(source)
    plain = run(["script.py", str(tmp_path)], tmp_path, option)
    if option in ("-I", "-P"):  # tbasync itself has to be found in another way
        launch = f"import sys; sys.path.append({str(ROOT)!r}); from tbasync.cli import main; sys.exit(main())"
        again = run(["-c", launch, "run", "script.py", str(tmp_path)], tmp_path, option)
    else:
        again = run(["-m", "tbasync", "run", "script.py", str(tmp_path)], tmp_path, option)
    assert again == plain


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "name a script to run, or a module with -m"),
        (["missing.py"], "can't open file 'missing.py': No such file or directory"),
        (["-m"], "name a script to run, or a module with -m"),
    ],
)
def test_without_a_script(words: list[str], complaint: str, tmp_path: Path) -> None:
    """One line that says what is missing, and python's status for it."""
    assert run(["-m", "tbasync", "run", *words], tmp_path) == (2, "", f"tbasync run: error: {complaint}\n")


def test_an_interrupt_from_outside_ends_it(tmp_path: Path) -> None:
    """Ctrl-C while the script runs: its own traceback, and the process ends by the signal."""
    (tmp_path / "script.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "tbasync", "run", "script.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=pipe, stderr=pipe
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert complaint.startswith(f'Traceback (most recent call last):\n  File "{tmp_path}/script.py", line ')
    assert complaint.endswith("KeyboardInterrupt\n")

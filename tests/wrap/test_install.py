"""`install()`: every way to come by a known writer gives tbasync's, and `uninstall()` leaves no trace."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tbasync
from tbasync import SummaryWriter
from tbasync.compat.imports import ImportHook

pytest.importorskip("torch.utils.tensorboard")
pytest.importorskip("tensorboardX")

import tensorboardX
import torch.utils.tensorboard

from . import runs

ROOT = Path(__file__).resolve().parents[2]
ORIGINALS = [torch.utils.tensorboard.SummaryWriter, tensorboardX.SummaryWriter]
either = pytest.mark.parametrize("original", ORIGINALS, ids=["torch", "tensorboardX"])


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After every test the originals are what they were, and no finder is left."""
    own = [vars(cls)["__init__"] for cls in ORIGINALS]
    finders = list(sys.meta_path)
    yield
    assert [vars(cls)["__init__"] for cls in ORIGINALS] == own
    assert sys.meta_path == finders


def is_tbasync(original: Any, log_dir: Path) -> bool:
    """Whether constructing the class gives a tbasync writer, which works."""
    with original(str(log_dir)) as writer:
        assert isinstance(writer, original)
        writer.add_scalar("loss", 1.0, 1)
    return isinstance(writer, SummaryWriter)


@either
def test_a_class_imported_before_gives_tbasyncs(original: Any, tmp_path: Path) -> None:
    """The class that a module holds since before `install()` constructs tbasync's until `uninstall()`."""
    assert not is_tbasync(original, tmp_path / "before")
    tbasync.install()
    assert is_tbasync(original, tmp_path / "during")
    tbasync.uninstall()
    assert not is_tbasync(original, tmp_path / "after")
    assert set(runs.scalars(tmp_path)) == {"before/loss", "during/loss", "after/loss"}


def test_modules_imported_afterwards_give_tbasyncs(tmp_path: Path) -> None:
    """In a process that imports torch and tensorboardX only after `install()`, by all their import lines."""
    script = """
        import sys
        import tbasync
        tbasync.install()
        assert not {"torch", "tensorboardX", "tensorboard"} & set(sys.modules)
        from torch.utils.tensorboard import SummaryWriter as one
        from torch.utils.tensorboard.writer import SummaryWriter as two
        import torch.utils.tensorboard as three
        from tensorboardX import SummaryWriter as four
        import tensorboardX
        classes = (one, two, three.SummaryWriter, four, tensorboardX.writer.SummaryWriter)
        for number, writer in enumerate(classes):
            assert isinstance(writer(f"{sys.argv[1]}/{number}"), tbasync.SummaryWriter), number
        for module in (three.writer, tensorboardX.writer):
            for loader in (module.__loader__, module.__spec__.loader):
                assert type(loader).__name__ == "SourceFileLoader"
        tbasync.uninstall()
        assert not isinstance(one(f"{sys.argv[1]}/after"), tbasync.SummaryWriter)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=100)


def test_neither_package_has_to_be_there() -> None:
    """`install()` imports nothing, and an import that fails goes on failing in its own way."""
    script = """
        import sys
        import tbasync
        sys.modules["torch"] = sys.modules["tensorboardX"] = None
        with tbasync.install():
            for name in ("torch.utils.tensorboard.writer", "tensorboardX.writer"):
                try:
                    __import__(name)
                except ImportError:
                    continue
                raise AssertionError(name)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, check=True, timeout=60)


@either
def test_once_is_enough(original: Any, tmp_path: Path) -> None:
    """Installing thrice is undone by one `uninstall()`; a second one does nothing."""
    for _ in range(3):
        tbasync.install()
    assert is_tbasync(original, tmp_path)
    tbasync.uninstall()
    assert not is_tbasync(original, tmp_path)
    tbasync.uninstall()


@either
def test_as_a_context_manager(original: Any, tmp_path: Path) -> None:
    """It ends with the outermost `with`, also when that is left by an exception."""
    with tbasync.install():
        with tbasync.install():
            assert is_tbasync(original, tmp_path)
        assert is_tbasync(original, tmp_path)
    assert not is_tbasync(original, tmp_path)
    with pytest.raises(KeyError), tbasync.install():
        raise KeyError
    assert not is_tbasync(original, tmp_path)


@either
def test_a_context_within_a_plain_install(original: Any, tmp_path: Path) -> None:
    """The end of a `with` does not undo an `install()` that came before it; `uninstall()` undoes all."""
    tbasync.install()
    with tbasync.install():
        pass
    assert is_tbasync(original, tmp_path)
    with tbasync.install():
        tbasync.uninstall()
        assert not is_tbasync(original, tmp_path)
    assert not is_tbasync(original, tmp_path)


@either
def test_arguments_mean_what_they_mean_to_the_original(original: Any, tmp_path: Path) -> None:
    """All positional arguments of the constructor, and both names of the directory, where there are two."""
    with tbasync.install():
        writer = original(str(tmp_path / "a"), "ignored", None, 5, 7, ".end")
        assert (writer.logdir, writer.max_queue, writer.flush_secs) == (str(tmp_path / "a"), 5, 7)
        writer.close()
        (file,) = (tmp_path / "a").iterdir()
        assert file.name.endswith(".end")
        with original(log_dir=tmp_path / "b") as writer:
            assert str(writer.log_dir) == str(tmp_path / "b")
        with pytest.raises(TypeError):
            original(str(tmp_path / "c"), no_such_argument=1)


@either
def test_subclasses_are_installed_too(original: Any, tmp_path: Path) -> None:
    """Defined before or meanwhile, calling `super()` or the class by name: the base is tbasync's."""

    class Before(original):  # type: ignore[misc]
        def __init__(self, log_dir: str, scale: float) -> None:
            super().__init__(log_dir)
            self.scale = scale

        def add_scalar(self, tag: str, value: float, *rest: Any) -> None:
            super().add_scalar(tag, self.scale * value, *rest)

    with tbasync.install():

        class Meanwhile(original):  # type: ignore[misc]
            def __init__(self, log_dir: str) -> None:
                original.__init__(self, log_dir)

        with Before(str(tmp_path / "before"), 2.0) as writer:
            writer.add_scalar("loss", 1.5, 1)
            assert isinstance(writer, (SummaryWriter,))
            assert isinstance(writer, Before)
        assert is_tbasync(Meanwhile, tmp_path / "meanwhile")
    assert not is_tbasync(Meanwhile, tmp_path / "after")
    assert runs.scalars(tmp_path)["before/loss"] == [(1, 3.0)]


@either
def test_writers_live_on_across_it(original: Any, tmp_path: Path) -> None:
    """What was made before stays the original's, what was made meanwhile tbasync's; all go on working."""
    before = original(str(tmp_path / "before"))
    with tbasync.install():
        meanwhile = original(str(tmp_path / "meanwhile"))
        before.add_scalar("loss", 1.0, 1)
    meanwhile.add_scalar("loss", 2.0, 2)
    for writer in (before, meanwhile):
        writer.close()
    assert not isinstance(before, SummaryWriter)
    assert isinstance(meanwhile, SummaryWriter)
    assert runs.scalars(tmp_path) == {"before/loss": [(1, 1.0)], "meanwhile/loss": [(2, 2.0)]}


@either
def test_somebody_elses_patch_survives(original: Any, tmp_path: Path) -> None:
    """A constructor that was replaced after `install()` is left alone, with nothing of tbasync's below it."""
    own = original.__init__
    tbasync.install()
    installed = original.__init__

    def theirs(self: Any, *arguments: Any) -> None:
        installed(self, *arguments)
        self.patched = True

    original.__init__ = theirs
    try:
        tbasync.uninstall()
        assert original.__init__ is theirs
        assert not is_tbasync(original, tmp_path)
        with tbasync.install():
            assert is_tbasync(original, tmp_path)
        assert not is_tbasync(original, tmp_path)
    finally:
        original.__init__ = installed
        tbasync.install()
        tbasync.uninstall()
    assert original.__init__ is own


def test_from_many_threads(tmp_path: Path) -> None:
    """Threads that install at will: inside each `with` it is installed, at the end it is not."""
    original = ORIGINALS[0]
    barrier = threading.Barrier(8)
    wrong: list[int] = []

    def work(number: int) -> None:
        barrier.wait()
        for turn in range(20):
            with tbasync.install():
                writer = original(str(tmp_path / f"{number}-{turn}"))
                if not isinstance(writer, SummaryWriter):
                    wrong.append(turn)
                writer.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Importing:
    """A module in a directory of its own, whose import can be held up."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        (directory / "held_up.py").write_text("import sys\nsys.held_up()\nvalue = 1\n")
        monkeypatch.syspath_prepend(str(directory))
        monkeypatch.setattr(sys, "held_up", self._hold_up, raising=False)
        monkeypatch.delitem(sys.modules, "held_up", raising=False)
        self.seen: list[int] = []
        self.hook = ImportHook({"held_up": self.see})

    def _hold_up(self) -> None:
        self.entered.set()
        assert self.go_on.wait(60)

    def see(self, module: ModuleType) -> None:
        """The callback."""
        self.seen.append(module.value)

    def start(self) -> threading.Thread:
        """Begins the import in another thread, and returns in the middle of it."""
        thread = threading.Thread(target=importlib.import_module, args=("held_up",))
        thread.start()
        assert self.entered.wait(60)
        return thread


def test_attached_in_the_middle_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that another thread is just importing is waited for, and seen complete."""
    importing = Importing(tmp_path, monkeypatch)
    thread = importing.start()
    attaching = threading.Thread(target=importing.hook.attach)
    attaching.start()
    assert importing.seen == []
    importing.go_on.set()
    thread.join(60)
    attaching.join(60)
    assert importing.seen == [1]
    importing.hook.detach()


def test_detached_in_the_middle_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that began while attached and ends when detached is not called back for."""
    importing = Importing(tmp_path, monkeypatch)
    importing.hook.attach()
    thread = importing.start()
    importing.hook.detach()
    importing.go_on.set()
    thread.join(60)
    assert importing.seen == []
    assert sys.modules["held_up"].value == 1
    assert type(sys.modules["held_up"].__loader__).__name__ == "SourceFileLoader"


def test_a_module_that_fails_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own error comes out, there is no callback, and the next import is tried anew."""
    (tmp_path / "fails.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[ModuleType] = []
    hook = ImportHook({"fails": seen.append, "not_there": seen.append})
    hook.attach()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            importlib.import_module("fails")
    with pytest.raises(ModuleNotFoundError, match="not_there"):
        importlib.import_module("not_there")
    hook.detach()
    assert seen == []

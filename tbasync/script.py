"""Runs a script, a folder or a module as `python` itself would, in this process."""

from __future__ import annotations

import builtins
import importlib.util
import io
import marshal
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any

STDIN = "-"


@dataclass(frozen=True)
class Program:
    """What `python` can be told to run.

    Attributes:
        target: a file of source or byte code, a folder or zip file with a `__main__` in it, "-" for standard input;
            or the name of a module, as after `-m`.
        arguments: what it finds in `sys.argv` behind its own name.
        content: the bytes of a file, or of standard input; None for the others.
    """

    target: str
    arguments: Sequence[str]
    is_module: bool = False
    content: bytes | None = None

    @property
    def command(self) -> list[str]:
        """What follows `python` on the command line."""
        return [*(["-m"] if self.is_module else []), self.target, *self.arguments]

    def run(self) -> None:
        """Runs it as `__main__`, with `sys.argv` and `sys.path` as it expects them.

        What it raises comes out of this, and must not be caught but for a moment: where it is not caught at
        all, it is reported without the frames of those who ran it, and the process ends as `python` would.
        """
        try:
            if self.is_module:
                self._run_module()
            elif self.content is None:
                self._run_folder()
            elif self.target == STDIN:
                self._run_stdin(self.content)
            else:
                self._run_file(self.content)
        except SystemExit:
            raise
        except BaseException as error:
            _report_as_its_own(error)
            raise

    def _run_module(self) -> None:
        sys.argv = ["-m", *self.arguments]
        _become_main()
        _replace_first_path(os.getcwd())
        _runpy(self.target, alter_argv=True)

    def _run_folder(self) -> None:
        sys.argv = [self.target, *self.arguments]
        _become_main()
        _replace_first_path(_absolute(self.target), always=True)
        _runpy("__main__", alter_argv=False)

    def _run_stdin(self, content: bytes) -> None:
        sys.argv = [self.target, *self.arguments]
        _replace_first_path("")
        main = _become_main()
        vars(main).update(__file__="<stdin>", __cached__=None, __loader__=BuiltinImporter)
        exec(_compile(content, "<stdin>"), vars(main))

    def _run_file(self, content: bytes) -> None:
        sys.argv = [self.target, *self.arguments]
        path = _absolute(self.target)
        _replace_first_path(os.path.dirname(os.path.realpath(path)))
        main = _become_main()
        compiled = content[:4] == importlib.util.MAGIC_NUMBER
        loader = (SourcelessFileLoader if compiled else SourceFileLoader)("__main__", path)
        vars(main).update(__file__=path, __cached__=None, __loader__=loader)
        # The header of byte code is 16 bytes: magic number, flags, and date and size or hash (PEP 552).
        code: CodeType = marshal.loads(content[16:]) if compiled else _compile(content, path)
        exec(code, vars(main))


def load(target: str, arguments: Sequence[str], *, is_module: bool = False) -> Program:
    """The program that `python [-m] target arguments…` would run; "-" is read from standard input, to its end.

    Raises:
        OSError: the file cannot be read. A module is looked for only when it is run.
    """
    if target == STDIN and not is_module:
        return Program(target, arguments, content=b"" if sys.stdin is None else sys.stdin.buffer.read())
    if is_module or pkgutil.get_importer(target) is not None:
        return Program(target, arguments, is_module)
    with io.open_code(os.path.abspath(target)) as file:
        return Program(target, arguments, content=file.read())


def _absolute(path: str) -> str:
    """As the interpreter makes a path absolute: without tidying it up."""
    return os.path.join(os.getcwd(), path)


def _compile(source: bytes, path: str) -> CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except ValueError as error:  # null bytes, before Python 3.12
        raise SyntaxError(str(error)) from None


def _runpy(module: str, *, alter_argv: bool) -> None:
    # What the interpreter itself calls for `-m`, for folders and for zip files.
    run: Callable[..., Any] = runpy._run_module_as_main  # type: ignore[attr-defined]
    run(module, alter_argv)


def _become_main() -> ModuleType:
    """Puts an empty module in the place of ours; classes that the script defines are pickled by its name."""
    before = vars(sys.modules["__main__"])
    main = sys.modules["__main__"] = ModuleType("__main__")
    vars(main).update(__builtins__=builtins)
    if "__annotations__" in before:
        vars(main).update(__annotations__={})
    return main


def _replace_first_path(path: str, *, always: bool = False) -> None:
    safe = getattr(sys.flags, "safe_path", bool(sys.flags.isolated))
    if not safe:
        sys.path[0] = path
    elif always:
        sys.path.insert(0, path)


def _report_as_its_own(error: BaseException) -> None:
    """Sees to it that the report of an uncaught exception starts where the program's own frames do."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    report = sys.excepthook

    def report_own(kind: type[BaseException], raised: BaseException, whole: TracebackType | None) -> None:
        own = traceback if raised is error else whole
        report(kind, raised.with_traceback(own), own)

    sys.excepthook = report_own

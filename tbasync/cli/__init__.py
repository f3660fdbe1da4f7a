"""The command line, `tbasync COMMAND` or `python -m tbasync COMMAND`.

Each module of this package whose name has no leading underscore is a command of that name, and adding the
file is all it takes. It holds

    its docstring                    the first line is the command's help, the whole its description
    add_arguments(parser) -> None    its options
    run(arguments) -> int            its work and exit status; raises CommandError for what the user can mend
    PASSES_INTERRUPTS = True         if Ctrl-C is to end the process as it does under python (optional)

All of them are imported for `--help`, so they import at module level nothing beyond the standard library.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from .._version import __version__
from ._errors import CommandError

__all__ = ["CommandError", "main"]

USAGE_ERROR = 2  # argparse's own status for a wrong command line
INTERRUPTED = 128 + 2  # what a shell reports of a process that SIGINT ended


class Command(Protocol):
    """What a module of this package offers."""

    __doc__: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """argparse's parser, but a wrong command line is answered with one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit status.

    Errors that the user can mend are one line on stderr and status 2. `--help`, `--version` and a wrong
    command line raise SystemExit, as argparse does.
    """
    arguments = _parser().parse_args(argv)
    name: str = arguments.tbasync_command
    command = _commands()[name]
    try:
        return command.run(arguments)
    except CommandError as error:
        print(f"tbasync {name}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        if getattr(command, "PASSES_INTERRUPTS", False):
            raise
        print(f"tbasync {name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="tbasync", description="Asynchronous TensorBoard logging.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"tbasync {__version__}")
    choices = parser.add_subparsers(dest="tbasync_command", metavar="COMMAND", required=True)
    for name, command in sorted(_commands().items()):
        first_line = command.__doc__.partition("\n")[0]
        own = choices.add_parser(
            name,
            help=first_line,
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(own)
    return parser


def _commands() -> dict[str, Command]:
    """Name -> module of every command: the public modules of this package."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return {name: cast(Command, importlib.import_module(f"{__name__}.{name}")) for name in names}

"""The part of a command line that names a program and its arguments, as `python`'s own does."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ._errors import CommandError

if TYPE_CHECKING:
    from ..script import Program


def add_arguments(parser: argparse.ArgumentParser, options: str = "") -> None:
    """Adds `SCRIPT` or `-m MODULE`, and all that follows it."""
    parser.usage = f"{parser.prog} [-h] {options}(SCRIPT | -m MODULE) [ARGUMENT ...]"
    # A flag, so that the module's name and what follows go where a script and its arguments do: there, and
    # there alone, argparse lets options of others pass.
    parser.add_argument("-m", dest="is_module", action="store_true", help="run a module, as python -m does")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="SCRIPT", help=argparse.SUPPRESS)


def load(arguments: argparse.Namespace) -> Program:
    """The program that was named.

    Raises:
        CommandError: none was, or it cannot be read.
    """
    from .. import script

    words = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not words:
        raise CommandError("name a script to run, or a module with -m")
    try:
        return script.load(words[0], words[1:], is_module=arguments.is_module)
    except OSError as error:
        raise CommandError(f"can't open file {words[0]!r}: {error.strerror}") from error

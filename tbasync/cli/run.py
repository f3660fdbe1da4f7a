"""Run a script with tbasync in place of torch's and tensorboardX's SummaryWriter.

    tbasync run train.py --lr 0.1          in place of  python train.py --lr 0.1
    tbasync run -m package.train           in place of  python -m package.train
    torchrun ... -m tbasync run train.py   in place of  torchrun ... train.py

The script need not change: its arguments, its exit status, its tracebacks and its signals are as with python.
Processes that multiprocessing starts are included; those that the script starts by a command line are not.
With --install-sigterm, SIGTERM has all writers drained first, for ten seconds at most, and then ends the script
as ever.
"""

from __future__ import annotations

import argparse

from . import _program

PASSES_INTERRUPTS = True  # an interrupted script ends the process as it does under python


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--install-sigterm",
        action="store_true",
        help="write all that was logged before SIGTERM has its effect",
    )
    _program.add_arguments(parser, "[--install-sigterm] ")


def run(arguments: argparse.Namespace) -> int:
    program = _program.load(arguments)

    from ..compat import last_words, spawned
    from ..pipeline import sigterm
    from ..wrap import install

    install()
    if arguments.install_sigterm:
        sigterm.install_for_all()
    spawned.install_in_children()
    last_words.flush_before_leaving()
    program.run()
    return 0

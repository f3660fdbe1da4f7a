"""Run a script with tbasync in place of torch's and tensorboardX's SummaryWriter.

    tbasync run train.py --lr 0.1          in place of  python train.py --lr 0.1
    tbasync run -m package.train           in place of  python -m package.train
    torchrun ... -m tbasync run train.py   in place of  torchrun ... train.py

The script need not change: its arguments, its exit status, its tracebacks and its signals are as with python.
Processes that multiprocessing starts are included; those that the script starts by a command line are not.
"""

from __future__ import annotations

import argparse

from . import _program

PASSES_INTERRUPTS = True  # an interrupted script ends the process as it does under python


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _program.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    program = _program.load(arguments)

    from ..compat import last_words, spawned
    from ..wrap import install

    install()
    spawned.install_in_children()
    last_words.flush_before_leaving()
    program.run()
    return 0

"""What the trainings share: each is run with the framework's own logging, under `install()`, and with tbasync's.

    python -m tests.ecosystem.trainings.lightning_training

leaves the runs `plain`, `installed` and `ours` in the current directory, and in `expected.json` what should be
in each, noted by the training itself and not by any writer.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tbasync

Train = Callable[[str, Any], "tuple[Any, dict[str, Any]]"]


def train_thrice(train: Train, stock: Any, integration: Callable[[], Any]) -> None:
    """Trains with `stock`, with it under `install()`, and with the integration; checks whose writers they were.

    Args:
        train: called with the log directory and what the framework is to log through; returns the writer and
            what should be in the run.
        stock: the framework's own way to log.
        integration: imports tbasync's.
    """
    warnings.simplefilter("ignore")
    first, plain = train("plain", stock)
    with tbasync.install():
        second, installed = train("installed", stock)
    warnings.simplefilter("error", tbasync.TbasyncWarning)
    third, ours = train("ours", integration())
    assert not isinstance(first, tbasync.SummaryWriter)
    assert isinstance(second, tbasync.SummaryWriter)
    assert isinstance(second, type(first))
    assert isinstance(third, tbasync.SummaryWriter)
    note(plain=plain, installed=installed, ours=ours)


def note(**expected: Any) -> None:
    """Writes what should be in each run to `expected.json`."""
    Path("expected.json").write_text(json.dumps(expected))

"""wandb's `sync_tensorboard=True`, told of tbasync's runs.

wandb replaces the `EventFileWriter` of TensorBoard's modules by a subclass whose constructor tells the wandb
run which directory to follow. tbasync has no such object; it calls that constructor all the same, with a base
class put in between that creates no file.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from ..errors import TbasyncWarning

# Patched by wandb in the first place, whatever else it patches: tensorboard is what it requires.
_PATCHED_MODULE = "tensorboard.summary.writer.event_file_writer"


def announce(log_dir: str) -> None:
    """Tells wandb that event files are written to `log_dir`, if it wants to know; never fails."""
    wandb = sys.modules.get("wandb")
    if wandb is None or not getattr(wandb, "patched", {}).get("tensorboard"):
        return
    try:
        _construct_patched(log_dir)
    except Exception as error:
        warnings.warn(
            f"wandb's sync_tensorboard does not see {log_dir!r} ({type(error).__name__}: {error}); log with "
            "wandb.log() too, or start wandb sync on the directory afterwards",
            TbasyncWarning,
            stacklevel=3,
        )


def _construct_patched(log_dir: str) -> None:
    module: Any = sys.modules[_PATCHED_MODULE]
    no_file = type("NoFile", (module.orig_EventFileWriter,), {"__init__": _open_nothing})
    # Resolved in this order: the patched constructor, then, by its super(), that of NoFile.
    announcement: Any = type("Announcement", (module.EventFileWriter, no_file), {})
    announcement(log_dir)


def _open_nothing(*_: object, **__: object) -> None:
    """In place of the original constructor, which opens a file."""

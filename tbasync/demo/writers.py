"""Whose writer logs the demo: tbasync's, torch's, or nobody's."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

from tbasync import SummaryWriter

from .errors import MissingPackage

WriterName = Literal["tbasync", "torch", "none"]


class NoWriter:
    """Takes every call of a writer and does nothing: what the loop costs by itself."""

    def __getattr__(self, method: str) -> Callable[..., None]:
        return nothing


def nothing(*args: Any, **kwargs: Any) -> None:
    """Accept anything."""


def open_writer(name: WriterName, log_dir: Path) -> SummaryWriter:
    """The writer called `name` on `log_dir`. The others have tbasync's methods, hence the type."""
    if name == "tbasync":
        return SummaryWriter(str(log_dir))
    if name == "none":
        return cast(SummaryWriter, NoWriter())
    if find_spec("torch") is None or find_spec("tensorboard") is None:
        raise MissingPackage("--writer torch needs torch and tensorboard: pip install torch tensorboard")
    return cast(SummaryWriter, torch_writer(log_dir))


def torch_writer(log_dir: Path) -> Any:
    """torch's writer, given torch's tensors where it takes no others."""
    import torch
    from torch.utils.tensorboard import SummaryWriter as TorchWriter

    class Writer(TorchWriter):  # type: ignore[misc]  # torch's has no types
        def add_tensor(self, tag: str, tensor: Any, global_step: int) -> None:
            super().add_tensor(tag, torch.as_tensor(tensor), global_step)

        def add_embedding(self, mat: Any, metadata: Any, label_img: Any, *rest: Any, **options: Any) -> None:
            super().add_embedding(mat, metadata, torch.as_tensor(label_img), *rest, **options)

    return Writer(str(log_dir))

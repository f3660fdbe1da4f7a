"""Rows: precision-recall curves of a million predictions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorboardX.summary
import torch.utils.tensorboard.summary
from numpy.typing import NDArray

from tbasync.encode.pr_curve import pr_curve

from .measure import Row


def rows() -> Iterator[Row]:
    """Labels as bool and as float, without weights and with."""
    rng = np.random.default_rng(0)
    predictions = rng.random(1_000_000).astype(np.float32)
    labels = rng.random(predictions.size) < predictions
    weights = rng.random(predictions.size).astype(np.float32)
    for label in (labels, labels.astype(np.float32)):
        yield _row(f"PR curve, 1,000,000 float32, {label.dtype} labels", label, predictions, None)
    yield _row("PR curve, 1,000,000 float32, weighted", labels, predictions, weights)


def _row(
    name: str,
    labels: NDArray[np.generic],
    predictions: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
) -> Row:
    torch_summary, tbx_summary = torch.utils.tensorboard.summary, tensorboardX.summary
    return Row(
        name,
        {
            "tbasync": lambda: [pr_curve("tag", labels, predictions, weights=weights).summary],
            "torch": lambda: [torch_summary.pr_curve("tag", labels, predictions, weights=weights)],
            "tensorboardX": lambda: [tbx_summary.pr_curve("tag", labels, predictions, weights=weights)],
        },
    )

"""Precision-recall curves counted on the device: only the counts travel, not labels and predictions.

The same thresholds as on the host (`encode/pr_curve.py`), each prediction rounded to its threshold in its own
type. Counts are exact; sums of weights may differ from the host's in the last digits of a float64, for the
device adds in an order of its own.
"""

from __future__ import annotations

import sys
from typing import Any

# Elements counted at a time: their indices and shares take memory on the device, 24 bytes each.
_PIECE = 1 << 22


def count_labels(thresholds: int, predictions: Any, labels: Any, weights: Any = None) -> Any:
    """Weights of positive and negative labels between thresholds, as one float64 tensor on their device.

    Args:
        thresholds: how many, evenly spaced from 0 to 1.
        predictions: in 0 to 1, of any shape.
        labels: of the same shape, 1 for positive, 0 for negative; what lies between counts in part to both.
        weights: what each element counts, of a shape that broadcasts; None is 1.

    Returns:
        Shape (2 + 2 * thresholds,): the least and the greatest prediction, NaN if one is and infinite if there
        are none, and the weights of the positive and of the negative labels.
    """
    torch = sys.modules["torch"]
    flat, truths = predictions.reshape(-1), labels.reshape(-1)
    spread = None if weights is None else weights.expand(predictions.shape).reshape(-1)
    counts = torch.zeros((2, thresholds), dtype=torch.float64, device=flat.device)
    low = torch.full((), float("inf"), dtype=torch.float64, device=flat.device)
    high = -low
    for start in range(0, flat.numel(), _PIECE):
        part = slice(start, start + _PIECE)
        piece = flat[part] if flat.dtype in (torch.float16, torch.float32) else flat[part].double()
        least, most = piece.aminmax()
        low, high = torch.minimum(low, least.double()), torch.maximum(high, most.double())
        # Some index for what is none: the curve is refused then.
        at = (piece * (thresholds - 1)).nan_to_num().clamp(0, thresholds - 1).long()
        share = truths[part].double()
        weight = torch.ones_like(share) if spread is None else spread[part].double()
        counts[0].scatter_add_(0, at, share * weight)
        counts[1].scatter_add_(0, at, (1.0 - share) * weight)
    return torch.cat((torch.stack((low, high)), counts.reshape(-1)))

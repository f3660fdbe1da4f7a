"""Histograms in the style of tf.summary, counted on the device: only the counts travel, not the values.

The same buckets as on the host (`encode/v2_histogram.py`), to the last value: the same operations on float64, in the
same order. Every one of them is given to the stream without waiting for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

# Elements counted at a time: their indices and their float64 values take memory on the device, 24 bytes each.
_PIECE = 1 << 22


def count_evenly(buckets: int, values: Any) -> Any:
    """How many elements lie in each of some buckets of one width, as one float64 tensor on their device.

    Args:
        buckets: how many, 1 or more, from the least finite value to the greatest.
        values: real numbers or bools, of any shape.

    Returns:
        Shape (4 + buckets,): how many are finite, how many are not, minimum and maximum of the finite ones
        (infinite if there are none), and the counts, which mean nothing unless the maximum is greater.
    """
    torch = sys.modules["torch"]
    flat = values.reshape(-1)
    counts = torch.zeros(buckets + 1, dtype=torch.int64, device=flat.device)
    # A full float64 tensor: `torch.tensor([...])` would copy from the host.
    low = torch.full((), float("inf"), dtype=torch.float64, device=flat.device)
    high = -low
    for wide, finite in _pieces(flat):
        low = torch.minimum(low, torch.where(finite, wide, float("inf")).amin())
        high = torch.maximum(high, torch.where(finite, wide, float("-inf")).amax())
    # Halved, the width of the widest range is no longer infinite; otherwise nothing changes.
    half = torch.where(torch.isinf(high - low), 0.5, 1.0).double()
    width = (high * half - low * half) / buckets
    for wide, finite in _pieces(flat):
        places = ((wide * half - low * half) / width).floor()
        places = torch.where(
            torch.isnan(places), 0.0, places
        )  # 0 / 0, where the width of subnormal values is 0
        bucket = torch.where(finite, places.clamp(0, buckets - 1), buckets).long()
        counts.scatter_add_(0, bucket, torch.ones_like(counts[:1]).expand(bucket.shape))
    nonfinite = counts[buckets]
    told = [flat.numel() - nonfinite, nonfinite, low, high]
    return torch.cat((torch.stack([number.double() for number in told]), counts[:buckets].double()))


def _pieces(flat: Any) -> Iterator[tuple[Any, Any]]:
    """Piece by piece the values as float64, and which of them are finite."""
    torch = sys.modules["torch"]
    for piece in flat.split(_PIECE) if flat.numel() else ():
        wide = piece.double()
        yield wide, torch.isfinite(wide)

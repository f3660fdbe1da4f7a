"""Histograms binned on the device: only counts and moments travel, not the values.

The same buckets as on the host (`encode/default_bins.py`), to the last value: a float32 is compared with the
least float32 at or above each edge, which decides as the comparison with the edge itself would. Every
operation is given to the stream without waiting for it.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np

from ..encode.default_bins import BUCKETS, default_edges

# How many numbers `bin_tensor` makes of a tensor.
COUNTED = 6 + BUCKETS

# Elements binned at a time: their indices and their float64 values take memory on the device, 24 bytes each.
_PIECE = 1 << 22


@cache
def _edges(device: Any, dtype: Any) -> Any:
    """The default edges on a device, as values of `dtype`, float32 or float64, that decide alike."""
    torch = sys.modules["torch"]
    edges = default_edges()
    if dtype == torch.float32:
        near = edges.astype(np.float32)
        edges = np.where(near < edges, np.nextafter(near, np.float32(np.inf)), near)
    # Not `torch.tensor(edges, device=device)`, which waits for the device.
    return torch.tensor(edges, dtype=dtype).to(device, non_blocking=True)


def bin_tensor(values: Any) -> Any:
    """Counts and moments of a tensor, as one float64 tensor on its device.

    Args:
        values: real numbers or bools, of any shape.

    Returns:
        Shape (6 + 1548,): how many are finite, how many are not, minimum, maximum, sum, sum of squares of
        the finite ones (infinite extremes if there are none), and the counts of the default buckets.
    """
    torch = sys.modules["torch"]
    flat = values.reshape(-1)
    counts = torch.zeros(BUCKETS + 1, dtype=torch.int64, device=flat.device)
    # A full float64 tensor for each: `torch.tensor([...])` would copy from the host.
    low = torch.full((), float("inf"), dtype=torch.float64, device=flat.device)
    high, total, squares = -low, torch.zeros_like(low), torch.zeros_like(low)
    for piece in flat.split(_PIECE) if flat.numel() else ():
        if piece.dtype not in (torch.float32, torch.float64):
            piece = piece.to(torch.float32 if piece.dtype == torch.float16 else torch.float64)
        finite = torch.isfinite(piece)
        wide = torch.where(finite, piece, 0).double()
        bucket = torch.bucketize(piece, _edges(piece.device, piece.dtype), right=True) - 1
        bucket = torch.where(finite, bucket.clamp(0, BUCKETS - 1), BUCKETS)
        counts.scatter_add_(0, bucket, torch.ones_like(counts[:1]).expand(bucket.shape))
        low = torch.minimum(low, torch.where(finite, wide, float("inf")).amin())
        high = torch.maximum(high, torch.where(finite, wide, float("-inf")).amax())
        total = total + wide.sum()
        squares = squares + (wide * wide).sum()
    nonfinite = counts[BUCKETS]
    moments = [flat.numel() - nonfinite, nonfinite, low, high, total, squares]
    return torch.cat((torch.stack([moment.double() for moment in moments]), counts[:BUCKETS].double()))

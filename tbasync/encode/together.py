"""Many small arrays counted at once, to the very results that each alone would give.

A histogram takes some twenty numpy calls. Most of them give the GIL away for some microseconds, too short a time for a
training loop that waits for it to wake up in, so that the loop waits on and each call pays for waking it.
Here the arrays lie one behind the other, and such a call is made once for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .buckets import Counted
from .default_bins import BUCKETS, codes, counts_of, default_edges
from .floats import flat, widen
from .pieces import PIECE
from .scratch import Scratch
from .tally import Moments

MOST = 16_384
"""Elements of an array that is worth while: a larger one has enough work in each call."""

_MOST_ARRAYS = 32  # of a group: each has 12 KiB of counts


def together(arrays: Sequence[NDArray[Any]]) -> Iterator[list[tuple[int, Counted]]]:
    """What is to be written of those of `arrays` that can be counted together, with their places, some at a time.

    Between two of these lists, each of up to about 0.3 ms of work, the interpreter can be handed over.

    Args:
        arrays: real numbers of any dtype and shape. What is empty, larger than `MOST`, not finite, or float64 once
            it is widened, has its own ways, and is left out.
    """
    for group in _groups(arrays):
        counted = zip(group, _count(list(group.values())), strict=True)
        yield [(place, result) for place, result in counted if result is not None]


def _groups(arrays: Sequence[NDArray[Any]]) -> Iterator[dict[int, NDArray[np.float32]]]:
    group: dict[int, NDArray[np.float32]] = {}
    room = PIECE
    for place, array in enumerate(arrays):
        if not 0 < array.size <= MOST or (array.dtype.kind != "f" and array.itemsize > 2):
            continue
        values = flat(widen(array))
        if values.dtype != np.float32:
            continue
        if room < values.size or len(group) == _MOST_ARRAYS:
            yield group
            group, room = {}, PIECE
        group[place] = values
        room -= values.size
    if group:
        yield group


def _count(arrays: list[NDArray[np.float32]]) -> list[Counted | None]:
    """What is to be written of each array; None if not all of it is finite."""
    ends = np.cumsum([array.size for array in arrays]).tolist()
    starts, total = [0, *ends[:-1]], ends[-1]
    every: list[Moments | None] = []
    with Scratch() as scratch:
        words = scratch.second(2 * total, np.uint32)
        joined = words[:total].view(np.float32)
        np.concatenate(arrays, out=joined)
        lows = np.minimum.reduceat(joined, starts).tolist()
        highs = np.maximum.reduceat(joined, starts).tolist()
        wide = scratch.first(total, np.float64)
        np.copyto(wide, joined)
        for start, end, low, high in zip(starts, ends, lows, highs, strict=True):
            moments = Moments() if math.isfinite(low) and math.isfinite(high) else None
            if moments is not None:
                moments.add_finite(wide[start:end], low, high)
            every.append(moments)
        cells = codes(words[:total], scratch.first(total, np.intp), words[total:])
        counts = counts_of(cells, [array.size for array in arrays])
    return list(map(_result, every, *_supports(counts)))


def _supports(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], list[int], list[int]]:
    """The counts with an empty bucket before them, and where the buckets with values begin and end."""
    buckets = np.zeros((len(counts), 1 + BUCKETS))
    buckets[:, 1:] = counts
    filled = counts.astype(bool)
    ends = BUCKETS - filled[:, ::-1].argmax(axis=1)
    return buckets, filled.argmax(axis=1).tolist(), ends.tolist()


def _result(moments: Moments | None, buckets: NDArray[np.float64], first: int, end: int) -> Counted | None:
    if moments is None:
        return None
    return Counted.of(moments, default_edges()[first : end + 1], buckets[first : end + 1])

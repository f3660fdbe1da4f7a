"""Many small arrays tallied at once, to the very results that each alone would give.

A histogram takes a dozen numpy calls. Most of them give the GIL away for some microseconds, too short a time for a
training loop that waits for it to wake up in, so that the loop waits on and each call pays for waking it.
Here the arrays lie one behind the other, and such a call is made once for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .default_bins import codes
from .floats import flat, widen
from .pieces import PIECE
from .scratch import Scratch
from .tally import Tally

MOST = 16_384
"""Elements of an array that is worth while: a larger one has enough work in each call."""


def together(arrays: Sequence[NDArray[Any]]) -> Iterator[list[tuple[int, Tally]]]:
    """Tallies of those of `arrays` that can be made together, with their places, some at a time.

    Between two of these lists, each of about 0.3 ms of work, the interpreter can be handed over.

    Args:
        arrays: real numbers of any dtype and shape. What is empty, larger than `MOST`, not finite, or float64 once
            it is widened, has its own ways, and is left out.
    """
    for group in _groups(arrays):
        yield [
            (place, tally)
            for place, tally in zip(group, _tallies(list(group.values())), strict=True)
            if tally
        ]


def _groups(arrays: Sequence[NDArray[Any]]) -> Iterator[dict[int, NDArray[np.float32]]]:
    group: dict[int, NDArray[np.float32]] = {}
    room = PIECE
    for place, array in enumerate(arrays):
        if not 0 < array.size <= MOST or (array.dtype.kind != "f" and array.itemsize > 2):
            continue
        values = flat(widen(array))
        if values.dtype != np.float32:
            continue
        if room < values.size:
            yield group
            group, room = {}, PIECE
        group[place] = values
        room -= values.size
    if group:
        yield group


def _tallies(arrays: list[NDArray[np.float32]]) -> list[Tally | None]:
    """The tally of each array; None if not all of it is finite."""
    ends = np.cumsum([array.size for array in arrays]).tolist()
    starts, total = [0, *ends[:-1]], ends[-1]
    found: list[Tally | None] = []
    with Scratch() as scratch:
        words = scratch.second(2 * total, np.uint32)
        joined = words[:total].view(np.float32)
        np.concatenate(arrays, out=joined)
        lows = np.minimum.reduceat(joined, starts).tolist()
        highs = np.maximum.reduceat(joined, starts).tolist()
        wide = scratch.first(total, np.float64)
        np.copyto(wide, joined)
        for start, end, low, high in zip(starts, ends, lows, highs, strict=True):
            tally = Tally() if math.isfinite(low) and math.isfinite(high) else None
            if tally is not None:
                tally.moments.add_finite(wide[start:end], low, high)
            found.append(tally)
        cells = codes(words[:total], scratch.first(total, np.intp), words[total:])
        for start, end, tally in zip(starts, ends, found, strict=True):
            if tally is not None:
                tally.counts.add_codes(cells[start:end])
    return found

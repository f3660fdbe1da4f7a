"""Large arrays in pieces: cache-sized, and with the interpreter offered to other threads between them.

A loop that spins in pure Python gives the GIL back only at CPython's switch interval (5 ms), after every
call of ours that released it. When a piece took that long, the pieces grow: fewer calls, fewer waits. Small
pieces are for the processor's caches, so a thread that is not disturbed keeps them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..rests import offer

PIECE = 50_000
"""Elements in a piece: with the scratch that the encoders need, about 1 MiB."""

_WAITED = 0.004  # seconds: no piece takes this long, so we waited for the GIL


def pieces(total: int, size: int = PIECE) -> Iterator[slice]:
    """Slices that cover `range(total)` in order; every one but the last is a multiple of `size` long.

    That is `size` itself, and up to 16 times as much while other threads hold on to the GIL.
    """
    start, largest = 0, 16 * size
    while start < total:
        if start:
            offer()
        began = time.perf_counter()
        yield slice(start, min(start + size, total))
        start += size
        if time.perf_counter() - began > _WAITED:
            size = min(2 * size, largest)

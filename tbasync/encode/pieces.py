"""Large arrays in pieces: cache-sized, and with the interpreter handed over between them.

Most numpy calls release the GIL, but a call that lasts some microseconds takes it back before a waiting
thread has woken: to the training loop a run of such calls is one long stretch without the GIL. So after
about a millisecond of work this generator sleeps for a moment, which is long enough to wake up in.

A loop that spins in pure Python gives the GIL back only at CPython's switch interval (5 ms), after every
call of ours that released it. When a piece took that long, the pieces grow: fewer calls, fewer waits. Small
pieces are for the processor's caches, so a thread that is not disturbed keeps them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

PIECE = 50_000
"""Elements in a piece: with the scratch that the encoders need, about 1 MiB."""

_STRETCH = 0.0009  # seconds of undisturbed work after which the GIL is offered
_WAITED = 0.004  # seconds: no piece takes this long, so we waited for the GIL


def pieces(total: int, size: int = PIECE) -> Iterator[slice]:
    """Slices that cover `range(total)` in order; every one but the last is a multiple of `size` long.

    That is `size` itself, and up to 16 times as much while other threads hold on to the GIL.
    """
    start, largest = 0, 16 * size
    began = rested = time.perf_counter()
    while start < total:
        yield slice(start, min(start + size, total))
        start += size
        now = time.perf_counter()
        if now - began > _WAITED:
            size, rested = min(2 * size, largest), now
        elif now - rested > _STRETCH and start < total:
            time.sleep(1e-6)
            rested = now = time.perf_counter()
        began = now

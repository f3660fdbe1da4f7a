"""Where long work offers the interpreter to the program's other threads.

Most numpy calls release the GIL, but a call that lasts some microseconds takes it back before a waiting thread has
woken: to the training loop a run of such calls is one long stretch without the GIL, until it insists after CPython's
switch interval of 5 ms. Releasing it once more, as `time.sleep(0)` does, is no better; only a real sleep lets it in.

Encoders say where they could stop for a moment. When that is worth while is for the thread that encodes to say; one
that has not said so, such as a caller's own, never rests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Ways(threading.local):
    """How this thread rests. No context variable: what is called back elsewhere takes its context along."""

    rest: Callable[[], None] | None = None


_ways = _Ways()


@contextmanager
def resting(rest: Callable[[], None]) -> Iterator[None]:
    """Meanwhile `offer()` calls `rest` on this thread, which sleeps if it is time to."""
    before, _ways.rest = _ways.rest, rest
    try:
        yield
    finally:
        _ways.rest = before


def offer() -> None:
    """A place where other threads can have the interpreter."""
    rest = _ways.rest
    if rest is not None:
        rest()

"""What can go wrong, by whose fault it is. Every message says what happened and what to do next."""

from __future__ import annotations


class TbasyncError(Exception):
    """The base of every error that tbasync raises on its own account."""


class LoggingError(TbasyncError):
    """Something that was pushed before could not be logged; raised by the next `flush()` or `close()`.

    The first failure is chained as `__cause__`; `failures` counts them all.
    """

    def __init__(self, message: str, failures: int = 1) -> None:
        super().__init__(message)
        self.failures = failures


class QueueFullError(TbasyncError):
    """The queue is at its bound and `on_full="raise"`: the summary of this call was not logged."""


class WriterStalledError(TbasyncError, TimeoutError):
    """The writer thread has made no progress for too long: a hung disk, or a call that never returns."""


class TbasyncWarning(UserWarning):
    """Something was logged otherwise than asked, or not at all; said once for each cause."""

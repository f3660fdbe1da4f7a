"""What becomes of failures to log: said once, counted, raised at the next barrier."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable
from typing import Literal, TypeAlias

from ..errors import LoggingError, TbasyncWarning

OnError: TypeAlias = "Literal['warn', 'raise'] | Callable[[BaseException], object]"

# A cause that carries a tag or a path could be new each time: after this many, one silence for all.
_MOST_CAUSES = 256


def describe(error: BaseException) -> str:
    """The error's type and message, even of one whose `__str__` fails: reporting must not fail itself."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


class Faults:
    """Reports failures; itself unable to fail, or the first failure would silence all that follow.

    Nearly all is called by the worker; pushers report what they drop, and barriers ask. The lock keeps their
    counts exact. It is reentrant, for a signal handler may flush while its own thread asks, and is never held
    while a handler or a warning runs.
    """

    def __init__(self, on_error: OnError) -> None:
        self.last_error: BaseException | None = None
        self._on_error = on_error
        self._said: dict[object, object] = {}
        self._lock = threading.RLock()
        self._first: BaseException | None = None
        self._count = 0
        self._troubles: set[object] = set()  # causes of what does not work for now
        self._untold: BaseException | None = None  # the trouble, until a push has raised it

    def failed(self, cause: object, message: str, error: BaseException, summaries: int = 1) -> None:
        """Something was not logged.

        Args:
            cause: failures of an equal cause are said once.
            message: what was lost and why.
            error: the exception that was caught.
            summaries: how many summaries it cost.
        """
        self.last_error = error
        if self._handled(error):
            return
        with self._lock:
            self._first = self._first or error
            self._count += summaries
        self.note(cause, message)

    def trouble(self, cause: object, message: str, error: BaseException) -> None:
        """Something does not work for now, but nothing is lost yet.

        Said, or handed to the handler, once for each cause until `recovered()`; arguments as those of
        `failed()`.
        """
        self.last_error = error
        if cause in self._troubles:
            return
        self._troubles.add(cause)
        if not self._handled(error):
            self._untold = error
            self._said.pop(cause, None)
            self.note(cause, message, always=True)

    def recovered(self) -> None:
        """The trouble is over: should it come back, it is said again."""
        self._troubles.clear()
        self._untold = None

    def note(self, cause: object, message: str, *, always: bool = False) -> None:
        """Says `message` as a `TbasyncWarning`, once for each cause; unless `always`, only so many in all."""
        # `setdefault` is one C call: of two threads with one cause, one finds its own mark.
        mark = object()
        if (len(self._said) >= _MOST_CAUSES and not always) or self._said.setdefault(cause, mark) is not mark:
            return
        # Under `-W error` the warning is raised here, perhaps on the writer thread, where nobody would see
        # it: the failure itself still reaches the caller at the next barrier.
        with contextlib.suppress(Exception):
            warnings.warn(message, TbasyncWarning, stacklevel=2)

    def _handled(self, error: BaseException) -> bool:
        if not callable(self._on_error):
            return False
        # A handler that raises, be it SystemExit, is at fault itself; the next summary must be logged all
        # the same.
        with contextlib.suppress(BaseException):
            self._on_error(error)
        return True

    @property
    def raise_at_push(self) -> bool:
        """Whether the next push is to raise."""
        return self._on_error == "raise" and (self._first or self._untold) is not None

    def raise_pending(self) -> None:
        """Raises what has failed since the last call, if anything has."""
        with self._lock:
            error, self._first = self._first, None
            count, self._count = self._count, 0
        if error is not None:
            raise LoggingError(f"{_lost(count)}; the first failure: {describe(error)}", count) from error

    def raise_untold(self) -> None:
        """Raises what has failed, or what does not work for now; each is raised once."""
        self.raise_pending()
        trouble, self._untold = self._untold, None
        if trouble is not None:
            raise LoggingError(f"nothing can be written for now: {describe(trouble)}", 0) from trouble


def _lost(count: int) -> str:
    if not count:
        return "logging failed"
    return "1 summary was not logged" if count == 1 else f"{count} summaries were not logged"

"""What becomes of failures on the writer thread: said once, counted, raised at the next barrier."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Literal, TypeAlias

from ..errors import LoggingError, TbasyncWarning

OnError: TypeAlias = "Literal['warn', 'raise'] | Callable[[BaseException], object]"

# A cause that carries a tag or a path could be new each time: after this many, one silence for all.
_MOST_CAUSES = 256


class Faults:
    """Reports failures; itself unable to fail, or the first failure would silence all that follow."""

    def __init__(self, on_error: OnError) -> None:
        self.last_error: BaseException | None = None
        self._on_error = on_error
        self._said: set[object] = set()
        self._first: BaseException | None = None
        self._count = 0

    def failed(self, cause: object, message: str, error: BaseException, summaries: int = 1) -> None:
        """Something was not logged.

        Args:
            cause: failures of an equal cause are said once.
            message: what was lost and why.
            error: the exception that was caught.
            summaries: how many summaries it cost.
        """
        self.last_error = error
        if callable(self._on_error):
            # A handler that raises is at fault itself; the next summary must be logged all the same.
            with contextlib.suppress(Exception):
                self._on_error(error)
            return
        self._first = self._first or error
        self._count += max(1, summaries)
        self.note(cause, message)

    def trouble(self, cause: object, message: str, error: BaseException) -> None:
        """Something does not work for now, but nothing is lost yet; arguments as those of `failed()`."""
        self.last_error = error
        if callable(self._on_error):
            with contextlib.suppress(Exception):
                self._on_error(error)
            return
        if self._on_error == "raise":
            self._first = self._first or error
        self.note(cause, message)

    def note(self, cause: object, message: str) -> None:
        """Says `message` once for each cause, as a `TbasyncWarning`."""
        if cause in self._said or len(self._said) >= _MOST_CAUSES:
            return
        self._said.add(cause)
        # Under `-W error` the warning is raised here, on the writer thread, where nobody would see it: the
        # failure itself still reaches the caller at the next barrier.
        with contextlib.suppress(Exception):
            warnings.warn(message, TbasyncWarning, stacklevel=2)

    def forget_cause(self, cause: object) -> None:
        """The cause is gone: should it come back, it is said again."""
        self._said.discard(cause)

    @property
    def raise_at_push(self) -> bool:
        """Whether the next push is to raise."""
        return self._on_error == "raise" and self._first is not None

    def raise_pending(self) -> None:
        """Raises what has failed since the last call, if anything has."""
        error, self._first = self._first, None
        count, self._count = self._count, 0
        if error is not None:
            raise LoggingError(
                f"{count} summar{'y was' if count == 1 else 'ies were'} not logged; the first failure: "
                f"{type(error).__name__}: {error}",
                count,
            ) from error

"""Working memory for the encoders that go through an array piece by piece."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .pieces import PIECE

Word = TypeVar("Word", bound=np.generic)

_spare: list[NDArray[np.float64]] = []
"""One usual piece's memory for each thread that has encoded beside others: for arrays of some 10,000 elements
the system's fresh pages cost as much as the work. `pop` and `append` of a list are atomic: no two threads get
the same memory."""


class Scratch:
    """Two buffers of eight bytes an element, for one piece at a time: a context manager, used once."""

    __slots__ = ("_memory",)

    def __enter__(self) -> Scratch:
        try:
            self._memory = _spare.pop()
        except IndexError:
            self._memory = np.empty((2, PIECE))
        return self

    def __exit__(self, *_: object) -> None:
        if self._memory.shape[1] == PIECE:
            _spare.append(self._memory)

    def fit(self, size: int) -> None:
        """Makes room for pieces of up to `size` elements; what was in the buffers is lost."""
        if size > self._memory.shape[1]:
            self.__exit__()
            self._memory = np.empty((2, size))

    def first(self, size: int, dtype: type[Word]) -> NDArray[Word]:
        """The first buffer as `size` elements of `dtype`, of at most eight bytes each; not cleared."""
        buffer: NDArray[Word] = self._memory[0].view(dtype)[:size]
        return buffer

    def second(self, size: int, dtype: type[Word]) -> NDArray[Word]:
        """The second buffer, likewise."""
        buffer: NDArray[Word] = self._memory[1].view(dtype)[:size]
        return buffer

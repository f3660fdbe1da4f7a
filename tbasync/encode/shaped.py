"""What the checks on the caller look at: an array's outside, which a value on a device shows too."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Shaped(Protocol):
    """An array, or a value that will be one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""

    def __len__(self) -> int:
        """Its first dimension."""

"""Values that are frozen but not at hand yet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Deferred(ABC):
    """A value that the writer thread has to fetch, such as a copy that a device is still making.

    Attributes:
        shape: the value's.
        dtype: the value's, as an array on the host.
        nbytes: host memory that it will take, or takes already.
        device_bytes: memory that it holds on a device until it has been fetched.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    nbytes: int
    device_bytes: int = 0

    @property
    def ndim(self) -> int:
        """How many dimensions the value has."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def resolve(self) -> Array:
        """Returns the value, waiting for it; called on the writer thread alone."""


class Fetched(Deferred):
    """An immutable value of another framework, kept by reference and converted on the writer thread."""

    def __init__(
        self, fetch: Callable[[], Any], shape: tuple[int, ...], dtype: np.dtype[Any], device_bytes: int = 0
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        self.device_bytes = device_bytes
        self._fetch = fetch

    def resolve(self) -> Array:
        """The value as an array."""
        return np.asarray(self._fetch())


class Element(Deferred):
    """One element of a deferred array of one dimension."""

    def __init__(self, array: Deferred, index: int) -> None:
        self.shape = ()
        self.dtype = array.dtype
        self.nbytes = self.dtype.itemsize
        self.array = array
        self._index = index

    def resolve(self) -> Array:
        """The element, as an array of no dimensions."""
        return np.asarray(self.array.resolve()[self._index])

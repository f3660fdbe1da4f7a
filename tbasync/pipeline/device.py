"""Tensors on a device: frozen without waiting for it, fetched in batches by the writer thread.

The calling thread puts a copy into its own stream, behind whatever computes the value and before whatever
overwrites it, marks the place with an event, and goes on. The writer thread has a stream of its own: it makes
that wait for the events, gathers what is small into one buffer, moves it to pinned memory with one copy, and
waits, with the GIL released, for an event behind that copy before it looks. Nothing here ever synchronises a
stream, let alone a device, on the calling thread.

A copy's memory belongs to the caller's stream. It is given back after the event behind the last read of it
has been waited for, so the allocator may hand it to that stream again at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import TbasyncError
from .deferred import Array, Deferred, Element
from .streams import STAGING_BYTES, Mark, Streams

# Up to this size values are fetched together, larger ones each on its own when they are encoded.
_SMALL_BYTES = 64 << 10


class DeviceArray(Deferred):
    """A tensor frozen on its device.

    Attributes:
        shape: the tensor's.
        dtype: numpy's name for its elements; bfloat16 and float8 have become float32, which holds all their values.
        device_bytes: what it holds on the device until it has been fetched.
    """

    def __init__(
        self,
        streams: Streams,
        tensor: Any,
        copy: bool = True,
    ) -> None:
        """Copies `tensor` behind what the caller's current stream has been given so far.

        Args:
            streams: the accelerator's.
            tensor: any dense tensor on the accelerator.
            copy: False when nothing else will ever change `tensor`.

        Raises:
            TbasyncError: the stream is being captured into a graph.
        """
        if streams.capturing(tensor.device):
            raise TbasyncError(
                "a device tensor cannot be logged while a graph is being captured: the copy would become a "
                "part of the graph; log the graph's static output after it has been replayed"
            )
        dtype = host_dtype(tensor.dtype)
        self.shape = tuple(tensor.shape)
        self.dtype = numpy_dtype(dtype)
        self.device = tensor.device
        self._streams = streams
        self._copy: Any
        self._mark: Any
        self._copy, self._mark = streams.freeze(tensor, dtype, copy)
        self._compute: Callable[..., Any] | None = None
        self._others: tuple[DeviceArray, ...] = ()
        self.device_bytes = self._copy.numel() * self._copy.element_size()
        self.nbytes = self.device_bytes
        self._host: Array | None = None

    def reduces(self, *others: Any) -> bool:
        """Whether `reduce` can be asked for: these lie on the same device, and it has float64."""
        return self.device.type != "mps" and all(
            isinstance(other, DeviceArray) and other.device == self.device for other in others
        )

    def reduce(self, compute: Callable[..., Any], size: int, *others: DeviceArray) -> DeviceArray:
        """Has something computed on the device, and its result fetched instead of the values.

        Args:
            compute: given this tensor and those of `others`, makes a float64 tensor of `size` elements.
            size: how many numbers it makes.
            others: of the same device; they are this one's from now on.

        Returns:
            self
        """
        self._compute, self._others = compute, others
        self.nbytes = 8 * size
        self.device_bytes += sum(other.device_bytes for other in others)
        return self

    def _marks(self) -> list[Mark]:
        """The places in the caller's streams behind which everything that it needs is there."""
        return [self._mark, *(other._mark for other in self._others)]

    def _result(self) -> Any:
        """What is to be fetched, computed by the writer thread's stream."""
        if self._compute is None:
            return self._copy
        return self._compute(self._copy, *(other._copy for other in self._others))

    def _arrived(self, host: Array) -> None:
        """Takes the values, and gives the device's memory back."""
        self._host = host
        self._copy = self._mark = self._compute = None
        self._others = ()

    def resolve(self) -> Array:
        """The values as an array on the host, fetched now unless they have been fetched with others."""
        if self._host is None:
            fetch([self])
        assert self._host is not None
        return self._host

    @property
    def fetched(self) -> bool:
        """Whether the values are on the host."""
        return self._host is not None

    @property
    def small(self) -> bool:
        """Whether it should be fetched with others."""
        return self._compute is not None or self.device_bytes <= _SMALL_BYTES


def host_dtype(dtype: Any) -> Any:
    """The torch dtype in which numbers go to numpy: float32 for bfloat16 and float8, which numpy lacks.

    float32 holds all the values of these.
    """
    torch = sys.modules["torch"]
    small = dtype == torch.bfloat16 or (dtype.is_floating_point and dtype.itemsize == 1)
    return torch.float32 if small else dtype


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """numpy's dtype for a torch dtype that numpy has; raises TypeError for others."""
    torch = sys.modules["torch"]
    found: np.dtype[Any] = torch.empty(0, dtype=dtype).numpy().dtype
    return found


def prefetch(values: Iterable[Deferred]) -> None:
    """Fetches the small ones of `values` together, which costs one copy instead of one for each."""
    arrays = {value.array if isinstance(value, Element) else value for value in values}
    fetch([array for array in arrays if isinstance(array, DeviceArray) and array.small])


def fetch(arrays: Sequence[DeviceArray]) -> None:
    """Moves values to the host, those of one device together; returns when they are there."""
    by_device: dict[Any, list[DeviceArray]] = {}
    for array in arrays:
        if not array.fetched:
            by_device.setdefault((array.device, id(array._streams)), []).append(array)
    for group in by_device.values():
        _fetch_from(group[0]._streams, group[0].device, group)


def _fetch_from(streams: Streams, device: Any, arrays: Sequence[DeviceArray]) -> None:
    torch = sys.modules["torch"]
    results: list[Any] = []

    def compute() -> None:
        with torch.no_grad():
            results.extend(array._result() for array in arrays)

    streams.run(device, [mark for array in arrays for mark in array._marks()], compute).synchronize()
    flats = [result.reshape(-1).view(torch.uint8) for result in results]
    host = _to_host(streams, device, flats)
    start = 0
    for array, result, flat in zip(arrays, results, flats, strict=True):
        stop = start + flat.numel()
        # A copy, because a view into the middle of the buffer may not be aligned for its dtype.
        own = host[start:stop].copy() if len(arrays) > 1 else host
        array._arrived(own.view(numpy_dtype(result.dtype)).reshape(tuple(result.shape)))
        start = stop


def _to_host(streams: Streams, device: Any, flats: Sequence[Any]) -> Array:
    """The bytes of `flats`, uint8 tensors on the device, joined, by way of the pinned buffer."""
    torch = sys.modules["torch"]
    staging = streams.staging(device)
    host = np.empty(sum(flat.numel() for flat in flats), np.uint8)
    start = 0
    for pieces in _windows(flats):
        size = sum(piece.numel() for piece in pieces)

        def copy(pieces: Sequence[Any] = pieces, size: int = size) -> None:
            joined = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
            staging[:size].copy_(joined, non_blocking=True)

        streams.run(device, (), copy).synchronize()
        host[start : start + size] = staging[:size].numpy()
        start += size
    return host


def _windows(flats: Sequence[Any]) -> Iterator[list[Any]]:
    """Slices of `flats`, in order, in groups that fill the pinned buffer."""
    group: list[Any] = []
    room = STAGING_BYTES
    for flat in flats:
        start = 0
        while start < flat.numel():
            piece = flat[start : start + room]
            group.append(piece)
            start += piece.numel()
            room -= piece.numel()
            if not room:
                yield group
                group, room = [], STAGING_BYTES
    if group:
        yield group

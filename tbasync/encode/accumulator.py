"""`tbasync.Histogram`: a distribution gathered value by value, batch by batch or shard by shard."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .default_bins import BUCKETS
from .floats import require_real
from .tally import Tally

_PENDING = 4096  # single numbers kept until they are worth an array
_MAGIC = b"TBH1"
_FIELDS = ("num", "nonfinite", "minimum", "maximum", "sum", "sum_squares")
_HEAD = struct.Struct("<4sIQQdddd")  # the magic, how many buckets have values, and the fields


class Histogram:
    """Gathers numbers into the default buckets, so that they make one plot however they came.

    Give it to `add_histogram` in place of values: what is written is what one array of all the values would
    give. Counts, extremes and sums are kept, about 12 KiB, not the values.

    Not for several threads at once: let each have its own, and `merge` them. `copy`, pickling and `to_bytes`
    keep everything, so that what other processes gathered can be merged too.

    >>> latencies = Histogram()
    >>> for seconds in (0.1, 0.2, 0.4):
    ...     latencies.update(seconds)
    >>> latencies
    Histogram(num=3, nonfinite=0)
    """

    __slots__ = ("_gathered", "_pending")

    def __init__(self, values: object = ()) -> None:
        """Starts with `values`, as `update` takes them; by default empty."""
        self.clear()
        self.update(values)

    def update(self, values: object) -> None:
        """Adds a number, or all the elements of an array, a tensor or a (nested) sequence of numbers.

        NaN and infinities are left out, and counted in `nonfinite`. A tensor on a device is copied to the
        host, which waits for it.

        Raises:
            TypeError: for anything but real numbers.
            ValueError: for sequences of different lengths within one. Nothing is added in either case.
        """
        if type(values) is float or type(values) is int:
            self._pending.append(float(values))
            if len(self._pending) >= _PENDING:
                self._gather()
            return
        array = _as_array(values)
        if not array.size:
            return
        require_real("values", array.dtype)
        if array.size == 1 and array.dtype.kind in "biuf":
            self.update(float(array.reshape(-1)[0]))
        else:
            self._gathered.add(array)

    def merge(self, other: Histogram) -> None:
        """Adds everything that `other` has gathered; `other` stays as it is."""
        self._gathered.merge(other.tally)

    def clear(self) -> None:
        """Forgets everything, as if newly made."""
        self._gathered = Tally()
        self._pending: list[float] = []

    def copy(self) -> Histogram:
        """An independent copy: what either gathers from now on is not in the other."""
        twin = Histogram()
        twin.merge(self)
        return twin

    @property
    def tally(self) -> Tally:
        """Counts and moments of all that was gathered; not a copy."""
        self._gather()
        return self._gathered

    @property
    def num(self) -> int:
        """How many finite values were gathered."""
        return self.tally.moments.num

    @property
    def nonfinite(self) -> int:
        """How many NaN and infinite values were left out."""
        return self.tally.moments.nonfinite

    def __repr__(self) -> str:
        return f"Histogram(num={self.num}, nonfinite={self.nonfinite})"

    def to_bytes(self) -> bytes:
        """Everything gathered, for other processes and machines: 56 bytes, and 10 a bucket with values."""
        moments, counts = self.tally.moments, self.tally.counts.counts()
        filled = counts.nonzero()[0]
        head = _HEAD.pack(_MAGIC, filled.size, *(getattr(moments, field) for field in _FIELDS))
        return head + filled.astype("<u2").tobytes() + counts[filled].astype("<i8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Histogram:
        """The accumulator whose `to_bytes` gave `data`.

        Raises:
            ValueError: for bytes that are not from there, are cut short or contradict themselves.
        """
        histogram = cls()
        moments = histogram._gathered.moments
        if len(data) < _HEAD.size or not data.startswith(_MAGIC):
            raise ValueError(
                f"not the bytes of a tbasync.Histogram: {data[:4]!r} and {len(data)} bytes in all"
            )
        _, filled, *state = _HEAD.unpack_from(data)
        for field, value in zip(_FIELDS, state, strict=True):
            setattr(moments, field, value)
        if moments.num and not -math.inf < moments.minimum <= moments.maximum < math.inf:
            raise _damaged("its extremes are out of order")
        histogram._gathered.counts.add_counts(_parse_counts(data[_HEAD.size :], filled, moments.num))
        return histogram

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)

    def _gather(self) -> None:
        if self._pending:
            self._gathered.add(np.array(self._pending))
            self._pending = []


def _damaged(why: str) -> ValueError:
    return ValueError(f"the bytes of a tbasync.Histogram are damaged: {why}")


def _parse_counts(data: bytes, filled: int, num: int) -> NDArray[np.int64]:
    if len(data) != 10 * filled:
        raise _damaged(f"{filled} buckets have {10 * filled} bytes; got {len(data)}")
    buckets = np.frombuffer(data, "<u2", filled).astype(np.intp)
    counts = np.frombuffer(data, "<i8", filled, offset=2 * filled)
    in_order = (buckets[:-1] < buckets[1:]).all() and (buckets < BUCKETS).all()
    if not in_order or not (counts > 0).all() or sum(counts.tolist()) != num:
        raise _damaged("the buckets contradict the number of values")
    every = np.zeros(BUCKETS, np.int64)
    every[buckets] = counts
    return every


def _as_array(values: Any) -> NDArray[Any]:
    """Values as a numpy array; a torch tensor, which is known by its methods, without its gradient."""
    if not isinstance(values, np.ndarray) and hasattr(values, "detach"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # unknown to numpy, exact in float32
            values = values.float()
        return np.asarray(values.numpy())
    return np.asarray(values)

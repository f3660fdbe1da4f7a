"""The records of an event file, a window at a time, and the stretches that are none.

Memory is that of one window, whatever lengths the file claims: a record longer than the window is checksummed
piece by piece and handed on as its place in the file. A file is read as far as it reached when it was opened;
what a live writer appends meanwhile is left for the next time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import BinaryIO, TypeAlias, overload

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from ..wire.crc import mask
from ..wire.rowcrc import Group
from ..wire.scan import FOOTER, HEADER, LONGEST_PAYLOAD, NONE, OVERHEAD, PADDING, Scan, header_at, scan

WINDOW = 1 << 20  # bytes read at a time; half of it costs a tenth more time, twice of it no less
_LEAST_PATIENCE = (
    1 << 30
)  # bytes checksummed in vain before the search for records is given up; under a second
_PATIENCE_FACTOR = 8  # the same, as a multiple of the file's size


class Cause(Enum):
    """Why a stretch of a file holds no whole record; the value is its name in reports."""

    TORN = "torn"
    LENGTH_CRC = "length-crc"
    DATA_CRC = "data-crc"
    TOO_LONG = "too-long"
    GAVE_UP = "gave-up"


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole records in a window.

    Attributes:
        data: uint8, the window; valid until the next item is asked for, and at least 16 bytes longer than
            the last record.
        base: the offset in the file of `data[0]`.
        starts, lengths: int64[n], the payloads' offsets in `data`, ascending, and lengths in bytes.
        groups: the payloads by length.
    """

    data: NDArray[np.uint8]
    base: int
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class Large:
    """A whole record longer than a window: where in the file its payload begins, and the payload's length."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes `start` to `stop` of the file, which belong to no whole record; `detail` says why, in words."""

    start: int
    stop: int
    cause: Cause
    detail: str


Item: TypeAlias = "Batch | Large | Gap"


class ShrunkError(OSError):
    """The file has become shorter than it was when it was opened, and what was to be read is gone."""


class Records:
    """An event file opened for reading; iterating over it yields its Items.

    The gaps of a window come before its batch; otherwise items come in the file's order.

    Raises:
        OSError: the file cannot be opened or read, or is no regular file (a pipe would block for ever).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = _open_regular(path)
        self.size = os.fstat(self._file.fileno()).st_size
        self._window = np.zeros(WINDOW + PADDING, np.uint8)
        self._patience = max(_LEAST_PATIENCE, _PATIENCE_FACTOR * self.size)

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; twice is harmless."""
        self._file.close()

    def status(self) -> os.stat_result:
        """What the operating system says of the open file, now."""
        return os.fstat(self._file.fileno())

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes of the file from `start` on; ShrunkError if they are not there any more."""
        self._file.seek(start)
        data = self._file.read(length)
        while len(data) < length:  # one call of the operating system reads just under 2 GiB at most
            more = self._file.read(length - len(data))
            if not more:
                raise ShrunkError(f"the file has become shorter: it now ends at {start + len(data)}")
            data += more
        return data

    def __iter__(self) -> Iterator[Item]:
        at = expected = 0  # where the window lies, and where a record is due
        skip, before = 0, NONE  # where in the window to look first, and what came before it
        while at < self.size and self._patience >= 0:
            end = self._fill(at)
            found = scan(self._window, end, skip, self.size - at, self._patience, before)
            skip = 0
            self._patience -= found.wasted
            if found.starts.size:
                yield from self._gaps(at, expected, found)
                yield Batch(self._window, at, found.starts, found.lengths, found.groups)
                before = found.lengths
                expected = at + int(found.starts[-1] + found.lengths[-1]) + FOOTER
            if found.is_open and found.settled == 0:
                length = header_at(self._window[:HEADER].data)
                assert length is not None  # the scan has found the header right
                if self._large_is_whole(at + HEADER, length):
                    if expected < at:
                        yield self._gap(expected, at)
                    yield Large(at + HEADER, length)
                    at = expected = at + OVERHEAD + length
                else:
                    skip = 1
            elif at + end == self.size:
                break
            else:
                at += found.settled
        if expected < self.size:
            gave_up = Gap(expected, self.size, Cause.GAVE_UP, _GAVE_UP)
            yield gave_up if self._patience < 0 else self._gap(expected, self.size)

    def _fill(self, at: int) -> int:
        """Read the window at `at`: how many bytes it holds. A file that has become shorter ends there."""
        self._file.seek(at)
        want, got = min(WINDOW, self.size - at), 0
        while got < want:
            count = self._file.readinto(self._window[got:want].data)  # type: ignore[attr-defined]
            if not count:
                self.size = at + got
                break
            got += count
        return got

    def _gaps(self, base: int, expected: int, found: Scan) -> Iterator[Gap]:
        """What lies before and between the records of a window."""
        heads = found.starts + (base - HEADER)
        due = np.append(expected, heads[:-1] + found.lengths[:-1] + OVERHEAD)
        for index in np.flatnonzero(heads != due).tolist():
            yield self._gap(int(due[index]), int(heads[index]))

    def _gap(self, start: int, stop: int) -> Gap:
        """The gap, with the reason why no whole record stands at its start."""
        left = self.size - start - HEADER
        if left < 0:
            return Gap(start, stop, Cause.TORN, f"{left + HEADER} bytes are too few for a record's header")
        try:
            length = header_at(self.read(start, HEADER))
        except ShrunkError as error:
            return Gap(start, stop, Cause.TORN, str(error))
        if length is None:
            return Gap(start, stop, Cause.LENGTH_CRC, "the CRC of a record's length does not match")
        if length + FOOTER > left:
            tail = "" if stop == self.size else ", and others follow it"
            return Gap(start, stop, Cause.TORN, f"a record of {length} bytes is cut short{tail}")
        if length > LONGEST_PAYLOAD:
            reason = f"a record of {length} bytes is longer than 2 GiB, protobuf's limit"
            return Gap(start, stop, Cause.TOO_LONG, reason)
        return Gap(start, stop, Cause.DATA_CRC, f"the CRC of a record of {length} bytes does not match")

    def _large_is_whole(self, start: int, length: int) -> bool:
        """Whether the payload at `start`, longer than the window, has the CRC that follows it."""
        crc, at, stop = 0, start, start + length
        try:
            while at < stop:
                piece = self.read(at, min(WINDOW, stop - at))
                crc = crc32c(piece, crc)
                at += len(piece)
            claimed = int.from_bytes(self.read(stop, FOOTER), "little")
        except ShrunkError:
            return False
        right = bool(mask(np.array([crc], np.uint32))[0] == claimed)
        self._patience -= 0 if right else length
        return right


_GAVE_UP = "too many overlapping candidates for records: the search for whole ones was given up here"


class Stretch:
    """A stretch of an open file, to be indexed and sliced as bytes are; holds one page of it in memory."""

    def __init__(self, records: Records, start: int) -> None:
        self._records, self._start = records, start
        self._page, self._at = b"", 0

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> bytes: ...
    def __getitem__(self, at: int | slice) -> int | bytes:
        if isinstance(at, slice):
            return self._records.read(self._start + at.start, at.stop - at.start)
        index = at - self._at
        if not 0 <= index < len(self._page):
            self._at, index = at, 0
            left = self._records.size - self._start - at
            self._page = self._records.read(self._start + at, min(1 << 16, left))
        return self._page[index]


def _open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open without waiting for the other end of a pipe, and only then look at what it is."""
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    )
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"not a regular file: {os.fspath(path)!r}")
    return os.fdopen(descriptor, "rb", buffering=0)

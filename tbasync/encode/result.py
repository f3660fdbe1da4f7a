"""What every encoder returns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

_NONE: Mapping[str, Any] = MappingProxyType({})


class SharedFile(Protocol):
    """A file that several summaries of a writer have a part in, such as a list of them all."""

    def extended(self, addition: bytes, found: bytes, version: object) -> bytes:
        """The file with one more part; `found` and `version` are what stands there, as `Files.read_beside` tells."""

    def written(self, content: bytes) -> None:
        """Takes note of what is in the file now."""


class Encoded(NamedTuple):
    """One value, encoded: a pure function's whole result, so that encoders need no files and no warnings.

    Attributes:
        summary: a serialized `Summary` message; empty when the kind writes no event of its own.
        nonfinite: how many NaN and infinite elements were left out (counted in `stats()`).
        notes: what a user should be told once per tag, such as "audio beyond [-1, 1] was clipped".
        events: what is no summary: field number of the Event and payload, one event each.
        files: further files to write under the run's directory, by relative path (the projector's).
        shared: files to extend when those are written, by relative path, each with this value's part in it.
    """

    summary: bytes
    nonfinite: int = 0
    notes: tuple[str, ...] = ()
    events: tuple[tuple[int, bytes], ...] = ()
    files: Mapping[str, bytes] = _NONE
    shared: Mapping[str, tuple[SharedFile, bytes]] = _NONE

"""Reads event files byte by byte, as the format's description says: the judge of what the package has written.

It shares no code with the package's own readers and writers, needs no TensorBoard, and forgives nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

import crc32c

from tbasync.proto import Event


class TornError(Exception):
    """The file does not end with a whole record, or a checksum is wrong."""


class Scalar(NamedTuple):
    """One point of a series."""

    step: int
    value: float


def masked(data: bytes) -> int:
    """The format's checksum."""
    crc = crc32c.crc32c(data)
    return ((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8 & 0xFFFFFFFF


def split(data: bytes, *, torn_end: bool = False) -> list[bytes]:
    """The payloads of all records; raises TornError, unless only the last one is cut short and `torn_end`."""
    payloads = []
    place = 0
    while place < len(data):
        head = data[place : place + 12]
        length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
        stop = place + 12 + length + 4
        if len(head) < 12 or stop > len(data):
            if torn_end:
                break
            raise TornError(f"cut short at {place} of {len(data)}")
        payload = data[place + 12 : stop - 4]
        if struct.unpack("<I", head[8:]) != (masked(head[:8]),):
            raise TornError(f"header checksum at {place}")
        if struct.unpack("<I", data[stop - 4 : stop]) != (masked(payload),):
            raise TornError(f"data checksum at {place}")
        payloads.append(payload)
        place = stop
    return payloads


def event_files(directory: Path | str) -> list[Path]:
    """The event files of one directory, in the order of their names."""
    return sorted(path for path in Path(directory).iterdir() if "tfevents" in path.name)


def events(directory: Path | str, *, torn_end: bool = False) -> list[Any]:
    """All events of a directory's files; every file opens with its version."""
    found = []
    for path in event_files(directory):
        parsed = [Event.FromString(payload) for payload in split(path.read_bytes(), torn_end=torn_end)]
        assert not parsed or parsed[0].file_version == "brain.Event:2", path
        found += parsed
    return found


def scalars(directory: Path | str, *, torn_end: bool = False) -> dict[str, list[Scalar]]:
    """The `simple_value` series of a directory, by tag."""
    found: dict[str, list[Scalar]] = {}
    for event in events(directory, torn_end=torn_end):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, []).append(Scalar(event.step, value.simple_value))
    return found


def summaries(directory: Path | str) -> dict[str, list[tuple[int, Any]]]:
    """The steps and values of every series of one directory, by tag."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for event in events(directory):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


def steps(directory: Path | str, tag: str, *, torn_end: bool = False) -> list[int]:
    """The steps of one series, in the order of the files."""
    return [point.step for point in scalars(directory, torn_end=torn_end).get(tag, [])]

"""Events that hide what was logged before: from a step on, or all of one scalar's series.

TensorBoard has two readers, and each knows a way of its own:

- The one in Python (tensorboard/backend/event_processing/plugin_event_accumulator.py, `--load_fast=false`) hides
  everything from a step on when a session starts at that step for the second time in a run. In files of an
  older version it looks at steps instead: an event whose step is below the last one hides the values of its own
  tags from that step on. The version may change in the midst of a file.
- The data server in Rust (`--load_fast=true`) knows neither versions nor sessions. A value whose step is not above
  those before it replaces all of its tag from that step on; and a value that is none is never shown.
"""

from __future__ import annotations

from .event import FILE_VERSION, FILE_VERSION_FIELD, SESSION_LOG, SUMMARY, event
from .message import delimited, key, varint

_SESSION_START = key(1, 0) + varint(1)  # SessionLog.status = START
_BY_STEPS = b"brain.Event:1"
_SCALARS = delimited(1, delimited(1, b"scalars"))  # SummaryMetadata.plugin_data.plugin_name
_NAN = b"\x15" + b"\x00\x00\xc0\x7f"  # Value.simple_value

LOWEST_STEP = -(2**63)
"""No series is expected to have this step, nor the next one: they are where `reset_events` hides series from."""


def purge_events(wall_time: float, step: int) -> list[bytes]:
    """The events that make TensorBoard hide everything that it has read of a run from `step` on.

    Readers of format 1 look at the version's step, readers of format 2 at the session's start. There are two
    starts, for TensorBoard takes the first one of a run for the run's beginning; a third hides no more.
    """
    start = event(wall_time, step, SESSION_LOG, _SESSION_START)
    return [event(wall_time, step, FILE_VERSION_FIELD, FILE_VERSION), start, start]


def hide_event(wall_time: float, tag: str, step: int) -> bytes:
    """A value that is none, which has the data server hide a scalar's series from `step` on.

    To the reader in Python it says nothing. The plugin is named because a reader remembers the first that a
    file says of a tag; the tag must have a series, for that reader lists no tags without.
    """
    return event(wall_time, step, SUMMARY, _value(tag, delimited(9, _SCALARS)))


def reset_events(wall_time: float, tag: str) -> list[bytes]:
    """The events that make TensorBoard hide all of a scalar's series.

    A NaN at the lowest step but one: from there on the data server hides the series; and a tag that is new has
    one now. Then, as in a file of the older version, a value that is none below it: that hides the NaN too.
    """
    return [
        event(wall_time, LOWEST_STEP + 1, SUMMARY, _value(tag, _NAN)),
        event(wall_time, 0, FILE_VERSION_FIELD, _BY_STEPS),
        event(wall_time, LOWEST_STEP, SUMMARY, _value(tag, b"")),
        event(wall_time, 0, FILE_VERSION_FIELD, FILE_VERSION),
    ]


def _value(tag: str, rest: bytes) -> bytes:
    """A Summary of one value."""
    return delimited(1, delimited(1, tag.encode()) if tag else b"", rest)

"""The default step, raw messages, and scopes for kinds of one's own, as in `tf.summary.experimental`."""

from __future__ import annotations

from ._kinds import write_raw_pb
from ._state import get_step, set_step, summary_scope

__all__ = ["get_step", "set_step", "summary_scope", "write_raw_pb"]

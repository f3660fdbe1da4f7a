"""Logging in the style of `tf.summary`, without TensorFlow: a default writer, and a function for each kind::

    writer = tbasync.summary.create_file_writer("runs/first")
    with writer.as_default():
        tbasync.summary.scalar("loss", 0.5, step=1)

Names, arguments, default writer and step are those of `tf.summary` in TensorFlow 2, and the summaries equal those
that it writes; underneath is a `tbasync.SummaryWriter`. `docs/tf-style.md` lists what differs.
"""

from __future__ import annotations

import sys

from ..integrations.torch_compile import not_compiled
from . import experimental
from ._kinds import (
    audio,
    graph,
    histogram,
    image,
    scalar,
    tensor,
    text,
    trace_export,
    trace_off,
    trace_on,
    write,
)
from ._state import record_if, should_record_summaries
from ._writers import SummaryWriter, create_file_writer, create_noop_writer, flush

__all__ = [
    "SummaryWriter",
    "audio",
    "create_file_writer",
    "create_noop_writer",
    "experimental",
    "flush",
    "graph",
    "histogram",
    "image",
    "record_if",
    "scalar",
    "should_record_summaries",
    "tensor",
    "text",
    "trace_export",
    "trace_off",
    "trace_on",
    "write",
]

not_compiled(sys.modules[__name__])
not_compiled(experimental)

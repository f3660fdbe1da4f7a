"""What third parties find as `writer.file_writer`: the interface of torch's and tensorboardX's FileWriter."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from .pipeline.freeze import freeze_step, freeze_wall_time
from .pipeline.items import Events
from .pipeline.metadata import defaults_of, metadata
from .pipeline.pipeline import Pipeline
from .wire.event import GRAPH_DEF, SUMMARY, TAGGED_RUN_METADATA, event
from .wire.message import delimited, key, varint


class Message(Protocol):
    """A protobuf message of any package: TensorBoard's, tensorboardX's, TensorFlow's or tbasync's."""

    def SerializeToString(self) -> bytes:
        """The message's bytes."""


class FileWriter:
    """Pushes ready-made events to one run of a writer: serialized at the call, written by the thread."""

    def __init__(self, pipeline: Pipeline, run: str | None = None) -> None:
        self._pipeline = pipeline
        self._run = run

    def get_logdir(self) -> str:
        """The run's directory."""
        return self._run or self._pipeline.options.log_dir

    def add_event(self, event: Message, step: Any = None, walltime: Any = None) -> None:
        """Logs an `Event` message.

        Args:
            event: the message; it is not changed, and may be changed or used again after the call.
            step: overrides the event's own step; None leaves it.
            walltime: overrides the event's own wall time, in seconds since the epoch; None is now.

        Raises:
            TypeError: `event` is no protobuf message, `step` no integer, or `walltime` no number.
        """
        # Of a field that occurs twice the last one counts, in every protobuf parser.
        parts = [_bytes_of(event, "event"), struct.pack("<Bd", 0x09, self._now(walltime))]
        step = defaults_of(self)[0] if step is None else step
        if step is not None:
            parts.append(key(2, 0) + varint(freeze_step(step)))
        self._push((b"".join(parts),))

    def add_summary(self, summary: Message, global_step: Any = None, walltime: Any = None) -> None:
        """Logs a `Summary` message; arguments and errors as those of `add_event`."""
        self._push((self._event(global_step, walltime, SUMMARY, _bytes_of(summary, "summary")),))

    def add_graph(self, graph_profile: Sequence[Message], walltime: Any = None) -> None:
        """Logs a graph and its run's statistics.

        Args:
            graph_profile: a `GraphDef` and a `RunMetadata` (or `StepStats`) message.
            walltime: seconds since the epoch; None is now.

        Raises:
            TypeError: `graph_profile` is no pair of messages.
        """
        if not isinstance(graph_profile, Sequence) or len(graph_profile) < 2:
            raise TypeError(
                "graph_profile must be a pair of protobuf messages, a GraphDef and a RunMetadata or StepStats, "
                f"got {type(graph_profile).__name__}: {graph_profile!r:.80}"
            )
        graph, statistics = graph_profile[0], graph_profile[1]
        tagged = delimited(1, b"step1") + delimited(2, _bytes_of(statistics, "graph_profile"))
        definition = self._event(None, walltime, GRAPH_DEF, _bytes_of(graph, "graph_profile"))
        self._push((definition, self._event(None, walltime, TAGGED_RUN_METADATA, tagged)))

    def add_onnx_graph(self, graph: Message, walltime: Any = None) -> None:
        """Logs a `GraphDef` message; `walltime` as above."""
        self._push((self._event(None, walltime, GRAPH_DEF, _bytes_of(graph, "graph")),))

    def add_openvino_graph(self, graph: Message, walltime: Any = None) -> None:
        """Logs a `GraphDef` message, as `add_onnx_graph` (tensorboardX)."""
        self.add_onnx_graph(graph, walltime)

    @contextlib.contextmanager
    def use_metadata(self, *, global_step: Any = None, walltime: float | None = None) -> Iterator[FileWriter]:
        """Within it, this thread's calls without a step or wall time of their own take these (tensorboardX)."""
        with metadata(self, global_step, walltime):
            yield self

    def flush(self) -> None:
        """Waits until what was pushed before, to any run of the writer, is with the operating system."""
        self._pipeline.flush()

    def close(self) -> None:
        """Closes the whole writer, as `SummaryWriter.close()` does: all its runs share one thread."""
        self._pipeline.close()

    def reopen(self) -> None:
        """Does nothing: the next `add_*` after `close()` opens a new file by itself."""

    def _now(self, walltime: Any) -> float:
        wall_time = defaults_of(self)[1] if walltime is None else walltime
        return time.time() if wall_time is None else freeze_wall_time(wall_time)

    def _event(self, step: Any, walltime: Any, field: int, content: bytes) -> bytes:
        own_step = defaults_of(self)[0] if step is None else step
        return event(self._now(walltime), freeze_step(own_step), field, content)

    def _push(self, events: Sequence[bytes]) -> None:
        self._pipeline.queue.put(Events(self._run, events))


def _bytes_of(message: Message, name: str) -> bytes:
    try:
        return message.SerializeToString()
    except AttributeError:
        raise TypeError(f"{name} must be a protobuf message, got {type(message).__name__}") from None

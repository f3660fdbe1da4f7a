"""One function for each kind of summary: freeze the value, push it to the default writer."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..encode.v2_audio import check_v2_audio, v2_audio
from ..encode.v2_histogram import check_v2_histogram, counted_v2_histogram, v2_histogram
from ..encode.v2_image import check_v2_images, v2_images
from ..encode.v2_scalar import v2_scalar, v2_scalar_series
from ..encode.v2_tensor import v2_strings, v2_tensor
from ..encode.v2_value import check_description, metadata
from ..errors import TbasyncError
from ..pipeline.deferred import Deferred
from ..pipeline.device import DeviceArray
from ..pipeline.device_buckets import count_evenly
from ..pipeline.freeze import freeze_scalar
from ..proto import Summary, SummaryMetadata
from ..wire.event import GRAPH_DEF, SUMMARY
from ._freeze import Strings, first_items, freeze_count, freeze_numbers, freeze_strings, freeze_tensor
from ._state import recording, tag_of
from ._writers import SummaryWriter

_NO_TRACE = (
    "there is no TensorFlow runtime to trace; log a torch model's graph by writer.writer.add_graph(model, inputs), "
    "a TensorFlow graph by tbasync.summary.graph(), and profile with the framework's own profiler"
)


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Logs one number.

    Args:
        name: the series' name; enclosing scopes are put before it.
        data: a real number: Python's or numpy's, or an array or tensor of one element. Stored as float32.
        step: an integer of 64 bits; None is the default step.
        description: Markdown, shown with the chart.

    Returns:
        Whether it is logged: False without a default writer, or if `record_if` forbids it.

    Raises:
        ValueError: there is no step, it does not fit 64 bits, or `data` has not one element.
        TypeError: another argument is not as above.
    """
    target = recording(step)
    if target is None:
        return False
    writer, number = target
    series = v2_scalar_series(tag := tag_of(name, "scalar_summary"), check_description(description))
    if type(data) is not float:
        data = _real(data)
    if isinstance(data, Deferred):
        writer._push(tag, number, v2_scalar, (data, description))
    else:
        writer._push_number(series, data, number)
    return True


def _real(data: Any) -> float | Deferred:
    if isinstance(data, (str, bytes)):
        raise TypeError(f"data must be a number, got {type(data).__name__}: {data!r}")
    return freeze_scalar(data, "data")


def image(
    name: str, data: Any, step: Any = None, max_outputs: int = 3, description: str | None = None
) -> bool:
    """Logs pictures.

    Args:
        name, step, description: as for `scalar`.
        data: an array or tensor of shape [k, h, w, c], or a list of pictures [h, w, c], of 1 to 4 channels
            (grey, grey and alpha, RGB, RGBA): floats in 0 to 1, or integers in their type's range. What is
            beyond is clipped.
        max_outputs: how many of them to log.

    Returns, Raises:
        As `scalar`.
    """
    target = recording(step)
    if target is None:
        return False
    count = freeze_count(max_outputs, "max_outputs")
    array = freeze_numbers(first_items(data, count), "data")
    check_v2_images(array.shape, array.dtype)
    return _push(target, tag_of(name, "image_summary"), v2_images, array, count, description)


def audio(
    name: str,
    data: Any,
    sample_rate: int,
    step: Any = None,
    max_outputs: int = 3,
    encoding: str | None = None,
    description: str | None = None,
) -> bool:
    """Logs sounds, as WAV files of 16 bits a sample.

    Args:
        name, step, description: as for `scalar`.
        data: samples in -1 to 1, of shape [k, t, c]: clips, frames, channels.
        sample_rate: in Hz.
        max_outputs: how many of the clips to log.
        encoding: None or "wav".

    Returns, Raises:
        As `scalar`.
    """
    if encoding not in (None, "wav"):
        raise ValueError(f"encoding must be 'wav' or None, got {encoding!r}")
    target = recording(step)
    if target is None:
        return False
    count = freeze_count(max_outputs, "max_outputs")
    array = freeze_numbers(first_items(data, count), "data")
    rate = check_v2_audio(array.shape, array.dtype, sample_rate)
    return _push(target, tag_of(name, "audio_summary"), v2_audio, array, rate, count, description)


def histogram(
    name: str, data: Any, step: Any = None, buckets: int | None = None, description: str | None = None
) -> bool:
    """Logs a distribution.

    Args:
        name, step, description: as for `scalar`.
        data: real numbers of any shape.
        buckets: how many buckets of one width; None is 30.

    Returns, Raises:
        As `scalar`.
    """
    target = recording(step)
    if target is None:
        return False
    array = freeze_numbers(data, "data")
    count = check_v2_histogram(array.dtype, buckets)
    if count and isinstance(array, DeviceArray) and array.reduces():
        counted = array.reduce(partial(count_evenly, count), 4 + count)
        return _push(target, tag_of(name, "histogram_summary"), counted_v2_histogram, counted, description)
    return _push(target, tag_of(name, "histogram_summary"), v2_histogram, array, count, description)


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Logs texts, which TensorBoard shows as Markdown, and those of an array as a table.

    Args:
        name, step, description: as for `scalar`.
        data: a str or bytes, or an array or (nested) list of these.

    Returns, Raises:
        As `scalar`.
    """
    target = recording(step)
    if target is None:
        return False
    strings = freeze_strings(data, "data")
    if strings is None:
        raise TypeError(f"data must be a string, or hold strings, got {type(data).__name__}: {data!r}")
    told = metadata("text", check_description(description))
    writer, number = target
    writer._push(tag_of(name, "text_summary"), number, v2_strings, (*strings, told))
    return True


def tensor(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Logs a tensor as it is, for tools that read event files (`tbasync.read` does).

    Args:
        name, step, description: as for `scalar`.
        data: as for `write`.

    Returns, Raises:
        As `scalar`.
    """
    told = metadata("tensor", check_description(description))
    return write(tag_of(name, "tensor_summary"), data, step, told)


def write(tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None) -> bool:
    """Logs any tensor under any plugin: what further kinds are made of.

    Args:
        tag: the series' name, as it is; see `experimental.summary_scope`.
        tensor: numbers or strings, alone, in a (nested) list or an array or tensor, of less than 2 GiB; or a
            function that returns this, which is called only if there is something to log.
        step: as for `scalar`.
        metadata: a `SummaryMetadata` message of any protobuf package, or the bytes of one.
        name: accepted for compatibility.

    Returns, Raises:
        As `scalar`.
    """
    target = recording(step)
    if target is None:
        return False
    if not isinstance(tag, str):
        raise TypeError(f"tag must be a str, got {type(tag).__name__}: {tag!r}")
    told = _serialized(metadata)
    writer, number = target
    frozen = freeze_tensor(tensor() if callable(tensor) else tensor, "tensor")
    if isinstance(frozen, Strings):
        writer._push(tag, number, v2_strings, (*frozen, told))
    else:
        writer._push(tag, number, v2_tensor, (*frozen, told))
    return True


def write_raw_pb(tensor: Any, step: Any = None, name: str | None = None) -> bool:
    """Logs serialized `Summary` messages.

    Args:
        tensor: the bytes of one, or of several in a list or an array, which become one.
        step, name: as for `write`.

    Returns, Raises:
        As `scalar`.
    """
    target = recording(step)
    if target is None:
        return False
    strings = freeze_strings(tensor, "tensor")
    if strings is None:
        raise TypeError(f"tensor must be bytes, or hold bytes, got {type(tensor).__name__}: {tensor!r}")
    writer, number = target
    writer._push_event(number, SUMMARY, _message(Summary, b"".join(strings.values), "tensor"))
    return True


def graph(graph_data: Any) -> bool:
    """Logs a TensorFlow graph, at step 0.

    Args:
        graph_data: a `tf.Graph`, or a `GraphDef` message of any protobuf package.

    Returns:
        As `scalar`.

    Raises:
        ValueError: it is neither.
    """
    target = recording(0)
    if target is None:
        return False
    if hasattr(graph_data, "as_graph_def"):
        graph_data = graph_data.as_graph_def(add_shapes=True)
    if getattr(getattr(graph_data, "DESCRIPTOR", None), "name", "") != "GraphDef":
        raise ValueError(
            f"graph_data must be a tf.Graph or a GraphDef message, got {type(graph_data).__name__}; for torch "
            "models there is writer.writer.add_graph(model, inputs)"
        )
    target[0]._push_event(0, GRAPH_DEF, graph_data.SerializeToString())
    return True


def trace_on(graph: bool = True, profiler: bool = False, profiler_outdir: str | None = None) -> None:
    """Raises TbasyncError: there is no TensorFlow runtime to trace."""
    raise TbasyncError(_NO_TRACE)


def trace_export(name: str, step: Any = None, profiler_outdir: str | None = None) -> None:
    """Raises TbasyncError: there is no TensorFlow runtime to trace."""
    raise TbasyncError(_NO_TRACE)


def trace_off() -> None:
    """Does nothing, as without a trace in `tf.summary`."""


def _push(target: tuple[SummaryWriter, int], tag: str, encode: Any, *arguments: Any) -> bool:
    """Pushes a value and the further arguments of its encoder, of which the last is the description."""
    writer, step = target
    writer._push(tag, step, encode, (*arguments[:-1], check_description(arguments[-1])))
    return True


def _serialized(metadata: Any) -> bytes:
    data = metadata.SerializeToString() if hasattr(metadata, "SerializeToString") else metadata or b""
    if not isinstance(data, bytes):
        raise TypeError(
            f"metadata must be a SummaryMetadata message or its bytes, got {type(metadata).__name__}"
        )
    return _message(SummaryMetadata, data, "metadata")


def _message(kind: Any, data: bytes, name: str) -> bytes:
    """`data`, if it is a message of this kind; what is not would cost the reader of the file the whole event."""
    try:
        kind.FromString(data)
    except Exception as error:
        raise ValueError(f"{name} holds no {kind.DESCRIPTOR.name} message: {error}") from error
    return data

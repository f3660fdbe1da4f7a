"""What is logged is the value at the moment of the call: mutation right after it changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync
from tbasync.encode.result import Encoded
from tests.support.events import read_events

pytest.importorskip("tensorboard")

Log = Callable[[tbasync.SummaryWriter], Callable[[], object]]


def _array(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).random(shape).astype(np.float32)


def _fill(array: np.ndarray[Any, Any]) -> Callable[[], object]:
    return lambda: array.fill(0)


def _scalar(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    value = np.array([1.5])
    writer.add_scalar("x", value, 1, walltime=1.0)
    return _fill(value)


def _step(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    step = np.array(7)
    writer.add_scalar("x", 1.5, step, walltime=1.0)
    return _fill(step)


def _metrics(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    metrics = {"a": 1.0, "b": 2.0}
    writer.log_metrics(metrics, 1, walltime=1.0)
    return lambda: metrics.update(a=0.0, c=3.0)


def _unusual_metrics(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    value = np.array(4.0)
    writer.log_metrics({"a": value, "b": 2}, 1, walltime=1.0)
    return _fill(value)


def _scalars(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    values = {"a": 1.0, "b": 2.0}
    writer.add_scalars("x", values, 1, walltime=1.0, same_run=True)
    return values.clear


def _histogram(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    values = _array(1000)
    writer.add_histogram("x", values[::3], 1, walltime=1.0)
    return _fill(values)


def _histogram_of_a_list(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    values = [1.0, 2.0, 3.0]
    writer.add_histogram("x", values, 1, walltime=1.0)
    return values.clear


def _edges(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    edges = np.linspace(0, 1, 11)
    writer.add_histogram("x", _array(100), 1, bins=edges, walltime=1.0)
    return _fill(edges)


def _accumulator(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    gathered = tbasync.Histogram([1.0, 2.0])
    writer.add_histogram("x", gathered, 1, walltime=1.0)
    return lambda: gathered.update(100.0)


def _raw(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    limits, counts = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    writer.add_histogram_raw("x", 0, 2, 7, 9, 11, limits, counts, 1, walltime=1.0)
    return lambda: (limits.fill(0), counts.fill(0))


def _image(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    pixels = _array(8, 9, 3)
    writer.add_image("x", pixels.transpose(2, 0, 1), 1, walltime=1.0)
    return _fill(pixels)


def _boxes(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    boxes, labels = np.array([[1, 1, 20, 20]]), ["cat"]
    writer.add_image_with_boxes("x", _array(3, 30, 30), boxes, 1, walltime=1.0, labels=labels)
    return lambda: (boxes.fill(0), labels.clear())


def _video(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    frames = _array(1, 2, 3, 8, 8)
    writer.add_video("x", frames, 1, walltime=1.0)
    return _fill(frames)


def _audio(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    samples = _array(100)
    writer.add_audio("x", samples, 1, walltime=1.0)
    return _fill(samples)


def _tensor(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    values = _array(2, 3)
    writer.add_tensor("x", values, 1, walltime=1.0)
    return _fill(values)


def _mesh(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    vertices, config = _array(1, 4, 3), {"camera": {"fov": 75}}
    writer.add_mesh("x", vertices, config_dict=config, global_step=1, walltime=1.0)
    return lambda: (vertices.fill(0), config["camera"].clear())


def _layout(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    tags = ["a", "b"]
    layout = {"category": {"chart": ["Multiline", tags]}}
    writer.add_custom_scalars(layout)
    return lambda: (tags.clear(), layout.clear())


def _torch_tensor(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    torch = pytest.importorskip("torch")
    values = torch.arange(12.0).reshape(3, 4)
    writer.add_histogram("x", values.t(), 1, walltime=1.0)
    writer.add_scalar("y", values[0, 1], 1, walltime=1.0)
    return lambda: values.zero_()


def _bfloat16(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    torch = pytest.importorskip("torch")
    values = torch.arange(12.0).bfloat16()
    writer.add_histogram("x", values, 1, walltime=1.0)
    return lambda: values.zero_()


def _parameter(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(4, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(16.0).reshape(4, 4))
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer(torch.ones(1, 4)).sum().backward()
    writer.add_histogram("weight", layer.weight, 1, walltime=1.0)
    writer.add_histogram("gradient", layer.weight.grad, 1, walltime=1.0)
    return lambda: (optimizer.step(), optimizer.zero_grad(set_to_none=False))


def _figure(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    module = pytest.importorskip("matplotlib.figure")
    figure = module.Figure()
    figure.subplots().plot([1, 2, 3])
    writer.add_figure("x", figure, 1, close=False, walltime=1.0)
    return figure.clear


def _proto(writer: tbasync.SummaryWriter) -> Callable[[], object]:
    from tensorboard.compat.proto.summary_pb2 import Summary

    summary = Summary(value=[Summary.Value(tag="x", simple_value=1.5)])
    assert writer.file_writer is not None
    writer.file_writer.add_summary(summary, 1, walltime=1.0)
    return summary.Clear


_KINDS = {name: kind for name, kind in globals().items() if name.startswith("_") and callable(kind)}
_CASES = [kind for name, kind in _KINDS.items() if name not in ("_array", "_fill")]


@pytest.mark.parametrize("log", _CASES, ids=lambda kind: kind.__name__.strip("_"))
def test_mutation_right_after_a_push_changes_nothing(log: Log, tmp_path: Path) -> None:
    """The writer thread is held until the value has been overwritten; what it writes is the value before."""
    held = threading.Event()

    def hold(tag: str) -> Encoded:
        assert held.wait(60)
        return Encoded(b"")

    with tbasync.SummaryWriter(tmp_path / "held") as writer:
        writer._push("hold", 0, None, hold, ())
        try:
            mutate = log(writer)
            mutate()
        finally:
            held.set()
    with tbasync.SummaryWriter(tmp_path / "plain") as writer:
        log(writer)
    summaries = [
        [event.summary.SerializeToString() for event in read_events(tmp_path / run) if event.summary.value]
        for run in ("held", "plain")
    ]
    assert summaries[0]
    assert summaries[0] == summaries[1]


def test_what_is_handed_over_is_not_copied(tmp_path: Path) -> None:
    """With `copy=False` the writer looks at the caller's own memory: no copy, and no protection."""
    values, held = np.ones(1000, np.float32), threading.Event()

    def hold(tag: str) -> Encoded:
        assert held.wait(60)
        return Encoded(b"")

    with tbasync.SummaryWriter(tmp_path) as writer:
        writer._push("hold", 0, None, hold, ())
        writer.add_histogram("x", values, 1, copy=False)
        values.fill(5)
        held.set()
    [histogram] = [value.histo for event in read_events(tmp_path) for value in event.summary.value]
    assert histogram.min == 5

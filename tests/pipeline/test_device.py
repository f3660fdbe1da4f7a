"""The path of device tensors, on a stand-in whose copies arrive late: who does not wait reads garbage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")

import tbasync  # noqa: E402
from tbasync.pipeline import frameworks  # noqa: E402

from ..support.delayed_device import DelayedDevice  # noqa: E402
from ..support.events import images, read_events, scalars  # noqa: E402


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[DelayedDevice]:
    """Every torch tensor lies on the stand-in."""
    stand_in = DelayedDevice()
    monkeypatch.setattr(frameworks, "streams_of", lambda kind: stand_in)
    monkeypatch.setattr(frameworks, "on_device", lambda tensor: True)
    monkeypatch.setattr("tbasync.pipeline.freeze.on_device", lambda tensor: True)
    yield stand_in
    stand_in.gate.set()


def test_a_push_returns_while_the_device_is_held_up(device: DelayedDevice, tmp_path: Path) -> None:
    """Nothing that is pushed waits for the device, and its value is that of the call."""
    device.gate.clear()
    writer = tbasync.SummaryWriter(tmp_path)
    value = torch.tensor(1.5)
    for step in range(50):
        value.fill_(step + 0.5)
        writer.add_scalar("loss", value, step)
    value.fill_(-1)
    assert not writer.flush(timeout=0.3)
    device.gate.set()
    writer.close()
    assert [point.value for point in scalars(tmp_path)["loss"]] == [step + 0.5 for step in range(50)]


def test_order_is_kept_between_host_and_device_values(device: DelayedDevice, tmp_path: Path) -> None:
    """A late value does not let those behind it pass."""
    with tbasync.SummaryWriter(tmp_path) as writer:
        for step in range(200):
            writer.add_scalar("x", torch.tensor(float(step)) if step % 3 else float(step), step)
    assert [point.step for point in scalars(tmp_path)["x"]] == list(range(200))
    assert [point.value for point in scalars(tmp_path)["x"]] == [float(step) for step in range(200)]


def test_metrics_of_several_dtypes_take_one_copy_each(device: DelayedDevice, tmp_path: Path) -> None:
    """`log_metrics` gathers a step's tensors by dtype before it copies them."""
    values: dict[str, Any] = {f"f{i}": torch.tensor(i / 8) for i in range(10)}
    values |= {f"i{i}": torch.tensor(i) for i in range(10)} | {
        "host": 7,
        "half": torch.tensor(0.25).bfloat16(),
    }
    with tbasync.SummaryWriter(tmp_path) as writer:
        writer.log_metrics(values, 3)
    read = scalars(tmp_path)
    assert {tag: points[0].value for tag, points in read.items()} == {
        tag: float(value) for tag, value in values.items()
    }


@pytest.mark.parametrize("elements", [0, 1, 1000, 3 << 20])
def test_histograms_of_device_tensors_equal_those_of_the_host(
    device: DelayedDevice, tmp_path: Path, elements: int
) -> None:
    """The same buckets, whatever the size: below, at and beyond what is moved at once."""
    values = torch.randn(elements)
    expected = values.numpy().copy()
    with tbasync.SummaryWriter(tmp_path / "device") as writer:
        writer.add_histogram("h", values, 1)
        values.zero_()
    with tbasync.SummaryWriter(tmp_path / "host") as writer:
        writer.add_histogram("h", expected, 1)
    [ours], [theirs] = (
        [v.histo for e in read_events(tmp_path / run) for v in e.summary.value] for run in ("device", "host")
    )
    assert list(ours.bucket) == list(theirs.bucket)
    assert list(ours.bucket_limit) == list(theirs.bucket_limit)
    assert (ours.min, ours.max, ours.num) == (theirs.min, theirs.max, theirs.num)
    assert ours.sum == pytest.approx(theirs.sum, rel=1e-12, abs=1e-6)


def test_images_survive_their_tensor(device: DelayedDevice, tmp_path: Path) -> None:
    """A picture that is overwritten right after the call is logged as it was, transposed views too."""
    pixels = torch.randint(0, 255, (17, 23, 3), dtype=torch.uint8)
    expected = pixels.numpy().copy()
    with tbasync.SummaryWriter(tmp_path) as writer:
        writer.add_image("i", pixels.permute(2, 0, 1), 0)
        pixels.zero_()
    np.testing.assert_array_equal(images(tmp_path)["i"][0], expected)


def test_device_memory_is_bounded_and_counted(device: DelayedDevice, tmp_path: Path) -> None:
    """With no room on the device a push does what `on_full` says, and what is fetched makes room again."""
    device.gate.clear()
    writer = tbasync.SummaryWriter(tmp_path, device_capacity=1 << 20, on_full="drop_newest")
    for step in range(10):
        writer.add_histogram("h", torch.ones(1 << 16), step)
    stats = writer.stats()
    assert stats.dropped == 6
    assert stats.device_bytes_peak == 1 << 20
    device.gate.set()
    writer.flush()
    assert writer.stats().device_bytes == 0
    writer.add_histogram("h", torch.ones(1 << 16), 10)
    writer.close()
    assert writer.stats().written == 5


def test_a_captured_graph_refuses_to_be_logged_from(device: DelayedDevice, tmp_path: Path) -> None:
    """A copy would become a part of the graph; the error says what to do."""
    device.captured = True
    with tbasync.SummaryWriter(tmp_path) as writer:
        with pytest.raises(tbasync.TbasyncError, match="captured"):
            writer.add_scalar("x", torch.tensor(1.0), 0)
        with pytest.raises(tbasync.TbasyncError, match="captured"):
            writer.log_metrics({"x": torch.tensor(1.0)}, 0)


def test_one_value_that_cannot_be_fetched_costs_that_one(
    device: DelayedDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that fails for one value does not take the others of its batch with it."""
    broken = torch.tensor(3.0)
    freeze = device.freeze

    def failing(tensor: Any, dtype: Any, copy: bool) -> Any:
        late, mark = freeze(tensor, dtype, copy)
        if tensor.data_ptr() == broken.data_ptr():
            monkeypatch.setattr(
                late, "reshape", lambda *a: (_ for _ in ()).throw(RuntimeError("lost device"))
            )
        return late, mark

    monkeypatch.setattr(device, "freeze", failing)
    writer = tbasync.SummaryWriter(tmp_path)
    for step in range(5):
        writer.add_scalar("x", torch.tensor(float(step)), step)
    with pytest.warns(tbasync.TbasyncWarning, match="lost device"), pytest.raises(tbasync.LoggingError):
        _log_and_flush(writer, broken)
    writer.close()
    assert [point.step for point in scalars(tmp_path)["x"]] == [0, 1, 2, 3, 4]
    assert writer.stats().failed == 1


def _log_and_flush(writer: tbasync.SummaryWriter, value: Any) -> None:
    writer.add_scalar("x", value, 5)
    writer.flush()


def test_no_synchronisation_happens_on_the_pushing_thread(device: DelayedDevice, tmp_path: Path) -> None:
    """Every kind that takes tensors can be pushed: the stand-in refuses waits on other threads."""
    assert threading.current_thread().name != "tbasync-writer"
    device.gate.clear()
    writer = tbasync.SummaryWriter(tmp_path)
    writer.add_scalar("s", torch.tensor(1.0), 0)
    writer.add_scalar("new", torch.tensor(1.0), 0, new_style=True)
    writer.add_scalars("several", {"a": torch.tensor(1.0), "b": torch.tensor(2)}, 0)
    writer.add_histogram("h", torch.randn(10), 0)
    writer.add_image("i", torch.rand(3, 4, 4), 0)
    writer.add_images("is", torch.rand(2, 3, 4, 4), 0)
    writer.add_image_with_boxes("b", torch.rand(3, 9, 9), torch.tensor([[1, 1, 5, 5]]), 0)
    writer.add_video("v", torch.rand(1, 2, 3, 4, 4), 0)
    writer.add_audio("a", torch.rand(1, 100), 0)
    writer.add_tensor("t", torch.rand(3), 0)
    writer.add_mesh("m", torch.rand(1, 4, 3))
    writer.add_embedding(torch.rand(5, 3), label_img=torch.rand(5, 3, 4, 4))
    device.gate.set()
    writer.close()
    assert writer.stats().failed == 0
    assert writer.stats().written == writer.stats().pushed

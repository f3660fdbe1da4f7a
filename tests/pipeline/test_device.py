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

from ..support.delayed_device import DelayedDevice  # noqa: E402
from ..support.events import images, read_events, scalars  # noqa: E402
from ..support.plain_reader import summaries  # noqa: E402


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[DelayedDevice]:
    """Every torch tensor lies on the stand-in."""
    stand_in = DelayedDevice.everywhere(monkeypatch)
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


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "uint8", "int8", "int32", "int64", "bool"]
)
def test_device_bins_equal_the_hosts_to_the_last_value(dtype: str) -> None:
    """On, below and above every edge, NaN, infinities, zeros, subnormals and the far ends, in every dtype."""
    from tbasync.encode.default_bins import default_edges
    from tbasync.encode.tally import Tally
    from tbasync.pipeline.device_bins import bin_tensor
    from tbasync.pipeline.frameworks import torch_to_numpy

    edges = torch.tensor(default_edges().copy())
    near = [edges, *(torch.nextafter(edges.float(), torch.tensor(end)).double() for end in (-1e30, 1e30))]
    odd = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 5e-324, 1e-45, 1e300, -1e300])
    values = torch.cat([*near, torch.nextafter(edges, torch.tensor(1e300).double()), odd, torch.randn(5000)])
    if not getattr(torch, dtype).is_floating_point:
        values = torch.randint(-100, 100, (5000,))
    values = values.to(getattr(torch, dtype))
    counted = bin_tensor(values.reshape(1, -1)).numpy()
    ours, host = Tally.of_counts(counted), Tally.of(torch_to_numpy(values, copy=True))
    np.testing.assert_array_equal(ours.counts.counts(), host.counts.counts())
    for field in ("num", "nonfinite", "minimum", "maximum"):
        assert getattr(ours.moments, field) == getattr(host.moments, field)


def test_sums_over_several_pieces_of_a_device_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of pieces are those of the whole, within the rounding of another order."""
    from tbasync.encode.tally import Tally
    from tbasync.pipeline import device_bins

    monkeypatch.setattr(device_bins, "_PIECE", 1000)
    values = torch.randn(12_345) + 3
    ours = Tally.of_counts(device_bins.bin_tensor(values).numpy()).moments
    host = Tally.of(values.numpy()).moments
    assert ours.num == host.num
    assert ours.sum == pytest.approx(host.sum, rel=1e-12)
    assert ours.sum_squares == pytest.approx(host.sum_squares, rel=1e-12)


def test_an_empty_tensor_is_binned_as_an_empty_histogram() -> None:
    """No value, no bucket, no error."""
    from tbasync.encode.tally import Tally
    from tbasync.pipeline.device_bins import bin_tensor

    tally = Tally.of_counts(bin_tensor(torch.empty(0, 3)).numpy())
    assert tally.moments.as_tuple() == (0, 0, 0, 0, 0)
    assert not tally.counts.counts().any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("elements", [0, 1, 1000, 3 << 20])
def test_pr_curves_of_device_tensors_equal_those_of_the_host(
    device: DelayedDevice, tmp_path: Path, elements: int, weighted: bool
) -> None:
    """The same curve, whatever the size, although only the counts are moved and all tensors change at once."""
    predictions, labels = torch.rand(elements, 1), torch.rand(elements, 1) < 0.3
    weights = torch.randint(1, 5, (1,)) / 4 if weighted else None
    arrays = [None if t is None else t.numpy().copy() for t in (labels, predictions, weights)]
    with tbasync.SummaryWriter(tmp_path / "device") as writer:
        device.gate.clear()
        writer.add_pr_curve("p", labels, predictions, 2, num_thresholds=50, weights=weights)
        held = writer._queue.device_bytes
        for changed in (labels, predictions, torch.empty(0) if weights is None else weights):
            changed.zero_()
        device.gate.set()
    assert held == 5 * elements + 4 * weighted
    with tbasync.SummaryWriter(tmp_path / "host") as writer:
        writer.add_pr_curve("p", *arrays[:2], 2, num_thresholds=50, weights=arrays[2])
    ours, theirs = (summaries(tmp_path / name)["p"] for name in ("device", "host"))
    assert ours == theirs


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("thresholds", [1, 2, 3, 100, 127])
def test_device_thresholds_equal_the_hosts_to_the_last_value(dtype: str, thresholds: int) -> None:
    """At and beside each threshold, in every type."""
    from tbasync.encode import pr_curve as host
    from tbasync.pipeline.device_curves import count_labels

    values = torch.arange(thresholds, dtype=torch.float64) / max(1, thresholds - 1)
    near = torch.cat([torch.nextafter(values, torch.tensor(float(to)).double()) for to in (-1, 2)])
    predictions = torch.cat((values, near, torch.rand(1000).double())).clamp(0, 1).to(getattr(torch, dtype))
    labels = torch.rand(predictions.shape) < 0.5
    ours = count_labels(thresholds, predictions, labels).numpy()
    array = (predictions.float() if dtype == "bfloat16" else predictions).numpy()
    true, false = host._counts("p", labels.numpy(), array, thresholds, None)
    assert ours[:2].tolist() == [array.min(), array.max()]
    np.testing.assert_array_equal(ours[2:], np.concatenate((true, false)))


def test_curves_over_several_pieces_of_device_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels in part, weights and extremes are put together from all pieces."""
    from tbasync.encode import pr_curve as host
    from tbasync.pipeline import device_curves

    monkeypatch.setattr(device_curves, "_PIECE", 1000)
    predictions, labels, weights = torch.rand(3, 12_345).unbind()
    ours = device_curves.count_labels(127, predictions, labels, weights).numpy()
    true, false = host._counts("p", labels.numpy(), predictions.numpy(), 127, weights.numpy())
    assert ours[:2].tolist() == [predictions.min().item(), predictions.max().item()]
    np.testing.assert_allclose(ours[2:], np.concatenate((true, false)), rtol=1e-12)


@pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
def test_a_device_prediction_out_of_range_costs_that_curve(
    device: DelayedDevice, tmp_path: Path, bad: float
) -> None:
    """The writer thread says which curve and what is wrong; what is beside it is logged."""
    predictions = torch.rand(100)
    predictions[37] = bad
    told: list[Exception] = []
    writer = tbasync.SummaryWriter(tmp_path, on_error=told.append)
    writer.add_pr_curve("p", torch.ones(100), predictions)
    writer.add_scalar("x", 1.0)
    writer.close()
    (error,) = told
    assert "'p' must lie in [0, 1]" in str(error)
    assert [point.value for point in scalars(tmp_path)["x"]] == [1.0]
    assert "p" not in summaries(tmp_path)


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


def test_metrics_of_trials_may_lie_on_a_device(device: DelayedDevice, tmp_path: Path) -> None:
    """A trial is pushed at once, and has the values of the call; in the run itself too."""
    device.gate.clear()
    writer = tbasync.SummaryWriter(tmp_path)
    value = torch.tensor(1.5)
    for same_run in (False, True):
        writer.add_hparams({"lr": 0.1}, {"loss": value, "host": 2.0}, run_name="trial", same_run=same_run)
    value.fill_(-1)
    device.gate.set()
    writer.close()
    for run in (tmp_path / "trial", tmp_path):
        found = scalars(run)
        assert {tag: [point.value for point in found[tag]] for tag in ("loss", "host")} == {
            "loss": [1.5],
            "host": [2.0],
        }
    assert (writer.stats().written, writer.stats().pushed) == (10, 10)

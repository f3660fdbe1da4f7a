"""The device path on a real CUDA device: no call synchronises, and every value is that of the call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync

from ..support.calls import BARRIERS, public_methods
from ..support.events import scalars
from ..support.plain_reader import summaries

torch: Any = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

# Takes what has no values on a device: texts, files, models, summaries that are counted already.
WITHOUT_TENSORS = {
    "add_custom_scalars",
    "add_custom_scalars_marginchart",
    "add_custom_scalars_multilinechart",
    "add_figure",
    "add_graph",
    "add_histogram_raw",
    "add_onnx_graph",
    "add_openvino_graph",
    "add_pr_curve_raw",
    "add_text",
}


@pytest.fixture
def strict() -> Iterator[None]:
    """Every synchronisation is an error, on whatever thread."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


def calls(writer: tbasync.SummaryWriter) -> dict[str, Any]:
    """Every method that takes tensors, with tensors on the device."""
    image = torch.rand(3, 32, 32, device="cuda")
    number = torch.tensor(0.5, device="cuda")
    values = torch.randn(10_000, device="cuda")
    guesses = torch.rand(10_000, device="cuda")
    boxes = torch.tensor([[2.0, 2.0, 20.0, 20.0]], device="cuda")
    vertices = torch.rand(1, 30, 3, device="cuda")
    return {
        "add_scalar": lambda: writer.add_scalar("scalar", number, 1),
        "add_scalars": lambda: writer.add_scalars("scalars", {"a": number, "b": number}, 1),
        "log_metrics": lambda: writer.log_metrics({"a": number, "b": number.half(), "c": 1.0}, 1),
        "add_histogram": lambda: writer.add_histogram("histogram", values, 1),
        "add_pr_curve": lambda: writer.add_pr_curve("pr", guesses > 0.5, guesses, 1),
        "add_image": lambda: writer.add_image("image", image, 1),
        "add_images": lambda: writer.add_images("images", image[None], 1),
        "add_image_with_boxes": lambda: writer.add_image_with_boxes("boxes", image, boxes, 1),
        "add_video": lambda: writer.add_video("video", image[None, None].expand(1, 4, 3, 32, 32), 1),
        "add_audio": lambda: writer.add_audio("audio", values.clamp(-1, 1)[None], 1),
        "add_tensor": lambda: writer.add_tensor("tensor", values, 1),
        "add_mesh": lambda: writer.add_mesh("mesh", vertices, global_step=1),
        "add_embedding": lambda: writer.add_embedding(values.reshape(100, 100), tag="embedding"),
        "add_hparams": lambda: writer.add_hparams({"lr": 0.1}, {"loss": number}, run_name="trial"),
    }


def test_every_method_is_called(tmp_path: Path) -> None:
    """A method that is added takes tensors or is known not to."""
    with tbasync.SummaryWriter(tmp_path) as writer:
        named = set(calls(writer)) | WITHOUT_TENSORS
    logging = {name for name in public_methods(tbasync.SummaryWriter) if name.startswith(("add_", "log_"))}
    assert logging - BARRIERS <= named


def test_no_call_synchronises(tmp_path: Path, strict: None) -> None:
    """Neither the call nor what the writer thread does of it, under `set_sync_debug_mode("error")`."""
    writer = tbasync.SummaryWriter(tmp_path)
    for call in calls(writer).values():
        call()
    writer.close()
    assert writer.stats().failed == 0


def test_values_are_those_of_the_call(tmp_path: Path) -> None:
    """Scalars and large tensors change in place right after the call, on two streams."""
    writer = tbasync.SummaryWriter(tmp_path)
    for name, stream in (("default", torch.cuda.default_stream()), ("other", torch.cuda.Stream())):
        with torch.cuda.stream(stream):
            number, values = torch.zeros((), device="cuda"), torch.zeros(1 << 22, device="cuda")
            for step in range(200):
                number.fill_(step)
                writer.add_scalar(name, number, step)
                if step % 20 == 0:
                    values.fill_(step + 1)
                    writer.add_histogram(f"{name} values", values, step)
                    values.fill_(-1)
                number.fill_(-1)
    writer.close()
    for name in ("default", "other"):
        assert [point.value for point in scalars(tmp_path)[name]] == list(range(200))
        found = summaries(tmp_path)[f"{name} values"]
        assert [(step, value.histo.min, value.histo.max) for step, value in found] == [
            (step, step + 1, step + 1) for step in range(0, 200, 20)
        ]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("elements", [0, 1, 1000, 5 << 20])
def test_histograms_equal_the_hosts(tmp_path: Path, dtype: str, elements: int) -> None:
    """Bucket for bucket; sums to the last digits of a float64."""
    values = (torch.randn(elements) * 50).to(getattr(torch, dtype))
    for name, tensor in (("device", values.cuda()), ("host", values)):
        with tbasync.SummaryWriter(tmp_path / name) as writer:
            writer.add_histogram("h", tensor, 1)
    ours, theirs = (summaries(tmp_path / name)["h"][0][1].histo for name in ("device", "host"))
    assert (ours.min, ours.max, ours.num) == (theirs.min, theirs.max, theirs.num)
    assert (list(ours.bucket), list(ours.bucket_limit)) == (list(theirs.bucket), list(theirs.bucket_limit))
    np.testing.assert_allclose(
        [ours.sum, ours.sum_squares], [theirs.sum, theirs.sum_squares], rtol=1e-9, atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("elements", [0, 1, 1000, 5 << 20])
def test_histograms_of_summary_equal_the_hosts(tmp_path: Path, dtype: str, elements: int) -> None:
    """Edge for edge and count for count, to the last bit."""
    values = (torch.randn(elements) * 50).to(getattr(torch, dtype))
    for name, tensor in (("device", values.cuda()), ("host", values)):
        with tbasync.summary.create_file_writer(tmp_path / name).as_default(step=1) as writer:
            tbasync.summary.histogram("h", tensor)
        writer.close()
    ours, theirs = (summaries(tmp_path / name)["h"][0][1] for name in ("device", "host"))
    assert ours.tensor == theirs.tensor


def test_no_function_of_summary_synchronises(tmp_path: Path, strict: None) -> None:
    """Neither the call nor what the writer thread does of it."""
    values = torch.rand(4, 16, 16, 3, device="cuda")
    with tbasync.summary.create_file_writer(tmp_path).as_default(step=1) as writer:
        tbasync.summary.scalar("scalar", values.mean())
        tbasync.summary.histogram("histogram", values)
        tbasync.summary.image("image", values)
        tbasync.summary.audio("audio", values[..., 0], 8000)
        tbasync.summary.write("tensor", values)
    writer.close()
    assert writer.writer.stats().failed == 0


@pytest.mark.parametrize("dtype", ["bool", "float16", "bfloat16", "float32", "float64"])
def test_pr_curves_equal_the_hosts(tmp_path: Path, dtype: str) -> None:
    """Count for count."""
    guesses = torch.rand(1_000_000).to(getattr(torch, dtype))
    labels = torch.rand(1_000_000) < 0.3
    for name in ("cuda", "cpu"):
        with tbasync.SummaryWriter(tmp_path / name) as writer:
            writer.add_pr_curve("p", labels.to(name), guesses.to(name), 1)
    assert summaries(tmp_path / "cuda") == summaries(tmp_path / "cpu")


def test_views_gradients_and_autocast(tmp_path: Path) -> None:
    """What requires a gradient, is expanded, transposed, or comes out of autocast in half precision."""
    weights = torch.randn(64, 32, device="cuda", requires_grad=True)
    with tbasync.SummaryWriter(tmp_path) as writer, torch.autocast("cuda"):
        product = weights @ weights.T
        for name, tensor in (("t", weights.T), ("e", weights[:1].expand(64, 32)), ("half", product)):
            writer.add_tensor(name, tensor, 1)
        writer.add_scalar("loss", product.sum(), 1)
        expected = product.sum().item()
    assert [point.value for point in scalars(tmp_path)["loss"]] == [pytest.approx(expected)]
    assert set(summaries(tmp_path)) == {"t", "e", "half", "loss"}


def test_a_captured_graph(tmp_path: Path) -> None:
    """Within a capture a device tensor is refused and the capture lives on, although the writer is at work."""
    writer = tbasync.SummaryWriter(tmp_path, interval=0)
    static = torch.zeros(1 << 20, device="cuda")
    (static + 1).sum()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    for step in range(50):
        writer.add_histogram("busy", static, step)
    with torch.cuda.graph(graph):
        output = static.sum()
        with pytest.raises(tbasync.TbasyncError, match="graph is being captured"):
            writer.add_scalar("captured", output, 0)
        writer.add_scalar("host", 1.0, 0)
    for step in range(10):
        static.fill_(step)
        graph.replay()
        writer.add_scalar("replayed", output, step)
    writer.close()
    assert [point.value for point in scalars(tmp_path)["replayed"]] == [step * 2**20 for step in range(10)]


@pytest.mark.slow
def test_device_memory_is_flat(tmp_path: Path) -> None:
    """100,000 steps that log scalars, and now and then a histogram."""
    writer = tbasync.SummaryWriter(tmp_path)
    number, values = torch.zeros((), device="cuda"), torch.randn(1 << 20, device="cuda")

    def run(steps: range) -> int:
        for step in steps:
            writer.add_scalar("x", number.add_(1), step)
            if step % 1000 == 0:
                writer.add_histogram("h", values, step)
        writer.flush()
        return int(torch.cuda.memory_allocated())

    before = run(range(2_000))
    torch.cuda.reset_peak_memory_stats()
    after = run(range(2_000, 100_000))
    writer.close()
    assert after <= before + (1 << 20)
    assert torch.cuda.max_memory_allocated() < before + (1 << 30)
    assert len(scalars(tmp_path)["x"]) == 100_000


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_several_devices(tmp_path: Path) -> None:
    """Values of several devices in one call, in order."""
    with tbasync.SummaryWriter(tmp_path) as writer:
        for step in range(100):
            here, there = (torch.tensor(float(step), device=f"cuda:{k}") for k in range(2))
            writer.log_metrics({"a": here, "b": there}, step)
    assert [p.value for p in scalars(tmp_path)["a"]] == [p.value for p in scalars(tmp_path)["b"]]

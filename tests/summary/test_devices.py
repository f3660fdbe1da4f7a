"""Tensors on a device, in the style of tf.summary; the device is a stand-in whose copies arrive late."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from tbasync import summary  # noqa: E402
from tbasync.pipeline.device_buckets import count_evenly  # noqa: E402
from tests.support.delayed_device import DelayedDevice  # noqa: E402

from .reading import numbers, values  # noqa: E402


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[DelayedDevice]:
    """Every torch tensor lies on the stand-in."""
    stand_in = DelayedDevice.everywhere(monkeypatch)
    yield stand_in
    stand_in.gate.set()


def test_no_kind_waits_for_the_device(device: DelayedDevice, tmp_path: Path) -> None:
    """Every kind is pushed while the device is held up, with the values of the call."""
    ones = torch.ones(5, 2, 3, 1, requires_grad=True)
    device.gate.clear()
    writer = summary.create_file_writer(tmp_path)
    with writer.as_default(step=1):
        summary.scalar("scalar", ones.sum(), description="told")
        summary.scalar("scalar", ones.sum().reshape(1, 1))
        summary.scalar("host", 2.0)
        summary.histogram("histogram", ones)
        summary.image("image", ones)
        summary.image("list", list(ones), max_outputs=2)
        summary.audio("audio", ones[0], 8000)
        summary.write("half", ones.bfloat16())
        with torch.no_grad():
            ones.zero_()
    assert not writer.flush(timeout=0.3)
    device.gate.set()
    writer.close()
    assert numbers(tmp_path) == [("scalar", 1, 30.0), ("scalar", 1, 30.0), ("host", 1, 2.0)]
    histogram, image, listed, audio, half = values(tmp_path)[3:]
    assert np.frombuffer(histogram.tensor.tensor_content)[-3:].tolist() == [1, 1, 30]
    assert (len(image.tensor.string_val), len(listed.tensor.string_val)) == (5, 4)
    for picture in (*image.tensor.string_val[2:], *listed.tensor.string_val[2:]):
        assert Image.open(io.BytesIO(picture)).getextrema() == (255, 255)
    assert audio.tensor.string_val[0].endswith(b"\xff\x7f" * 3)
    assert half.tensor.tensor_content == b"\x80\x3f" * 30


CASES = {
    "normal": torch.randn(1000, generator=torch.Generator().manual_seed(0)),
    "wide": torch.tensor([-1.7e308, 1.7e308, 0.0, 1.0, -3.0], dtype=torch.float64),
    "subnormal": torch.tensor([0.0, 5e-324, 1e-323], dtype=torch.float64),
    "equal": torch.full((3, 4), 2.5),
    "not finite": torch.tensor([float("nan"), 1.0, float("inf"), 3.0, -float("inf"), 2.0]),
    "none finite": torch.tensor([float("nan"), float("inf")]),
    "empty": torch.empty(0, 3),
    "integers": torch.tensor([2**62, -(2**62), 2**53 + 1, 7]),
    "bools": torch.tensor([True, False, True]),
    "bfloat16": torch.arange(-300, 300).bfloat16(),
}


@pytest.mark.parametrize("buckets", [0, 1, 7, 30])
@pytest.mark.parametrize("case", CASES)
def test_histograms_are_counted_on_the_device_as_on_the_host(
    device: DelayedDevice, case: str, buckets: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same summary, bit for bit, in pieces too; only counts travel; what is not finite is counted."""
    monkeypatch.setattr("tbasync.pipeline.device_buckets._PIECE", 3)
    fetched: list[int] = []

    def counted(*arguments: Any) -> torch.Tensor:
        fetched.append((found := count_evenly(*arguments)).numel())
        return found

    monkeypatch.setattr("tbasync.summary._kinds.count_evenly", counted)
    nonfinite = []
    for where, data in (("device", CASES[case]), ("host", as_numpy(CASES[case]))):
        with summary.create_file_writer(tmp_path / where).as_default(step=1) as writer:
            summary.histogram("h", data, buckets=buckets)
        writer.close()
        nonfinite.append(writer.writer.stats().nonfinite)
    on_device, on_host = values(tmp_path / "device"), values(tmp_path / "host")
    assert on_device == on_host
    assert len(on_device) == 1
    assert nonfinite[0] == nonfinite[1]
    assert fetched == ([4 + buckets] if buckets else [])


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    """numpy has no bfloat16; its values are floats all the same."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()

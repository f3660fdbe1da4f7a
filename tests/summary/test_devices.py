"""Tensors on a device, in the style of tf.summary; the device is a stand-in whose copies arrive late."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from tbasync import summary  # noqa: E402
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

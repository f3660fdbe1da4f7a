"""Tensors of eight-bit floats, which numpy lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tbasync import SummaryWriter  # noqa: E402
from tbasync.pipeline.freeze import freeze_array  # noqa: E402

from ..support.delayed_device import DelayedDevice  # noqa: E402
from ..support.plain_reader import scalars  # noqa: E402

KINDS = [name for name in dir(torch) if name.startswith("float8_")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_kept(kind: str) -> None:
    """All 256 numbers of a type become the float32 that torch makes of them."""
    tensor = torch.arange(256, dtype=torch.uint8).view(getattr(torch, kind))
    frozen: Any = freeze_array(tensor, "values")
    assert frozen.dtype == "float32"
    assert torch.equal(torch.from_numpy(frozen).nan_to_num(-1.0), tensor.float().nan_to_num(-1.0))


@pytest.mark.parametrize("on_device", [False, True])
def test_they_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_device: bool) -> None:
    """Scalars, metrics, histograms and tensors of them, on the host and on a device."""
    if on_device:
        DelayedDevice.everywhere(monkeypatch)
    values = torch.tensor([0.5, 1.0, 2.0, 3.5]).to(torch.float8_e4m3fn)
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("one", values[3])
        writer.log_metrics({"two": values[0], "three": values[1]})
        writer.add_histogram("histogram", values)
        writer.add_tensor("tensor", values)
        assert writer.flush()
        assert writer.stats().written == 5
    assert scalars(tmp_path) == {"one": [(0, 3.5)], "two": [(0, 0.5)], "three": [(0, 1.0)]}

"""GlobalSummaryWriter: what it logs from a device, and which steps failed calls take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tbasync import GlobalSummaryWriter

from ..support.plain_reader import scalars


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every torch tensor lies on a stand-in for a device."""
    pytest.importorskip("torch")
    from ..support.delayed_device import DelayedDevice

    device = DelayedDevice.everywhere(monkeypatch)
    yield
    device.gate.set()


@pytest.mark.usefixtures("on_device")
def test_values_on_a_device(tmp_path: Path) -> None:
    """Numbers and pictures that lie on a device are logged as any others, each at its tag's next step."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("tensorboard")
    from ..support.events import images

    writer = GlobalSummaryWriter(tmp_path)
    writer.add_scalar("loss", torch.tensor(1.5))
    writer.add_scalar("loss", torch.tensor([2.5]))
    writer.add_image("picture", torch.full((3, 4, 5), 0.2))
    writer.close()
    assert scalars(tmp_path) == {"loss": [(0, 1.5), (1, 2.5)]}
    (picture,) = images(tmp_path)["picture"]
    assert picture.shape == (4, 5, 3)
    assert (picture == 51).all()


def test_a_failed_call_takes_no_step(tmp_path: Path) -> None:
    """After a refused value the tag's next point has the step that the refused one would have had."""
    writer = GlobalSummaryWriter(tmp_path)
    writer.add_scalar("loss", 1.0)
    for wrong in ("no number", 1j, np.zeros(2)):
        with pytest.raises((TypeError, ValueError), match="scalar_value"):
            writer.add_scalar("loss", wrong)
    with pytest.raises(TypeError, match="img_tensor"):
        writer.add_image("picture", object())
    writer.add_scalar("loss", 2.0)
    writer.close()
    assert scalars(tmp_path) == {"loss": [(0, 1.0), (1, 2.0)]}

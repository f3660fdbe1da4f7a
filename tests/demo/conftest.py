"""The demo's runs in TensorBoard, once for all the tests that look at them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest

from tests.demo.shown import Shown, python
from tests.support.record_demo import recorded
from tests.support.tensorboard_server import tensorboard

EPOCHS, SEED = 2, 3


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(("tbasync", "torch", True), marks=pytest.mark.torch, id="tbasync-torch-fast"),
        pytest.param(("tbasync", "numpy", False), marks=pytest.mark.long, id="tbasync-numpy-slow"),
        pytest.param(
            ("torch", "torch", False), marks=[pytest.mark.torch, pytest.mark.long], id="torch-torch-slow"
        ),
    ],
)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The demo's run for (writer, network, TensorBoard's fast reader or its slow one)."""
    pytest.importorskip("sklearn", reason="the demo's data comes with scikit-learn")
    writer, network, fast = request.param
    if "torch" in (writer, network) and find_spec("torch") is None:
        pytest.skip("torch is not installed")
    folder = tmp_path_factory.mktemp("demo")
    calls, run = folder / "calls", folder / "run"
    options = ["--writer", writer, "--network", network, "--epochs", EPOCHS, "--seed", SEED]
    with ThreadPoolExecutor(2) as both:
        recording = both.submit(python, "tests.support.record_demo", calls, network, EPOCHS, SEED)
        output = python("tbasync", "demo", *options, "--log-dir", run, deprecated=writer == "torch")
        recording.result()
    with tensorboard(run, fast=fast) as board:
        board.wait_for(lambda: board.scalars("hparams", "final/test_accuracy"))  # logged last, read last
        yield Shown(writer, recorded(calls), output, run, board)

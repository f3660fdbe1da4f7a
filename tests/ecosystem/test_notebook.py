"""In a notebook: TensorBoard's magics show tbasync's runs, and follow them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from .support import needs, python

pytestmark = [pytest.mark.slow, pytest.mark.ecosystem]


def test_load_ext_tensorboard(tmp_path: Path) -> None:
    """`%tensorboard` opens the run while it is written, in a frame of the notebook, and sees what comes later."""
    needs("nbclient", "ipykernel")
    # Nothing of the user's configuration, and nothing left behind in their home.
    settings = {
        name: str(tmp_path / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")
    }
    printed = python("-m", "tests.ecosystem.notebook", within=tmp_path, **settings)
    answer = json.loads(printed.splitlines()[-1])
    expected = [[step, float(np.float32(1 / (step + 1)))] for step in range(8)]
    assert answer["before"] == expected[:5]
    assert answer["after"] == expected
    assert answer["frame"], "the frame does not point to TensorBoard's port"
    assert answer["table"].startswith("<table><tr><th>pushed</th>")

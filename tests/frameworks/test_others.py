"""TensorFlow's tensors, and whatever speaks DLPack or `__array__` and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync

from ..support.plain_reader import scalars, summaries


class OnlyDLPack:
    """An array of a library that nobody has heard of."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class OnlyArray:
    """The same with `__array__`."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array

    def __array__(self, dtype: Any = None) -> Any:  # as in numpy 1: without `copy`
        return self._array if dtype is None else self._array.astype(dtype)


@pytest.mark.parametrize("kind", [OnlyDLPack, OnlyArray])
def test_protocols(tmp_path: Path, kind: Any) -> None:
    """What speaks one of them is an array, copied at the call."""
    values = np.arange(1000.0)
    with tbasync.SummaryWriter(tmp_path) as writer:
        writer.add_histogram("h", kind(values), 1)
        writer.add_scalar("x", kind(np.float64([2.5])), 1)
        values[:] = -1
    histogram = summaries(tmp_path)["h"][0][1].histo
    assert (histogram.num, histogram.min, histogram.max) == (1000, 0, 999)
    assert scalars(tmp_path)["x"][0].value == 2.5


def test_a_dlpack_device_without_torch_is_refused(tmp_path: Path) -> None:
    """It can be read through torch only; the error says so where torch is not imported."""
    import sys

    class Elsewhere(OnlyDLPack):
        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 0)  # kDLCUDA

    if "torch" in sys.modules:
        pytest.skip("torch is imported")
    with tbasync.SummaryWriter(tmp_path) as writer, pytest.raises(TypeError, match="import torch"):
        writer.add_histogram("h", Elsewhere(np.zeros(3)), 1)


def test_tensorflow(tmp_path: Path) -> None:
    """Eager tensors and variables equal the same numpy arrays; a symbolic tensor is refused."""
    tf: Any = pytest.importorskip("tensorflow")
    values = tf.linspace(0.0, 1.0, 1000)
    for name, convert in (("tf", lambda x: x), ("numpy", lambda x: x.numpy())):
        with tbasync.SummaryWriter(tmp_path / name) as writer:
            writer.add_scalar("scalar", convert(values[3]), 1)
            writer.log_metrics({"a": convert(values[1]), "b": convert(tf.Variable(0.5))}, 1)
            writer.add_histogram("h", convert(values), 1)
            writer.add_pr_curve("pr", convert(values > 0.3), convert(values), 1)
    assert summaries(tmp_path / "tf") == summaries(tmp_path / "numpy")
    writer = tbasync.SummaryWriter(tmp_path / "variable")
    variable = tf.Variable(tf.ones(1000))
    writer.add_histogram("h", variable, 1)
    variable.assign(tf.zeros(1000))

    @tf.function
    def step(x: Any) -> Any:
        with pytest.raises(TypeError, match=r"outside of tf\.function"):
            writer.add_scalar("x", x, 1)
        return x

    step(tf.constant(1.0))
    writer.close()
    assert summaries(tmp_path / "variable")["h"][0][1].histo.min == 1

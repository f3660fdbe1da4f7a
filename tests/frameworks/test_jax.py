"""JAX arrays are kept by reference and fetched by the writer thread; what has no value here is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync

from ..support.held import Gate
from ..support.plain_reader import scalars, summaries

# Two devices out of one CPU; set before the devices are made.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
jax: Any = pytest.importorskip("jax")
jnp: Any = pytest.importorskip("jax.numpy")


def test_values_equal_numpys(tmp_path: Path) -> None:
    """Scalars, metrics, histograms and curves, in JAX's own types too, equal those of the same numpy arrays."""
    values = jnp.linspace(0, 1, 1000)
    logged = {"jax": lambda x: x, "numpy": np.asarray}
    for name, convert in logged.items():
        with tbasync.SummaryWriter(tmp_path / name) as writer:
            writer.add_scalar("scalar", convert(values[3]), 1)
            writer.log_metrics({"a": convert(values[1]), "b": convert(jnp.bfloat16(0.5)), "c": 2}, 1)
            writer.add_histogram("histogram", convert(values), 1)
            writer.add_histogram("half", convert(values.astype(jnp.bfloat16)), 1)
            writer.add_pr_curve("pr", convert(values > 0.3), convert(values), 1)
            writer.add_image("image", convert(values[:300].reshape(3, 10, 10)), 1)
            writer.add_tensor("tensor", convert(values), 1)
    assert summaries(tmp_path / "jax") == summaries(tmp_path / "numpy")


def test_a_push_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The array is converted on the writer thread; the call has only begun its journey to the host."""
    fetched: list[str] = []
    array_type = type(jnp.zeros(()))
    begin = array_type.copy_to_host_async
    monkeypatch.setattr(array_type, "copy_to_host_async", lambda self: fetched.append("begun") or begin(self))
    writer = tbasync.SummaryWriter(tmp_path)
    with Gate(writer):
        writer.add_histogram("h", jnp.arange(1000.0), 1)
        assert fetched == ["begun"]
    writer.close()
    assert summaries(tmp_path)["h"][0][1].histo.num == 1000


def test_a_donated_array_is_told_of(tmp_path: Path) -> None:
    """A buffer that is given away to a computation is no longer there: that one value is lost, with a reason."""
    values = jnp.arange(1000.0)
    told: list[Exception] = []
    writer = tbasync.SummaryWriter(tmp_path, on_error=told.append)
    with Gate(writer):
        writer.add_histogram("h", values, 1)
        values.delete()
        writer.add_scalar("x", 1.0, 1)
    writer.close()
    assert len(told) == 1
    assert "deleted" in str(told[0])
    assert scalars(tmp_path)["x"][0].value == 1.0


def test_a_traced_value_is_refused(tmp_path: Path) -> None:
    """Within `jit` there is no value: the error names the way out."""
    with tbasync.SummaryWriter(tmp_path) as writer:

        @jax.jit
        def step(x: Any) -> Any:
            with pytest.raises(TypeError, match=r"jax\.debug\.callback"):
                writer.add_scalar("x", x, 1)
            jax.debug.callback(lambda value: writer.add_scalar("x", value, 1), x)
            return x * 2

        step(jnp.float32(3)).block_until_ready()
        jax.effects_barrier()
    assert [point.value for point in scalars(tmp_path)["x"]] == [3.0]


def test_a_sharded_array_is_gathered(tmp_path: Path) -> None:
    """All shards lie in this process: the whole array is logged."""
    if len(jax.devices()) < 2:
        pytest.skip("JAX was started with one device")
    mesh = jax.make_mesh((2,), ("x",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    values = jax.device_put(jnp.arange(1000.0), sharding)
    assert len(values.sharding.device_set) == 2
    with tbasync.SummaryWriter(tmp_path) as writer:
        writer.add_histogram("h", values, 1)
    histogram = summaries(tmp_path)["h"][0][1].histo
    assert (histogram.num, histogram.min, histogram.max) == (1000, 0, 999)

"""Mesh summaries."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tbasync.encode.mesh import check_mesh, mesh, mesh_config
from tbasync.proto import Summary
from tbasync.proto.mesh import MeshPluginData

_CONFIGS = st.one_of(
    st.none(),
    st.dictionaries(st.text(max_size=5), st.recursive(st.integers() | st.text(), st.lists), max_size=4),
)


@st.composite
def _meshes(draw: st.DrawFn) -> dict[str, Any]:
    batch, points, triangles = (draw(st.integers(0, 3)) for _ in range(3))

    def array(dtypes: list[str], count: int) -> np.ndarray[Any, Any]:
        return draw(hnp.arrays(np.dtype(draw(st.sampled_from(dtypes))), (batch, count, 3)))

    return {
        "vertices": array(["float32", "float64", "float16", "int32"], points),
        "colors": draw(st.none()) if draw(st.booleans()) else array(["uint8", "int64", "float32"], points),
        "faces": draw(st.none()) if draw(st.booleans()) else array(["int32", "uint8", "float64"], triangles),
    }


@given(parts=_meshes(), config=_CONFIGS)
def test_equals_torch(torch_summary: Any, parts: dict[str, Any], config: Any) -> None:
    """Any mesh, with or without colours and faces, gives the bytes of torch's message."""
    check_mesh(**parts)
    theirs = torch_summary.mesh("a/b", config_dict=config, **parts)
    assert mesh("a/b", json_config=mesh_config(config), **parts).summary == theirs.SerializeToString()


def test_values_of_tensorboardx_are_the_same(tensorboardx_summary: Any) -> None:
    """tensorboardX writes the same tensors; its tags end in numbers and it omits the list of components."""
    vertices = np.linspace(-1, 1, 24, dtype=np.float32).reshape(1, 8, 3)
    theirs = Summary.FromString(tensorboardx_summary.mesh("m", vertices, vertices, None).SerializeToString())
    ours = Summary.FromString(mesh("m", vertices, vertices).summary)
    assert [value.tensor for value in ours.value] == [value.tensor for value in theirs.value]
    assert [value.tag for value in theirs.value] == ["m_1", "m_3"]
    assert [value.tag for value in ours.value] == ["m_VERTEX", "m_COLOR"]


def test_tensorboard_reads_the_metadata() -> None:
    """TensorBoard's plugin finds name, parts, shape and configuration."""
    metadata = pytest.importorskip("tensorboard.plugins.mesh.metadata")
    vertices, faces = np.zeros((2, 5, 3), np.float32), np.zeros((2, 4, 3), np.int32)
    config = {"camera": {"cls": "PerspectiveCamera"}}
    values = Summary.FromString(mesh("m", vertices, None, faces, mesh_config(config)).summary).value
    for value, kind, shape in zip(values, (1, 2), ([2, 5, 3], [2, 4, 3]), strict=True):
        read = metadata.parse_plugin_metadata(value.metadata.plugin_data.content)
        assert (read.name, read.content_type, list(read.shape)) == ("m", kind, shape)
        assert read.components == 1 << MeshPluginData.VERTEX | 1 << MeshPluginData.FACE
        assert json.loads(read.json_config) == config


def test_values_beyond_float32_become_infinite() -> None:
    """A float64 beyond float32's range is infinite, silently, as protobuf makes it."""
    value = Summary.FromString(mesh("m", np.full((1, 1, 3), -1e300)).summary).value[0]
    assert list(value.tensor.float_val) == [float("-inf")] * 3


_POINTS = np.zeros((1, 4, 3), np.float32)


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (
            {"vertices": _POINTS[0]},
            ValueError,
            r"vertices has shape \(4, 3\); accepted is \(batch, count, 3\)",
        ),
        ({"vertices": _POINTS[:, :, :2]}, ValueError, r"vertices has shape \(1, 4, 2\)"),
        ({"vertices": _POINTS.astype(complex)}, TypeError, "vertices has elements of type complex128"),
        ({"vertices": _POINTS, "faces": np.zeros((1, 4, 4))}, ValueError, r"faces has shape \(1, 4, 4\)"),
        (
            {"vertices": _POINTS, "faces": np.zeros((2, 4, 3))},
            ValueError,
            "faces has a batch of 2, vertices of 1",
        ),
        (
            {"vertices": _POINTS, "colors": np.zeros((1, 5, 3))},
            ValueError,
            "colors has 5 rows for 4 vertices",
        ),
    ],
)
def test_check_names_what_is_wrong(parts: Any, error: type[Exception], message: str) -> None:
    """Arrays that fit neither the form nor each other are refused by name."""
    with pytest.raises(error, match=message):
        check_mesh(**parts)


def test_config_is_checked_and_frozen() -> None:
    """What JSON cannot hold is refused at once, and later changes to the dict do not matter."""
    assert mesh_config(None) == "{}"
    config = {"b": [1], "a": 2}
    frozen = mesh_config(config)
    config["b"].append(3)  # type: ignore[attr-defined]
    assert frozen == '{"a": 2, "b": [1]}'
    with pytest.raises(TypeError, match="config_dict must be a dict, not list"):
        mesh_config([])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="config_dict must hold what JSON can"):
        mesh_config({"x": object()})

"""Meshes and point clouds: vertices, and if given their triangles and colours, for three.js to draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..proto import DataType
from ..proto.mesh import MeshPluginData
from .result import Encoded
from .shaped import Shaped
from .tensor_value import FLOAT_VAL, array_bytes, packed, tensor_value


def check_mesh(
    vertices: Shaped,
    colors: Shaped | None = None,
    faces: Shaped | None = None,
) -> None:
    """Raises ValueError unless every array has the shape (batch, count, 3), with one batch size.

    Colours must be as many as vertices.
    """
    arrays = {"vertices": vertices, "colors": colors, "faces": faces}
    for name, array in arrays.items():
        if array is None:
            continue
        if array.ndim != 3 or array.shape[2] != 3:
            raise ValueError(f"{name} has shape {array.shape}; accepted is (batch, count, 3)")
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} has elements of type {array.dtype}; accepted are real numbers")
        if array.shape[0] != vertices.shape[0]:
            raise ValueError(
                f"{name} has a batch of {array.shape[0]}, vertices of {vertices.shape[0]}; they must agree"
            )
    if colors is not None and colors.shape[1] != vertices.shape[1]:
        raise ValueError(
            f"colors has {colors.shape[1]} rows for {vertices.shape[1]} vertices; each vertex has one colour"
        )


def mesh_config(config_dict: Mapping[str, Any] | None) -> str:
    """`config_dict`, settings of the three.js scene, as the JSON text that `mesh` takes.

    Run by the caller, since the dict may change later.

    Raises:
        TypeError: if it is no dict or holds what JSON cannot.
    """
    if config_dict is None:
        return "{}"
    if not isinstance(config_dict, Mapping):
        raise TypeError(f"config_dict must be a dict, not {type(config_dict).__name__}")
    try:
        return json.dumps(config_dict, sort_keys=True)
    except TypeError as error:
        raise TypeError(f"config_dict must hold what JSON can: {error}") from error


def mesh(
    tag: str,
    vertices: npt.NDArray[Any],
    colors: npt.NDArray[Any] | None = None,
    faces: npt.NDArray[Any] | None = None,
    json_config: str = "{}",
) -> Encoded:
    """One summary of up to three values, tagged `tag` + "_VERTEX", "_FACE" and "_COLOR".

    Args:
        tag: the mesh's name.
        vertices: (batch, vertices, 3), any real type; coordinates, best within [-1, 1].
        colors: (batch, vertices, 3), 0 to 255.
        faces: (batch, triangles, 3), indices into the vertices.
        json_config: from `mesh_config`.
    """
    given = [
        (array, kind)
        for array, kind in (
            (vertices, MeshPluginData.VERTEX),
            (faces, MeshPluginData.FACE),
            (colors, MeshPluginData.COLOR),
        )
        if array is not None
    ]
    components = sum(1 << kind for _, kind in given)
    pieces: list[bytes] = []
    for array, kind in given:
        content = MeshPluginData(
            version=0,
            name=tag,
            content_type=kind,
            components=components,
            shape=array.shape,
            json_config=json_config,
        )
        pieces += tensor_value(
            f"{tag}_{MeshPluginData.ContentType.Name(kind)}",
            "mesh",
            dtype=DataType.DT_FLOAT,
            shape=array.shape,
            elements=packed(FLOAT_VAL, array_bytes(np.asarray(array), "<f4")),
            content=content.SerializeToString(),
        )
    return Encoded(b"".join(pieces))

"""Texts, tensors, meshes, embeddings, and the layout of custom charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..encode.embedding import check_embedding, embedding
from ..encode.labels import freeze_labels
from ..encode.layout import check_chart_tags, check_layout, custom_scalars
from ..encode.mesh import check_mesh, mesh, mesh_config
from ..encode.projector import EmbeddingEntry, ProjectorList
from ..encode.result import Encoded
from ..encode.tensor import check_tensor, tensor
from ..encode.text import check_text, text
from ..pipeline.freeze import check_tag, freeze_array, freeze_optional
from .base import Pushing


def _embedding(_: str, listed: ProjectorList, entry: EmbeddingEntry, *parts: Any) -> Encoded:
    return embedding(entry, *parts, listed=listed)


def _custom_scalars(_: str, layout: Mapping[str, Any]) -> Encoded:
    return custom_scalars(layout)


class StructureMethods(Pushing):
    """`add_text`, `add_tensor`, `add_mesh`, `add_embedding`, `add_custom_scalars…`."""

    _embeddings: ProjectorList

    def add_text(
        self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Logs a text, shown as Markdown.

        Args:
            tag: the series' name; "/text_summary" is appended, as torch does.
            text_string: the text.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        check_text(text_string)
        self._push(tag, global_step, walltime, text, (text_string,))

    def add_tensor(
        self,
        tag: str,
        tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        *,
        copy: bool = True,
    ) -> None:
        """Logs a tensor as it is, for tools that read event files.

        Args:
            tag: the series' name.
            tensor: an array or tensor of any shape, of less than 2 GiB.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.
            copy: False hands `tensor` over: it is not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        dtype = str(getattr(tensor, "dtype", "")).removeprefix("torch.")
        array = freeze_array(tensor, "tensor", copy)
        name = dtype if dtype == "bfloat16" else array.dtype.name
        check_tensor(name, array.nbytes)
        self._push(tag, global_step, walltime, _tensor, (array, name))

    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: Mapping[str, Any] | None = None,
        global_step: Any = None,
        walltime: float | None = None,
        *,
        copy: bool = True,
    ) -> None:
        """Logs a 3-D mesh or a cloud of points.

        Args:
            tag: the series' name.
            vertices: shape (batch, vertices, 3), coordinates.
            colors: shape (batch, vertices, 3), 0 to 255.
            faces: shape (batch, faces, 3), each the numbers of three vertices; None for a cloud.
            config_dict: names and settings of three.js classes.
            global_step: an integer of 64 bits, or None for 0.
            walltime: seconds since the epoch; None is now.
            copy: False hands the arrays over: they are not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        points = freeze_array(vertices, "vertices", copy)
        painted = freeze_optional(colors, "colors", copy)
        triangles = freeze_optional(faces, "faces", copy)
        check_mesh(points, painted, triangles)
        arguments = (points, painted, triangles, mesh_config(config_dict))
        self._push(tag, global_step, walltime, mesh, arguments)

    def add_embedding(
        self,
        mat: Any,
        metadata: Iterable[Any] | None = None,
        label_img: Any = None,
        global_step: Any = None,
        tag: str = "default",
        metadata_header: Iterable[Any] | None = None,
        *,
        copy: bool = True,
    ) -> None:
        """Logs points for the Projector.

        Args:
            mat: shape (points, dimensions).
            metadata: a label for each point; with `metadata_header` a row of labels for each, in any iterables.
                Written as `str` prints them.
            label_img: shape (points, channels, height, width), a picture for each point, 0 to 1, or 0 to 255
                in uint8.
            global_step: an integer of 64 bits, or None for 0; a part of the embedding's name.
            tag: the embedding's name.
            metadata_header: the names of the columns of `metadata`.
            copy: False hands the arrays over: they are not copied, and must not be changed after the call.

        Raises:
            TypeError, ValueError: an argument is not as above.
        """
        check_tag(tag)
        points = freeze_array(mat, "mat", copy)
        images = freeze_optional(label_img, "label_img", copy)
        labels = freeze_labels(metadata, metadata_header)
        step, _ = self._moment(global_step, None)
        thumbnail = None if images is None or images.ndim != 4 else (images.shape[3], images.shape[2])
        entry = EmbeddingEntry(tag, step, labels is not None, thumbnail)
        parts = (points, labels, images)
        check_embedding(entry, *parts)
        self._push(tag, step, None, _embedding, (self._embeddings, entry, *parts))

    def add_custom_scalars(self, layout: Mapping[str, Any]) -> None:
        """Lays out the Custom Scalars dashboard; the last layout of a run counts.

        Args:
            layout: category -> chart's title -> [kind, tags], where the kind is "Multiline" (tags are regular
                expressions) or "Margin" (tags are value, lower and upper).

        Raises:
            TypeError, ValueError: `layout` is not as above.
        """
        check_layout(layout)
        frozen = {
            category: {title: (kind, list(tags)) for title, (kind, tags) in charts.items()}
            for category, charts in layout.items()
        }
        self._push("custom_scalars", None, None, _custom_scalars, (frozen,))

    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Lays out one chart with a line for each series that one of `tags`, regular expressions, matches."""
        check_chart_tags(tags, margin=False)
        self.add_custom_scalars({category: {title: ["Multiline", list(tags)]}})

    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Lays out one chart of a line and the band around it; `tags` are value, lower and upper."""
        check_chart_tags(tags, margin=True)
        self.add_custom_scalars({category: {title: ["Margin", list(tags)]}})


def _tensor(tag: str, array: Any, dtype: str) -> Encoded:
    return tensor(tag, array, dtype)

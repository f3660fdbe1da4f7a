"""projector_config.pbtxt: the list of a run's embeddings, by which the Projector finds their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf import text_format

from ..proto.projector import EmbeddingInfo, ProjectorConfig, SpriteMetadata

CONFIG = "projector_config.pbtxt"


@dataclass(frozen=True)
class EmbeddingEntry:
    """What projector_config.pbtxt says of one embedding.

    Attributes:
        tag: the embedding's name.
        step: the global step, a part of its directory's name.
        has_metadata: whether there is a metadata.tsv.
        thumbnail: width and height of one image of the sprite, in pixels; None without a sprite.
    """

    tag: str
    step: int
    has_metadata: bool = False
    thumbnail: tuple[int, int] | None = None

    @property
    def directory(self) -> str:
        """The embedding's directory, relative to the run's, with the tag's % / and \\ escaped."""
        name = self.tag.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
        return f"{str(self.step).zfill(5)}/{name}"

    def text(self) -> bytes:
        """Its part of the list, as protobuf prints it."""
        info = EmbeddingInfo(
            tensor_name=f"{self.tag}:{str(self.step).zfill(5)}", tensor_path=f"{self.directory}/tensors.tsv"
        )
        if self.has_metadata:
            info.metadata_path = f"{self.directory}/metadata.tsv"
        if self.thumbnail is not None:
            path = f"{self.directory}/sprite.png"
            info.sprite.CopyFrom(SpriteMetadata(image_path=path, single_image_dim=self.thumbnail))
        return _printed(info)


class ProjectorList:
    """A run's list as one writer knows it: its own embeddings, in the order in which they were written.

    What stood there when the writer was made is of an earlier one, and no part of it: torch's writer starts the
    list anew, too. What has come since is of a copy of this writer, in another process perhaps, and stays.

    Used by the writer thread alone.
    """

    def __init__(self, before: object = None) -> None:
        """An empty list.

        Args:
            before: the version of the file that is there already and does not count; None counts any.
        """
        self._before = before
        self._own = b""

    def copy(self) -> ProjectorList:
        """What a copy of the writer begins with."""
        twin = ProjectorList(self._before)
        twin._own = self._own
        return twin

    def extended(self, addition: bytes, found: bytes, version: object) -> bytes:
        """The file with one more embedding.

        Args:
            addition: the embedding's `EmbeddingEntry.text()`.
            found: what is in the file; empty if there is none.
            version: of the file; None if there is none.
        """
        own = self._own
        if found in (own, b"") or (not own and version == self._before):
            return own + addition
        mine = set(_texts(own))
        return own + b"".join(text for text in _texts(found) if text not in mine) + addition

    def written(self, content: bytes) -> None:
        """Takes note of what is in the file now."""
        self._own = content


def _texts(content: bytes) -> Iterator[bytes]:
    """The parts of a list, one for each embedding; none of one that the Projector cannot read either."""
    try:
        config = text_format.Parse(content.decode(), ProjectorConfig())
    except (UnicodeDecodeError, text_format.ParseError):
        return iter(())
    return map(_printed, config.embeddings)


def _printed(info: EmbeddingInfo) -> bytes:
    return text_format.MessageToString(ProjectorConfig(embeddings=[info])).encode()

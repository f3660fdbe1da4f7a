"""The embeddings that a run lists already, so that a writer which takes it over lists them too."""

from __future__ import annotations

import os
from typing import Any

from ..encode.embedding import EmbeddingEntry

_CONFIG = "projector_config.pbtxt"


def listed(log_dir: str) -> list[EmbeddingEntry]:
    """What the projector's configuration in a run's directory lists; nothing if there is none.

    Raises:
        OSError: it cannot be read.
        google.protobuf.text_format.ParseError: it is no such configuration.
    """
    from google.protobuf import text_format

    from ..proto.projector import ProjectorConfig

    path = os.path.join(log_dir, _CONFIG)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        config = text_format.Parse(file.read(), ProjectorConfig())
    return [_entry(embedding) for embedding in config.embeddings]


def _entry(embedding: Any) -> EmbeddingEntry:
    # torch and tensorboardX name an embedding "<tag>:<step>".
    tag, _, step = embedding.tensor_name.rpartition(":")
    size = tuple(embedding.sprite.single_image_dim)
    return EmbeddingEntry(tag, int(step), bool(embedding.metadata_path), (size[0], size[1]) if size else None)

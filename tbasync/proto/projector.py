"""The embedding projector's configuration."""

from ._descriptors import PACKAGES

globals().update(PACKAGES["tbasync.projector"])

__all__ = sorted(PACKAGES["tbasync.projector"])

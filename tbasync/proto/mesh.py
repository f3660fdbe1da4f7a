"""What TensorBoard's mesh plugin needs to know of a tensor."""

from ._descriptors import PACKAGES

globals().update(PACKAGES["tbasync.mesh"])

__all__ = sorted(PACKAGES["tbasync.mesh"])

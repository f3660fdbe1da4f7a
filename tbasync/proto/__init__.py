"""The schemas of event files, wire-compatible with TensorBoard's, in a protobuf package of their own.

What is `tensorboard.X` there is `tbasync.proto.X` here; the packages `tensorboard.hparams`, `.mesh` and
`.projector` are the modules of those names. Field numbers and types are TensorBoard's, so bytes of one
parse as the other, and both live in one process. The types stand in `__init__.pyi` beside this file.
"""

from . import hparams as hparams
from . import mesh as mesh
from . import projector as projector
from ._descriptors import PACKAGES

globals().update(PACKAGES["tbasync"])

__all__ = sorted([*PACKAGES["tbasync"], "hparams", "mesh", "projector"])

"""tbasync: asynchronous TensorBoard event logging that stays off the training step's critical path."""

from ._version import __version__

__all__ = ["__version__"]

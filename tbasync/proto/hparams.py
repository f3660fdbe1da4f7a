"""TensorBoard's hyperparameters: what an experiment varies and measures, and each session's values."""

from ._descriptors import PACKAGES

globals().update(PACKAGES["tbasync.hparams"])

__all__ = sorted(PACKAGES["tbasync.hparams"])

"""tbasync: asynchronous TensorBoard event logging that stays off the training step's critical path."""

from . import hparams, summary
from ._version import __version__
from .encode.accumulator import Histogram
from .errors import LoggingError, QueueFullError, TbasyncError, TbasyncWarning, WriterStalledError
from .files.reader import read
from .global_writer import GlobalSummaryWriter
from .pipeline.stats import Stats
from .wrap import install, uninstall, wrap
from .writer import SummaryWriter

__all__ = [
    "GlobalSummaryWriter",
    "Histogram",
    "LoggingError",
    "QueueFullError",
    "Stats",
    "SummaryWriter",
    "TbasyncError",
    "TbasyncWarning",
    "WriterStalledError",
    "__version__",
    "hparams",
    "install",
    "read",
    "summary",
    "uninstall",
    "wrap",
]

"""The demo: a small network trained on real digits, everything logged, and what that cost.

data.py          the digits, split
network.py       what the loop asks of a network; torch_network.py and numpy_network.py answer it
what_to_log.py   every call on the writer, in one place
writers.py       whose writer
train.py         the loop
progress.py, report.py   what is shown meanwhile and afterwards
"""

from __future__ import annotations

from .errors import MissingPackage
from .run import Options, run

__all__ = ["MissingPackage", "Options", "run"]

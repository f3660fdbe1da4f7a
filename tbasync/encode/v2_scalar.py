"""Scalars as `tf.summary.scalar` writes them: a float32 tensor without dimensions.

The number's four bytes come last, so that thousands of them are encoded by column (`wire/scalars.py`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..proto import DataType
from ..wire.scalars import float32
from .result import Encoded
from .v2_value import content, metadata, summary

_NUMBER = 4  # bytes of a float32


@lru_cache(maxsize=16_384)
def v2_scalar_series(tag: str, description: str | None = None) -> bytes:
    """The Summary of any number of this series, up to its last four bytes, which are the float32.

    Args:
        tag: the series' name.
        description: Markdown, shown with the chart.

    Raises:
        UnicodeEncodeError: one of them holds a lone surrogate.
    """
    elements = content([bytes(_NUMBER)])
    whole = b"".join(summary(tag, metadata("scalars", description), DataType.DT_FLOAT, (), elements))
    return whole[:-_NUMBER]


def v2_scalar(tag: str, value: float | NDArray[Any], description: str | None = None) -> Encoded:
    """One number, or an array of one; beyond float32 it is infinite."""
    return Encoded(v2_scalar_series(tag, description) + float32(np.asarray(value).item()))

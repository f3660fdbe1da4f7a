"""All questions, by name, in the order in which a process answers them.

Memory first: what a process has allocated for one question it keeps for the next. torch, which the training
loop needs, is imported last, so that it burdens no writer but its own.
"""

from __future__ import annotations

from . import cpu, flush, gap, kinds, latency, media, metrics, steps
from .unit import Unit

UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        cpu.UNIT,
        latency.UNIT,
        metrics.UNIT,
        flush.UNIT,
        gap.UNIT,
        kinds.UNIT,
        media.UNIT,
        steps.UNIT,
    )
}

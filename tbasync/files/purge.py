"""What TensorBoard hides of a run that was restarted.

The rules are those of TensorBoard's EventAccumulator. From a file version of 2 on, an event that says that
a session starts, at step s, hides every earlier value of step s and above: such an event is what `purge_step`
writes. In older files, an event whose step is below the highest so far hides the earlier values of its own
tags from that step on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..wire.decode import FILE_VERSION, SESSION_LOG, SUMMARY, Event, is_session_start

_HIGHEST = np.iinfo(np.int64).max


@dataclass(slots=True)
class History:
    """What decides which values are hidden, gathered in the order of the run's records.

    Attributes:
        versions: record number and file version, of every event that states one; it is 0 before.
        starts: record number and step of every session start under version 2.
        old: record number and step of the events under an older version, and whether they hold a summary.
        old_summaries: record numbers and steps of further such events, which do: int64[n] each.
        bare: number of the tag -> record number and step of what an old version's events name without a value,
            as a series that is reset is named.
    """

    versions: list[tuple[int, float]] = field(default_factory=lambda: [(-1, 0.0)])
    starts: list[tuple[int, int]] = field(default_factory=list)
    old: list[tuple[int, int, bool]] = field(default_factory=list)
    old_summaries: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = field(default_factory=list)
    bare: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def goes_by_steps(self) -> bool:
        """Whether the events noted now are of an old version."""
        return self.versions[-1][1] < 2

    def note(self, record: int, event: Event) -> None:
        """Take account of the event that is the run's record of this number."""
        if event.what == FILE_VERSION:
            self.versions.append((record, _version(event.body)))
        if self.goes_by_steps:
            self.old.append((record, event.step, event.what == SUMMARY))
        elif event.what == SESSION_LOG and is_session_start(event.body):
            self.starts.append((record, event.step))

    def note_bare(self, record: int, tag: int, step: int) -> None:
        """Take account of a tag without a value in a record that goes by steps."""
        named = self.bare.setdefault(tag, [])
        if not named or named[-1][0] != record:  # an event may name a tag a million times
            named.append((record, step))

    def note_summaries(self, records: NDArray[np.int64], steps: NDArray[np.int64]) -> None:
        """Take account of events that hold summaries; int64[n] each, the records ascending.

        All events that state a version and stand before the last of them must have been noted.
        """
        stated, versions = np.array([at for at, _ in self.versions]), np.array([v for _, v in self.versions])
        old = versions[np.searchsorted(stated, records, side="right") - 1] < 2
        if old.any():
            self.old_summaries.append((records[old], steps[old]))

    def visible(
        self, tags: NDArray[np.int64], records: NDArray[np.int64], steps: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """bool[n]: which values are not hidden, given the number of each one's tag, its record and its step.

        Args:
            tags: ascending; and of equal ones, the records are.
        """
        shown = np.ones(len(steps), bool)
        if self.starts:
            shown &= _visible(records, steps, *np.array(self.starts, np.int64).T)
        late = self._late_records()
        if late.size:
            edges = np.flatnonzero(np.diff(tags)) + 1
            for part in np.split(np.arange(len(tags)), edges):
                hiding = part[np.isin(records[part], late)]
                own = np.stack([records[hiding], steps[hiding]])
                named = self._bare_of(int(tags[part[0]]) if len(part) else 0, late)
                both = np.concatenate([own, named], axis=1)
                both = both[:, np.argsort(both[0], kind="stable")]
                shown[part] &= _visible(records[part], steps[part], *both)
        return shown

    def _bare_of(self, tag: int, late: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[2, n]: the records that hide values of the tag and hold none themselves, and their steps."""
        named = np.array(self.bare.get(tag, ()), np.int64).reshape(-1, 2).T
        return named[:, np.isin(named[0], late)]

    def _late_records(self) -> NDArray[np.int64]:
        """The records, under an old version, of summaries whose step is below the highest so far."""
        single = np.array(self.old, np.int64).reshape(-1, 3).T
        many = [np.stack([records, steps, np.ones_like(steps)]) for records, steps in self.old_summaries]
        events = np.concatenate([single, *many], axis=1)
        columns = events[:, np.argsort(events[0], kind="stable")].tolist()
        late, highest = list[int](), -1
        for record, step, is_summary in zip(*columns, strict=True):
            if is_summary and step < highest:
                late.append(record)
            else:
                highest = step
        return np.array(late, np.int64)


def _visible(
    records: NDArray[np.int64],
    steps: NDArray[np.int64],
    hiding_records: NDArray[np.int64],
    hiding_steps: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which values no later record hides; each hiding record, ascending, hides those from its step on."""
    lowest = np.append(np.minimum.accumulate(hiding_steps[::-1])[::-1], _HIGHEST)
    later = np.searchsorted(hiding_records, records, side="right")
    visible: NDArray[np.bool_] = (steps < lowest[later]) | (later == len(hiding_records))
    return visible


def _version(text: Sequence[int] | bytes) -> float:
    """The number in "brain.Event:2"; -1 if there is none."""
    try:
        return float(bytes(text).decode().rpartition("brain.Event:")[2])
    except ValueError:
        return -1.0

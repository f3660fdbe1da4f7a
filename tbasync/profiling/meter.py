"""Times calls on the threads that make them, at a cost that is measured too and left out of the account."""

from __future__ import annotations

import functools
import os
import sys
import threading
from array import array
from collections.abc import Callable
from time import perf_counter_ns
from types import CodeType, FrameType
from typing import Any, TypeAlias

from .sample import Sample

Site: TypeAlias = "tuple[str, CodeType, int]"  # method, caller's code, offset of the call in it


class Entry:
    """The calls of one method on one thread.

    Attributes:
        durations: nanoseconds of each call.
        nbytes: bytes of event records that they made.
        syncs: how often they waited for a device.
        overridden: how many were of a user's subclass, which overrides the method.
        own: nanoseconds that those spent in the subclass itself.
        within: package's own method -> how often those called it.
    """

    def __init__(self) -> None:
        self.durations = array("q")
        self.nbytes = 0
        self.syncs = 0
        self.overridden = self.own = 0
        self.within: dict[str, int] = {}

    def note_overridden(self, within: list[tuple[str, int]]) -> None:
        """Has the latest call be one of a user's subclass, which called `within`, with their nanoseconds."""
        self.overridden += 1
        self.own += max(0, self.durations[-1] - sum(spent for _, spent in within))
        for called, _ in within:
            self.within[called] = self.within.get(called, 0) + 1


class ThreadRecord:
    """What one thread has done; no other thread writes to it.

    Attributes:
        is_main: whether it is the main thread's.
        logging: logging method -> its calls.
        reads: method that reads a tensor's values, called outside of logging -> its calls.
        sites: place of a call -> count, total and maximum of its nanoseconds.
        overhead: nanoseconds that the measuring itself has cost.
        first, last: when the first logging call began and the last one ended (`perf_counter_ns`).
    """

    def __init__(self) -> None:
        self.is_main = threading.current_thread() is threading.main_thread()
        self.logging: dict[str, Entry] = {}
        self.reads: dict[str, Entry] = {}
        self.sites: dict[Site, list[int]] = {}
        self.overhead = 0
        self.first = self.last = 0
        # Of the call under way: whether there is one, whether it is in a method of the package's own, what is to be
        # added to or left out of it, and what a subclass's method has called.
        self.busy = self.inside = self.reading = False
        self.nbytes = self.syncs = self.excluded = 0
        self.within: list[tuple[str, int]] = []

    def note(self, entries: dict[str, Entry], name: str, spent: int, frame: FrameType | None) -> Entry:
        """Enters a call that has ended, made from `frame`; None if the interpreter itself has made it."""
        entry = entries.get(name)
        if entry is None:
            entry = entries[name] = Entry()
        entry.durations.append(spent)
        if frame is None:
            return entry
        # The line number is worked out at the end: that takes longer than the rest of this together.
        site = (name, frame.f_code, frame.f_lasti)
        tally = self.sites.get(site)
        if tally is None:
            self.sites[site] = [1, spent, spent]
        else:
            tally[0] += 1
            tally[1] += spent
            tally[2] = max(tally[2], spent)
        return entry


class Meter:
    """Makes timed versions of functions, and holds what they measure.

    Attributes:
        threads: a record for each thread that has called one.
        sample: some of the logging calls, with their arguments.
        directory: the one that the process was in at first.
    """

    def __init__(self) -> None:
        self.threads: list[ThreadRecord] = []
        self.sample = Sample()
        self.directory = os.getcwd()
        self._local = threading.local()
        self._floor = _time_of_nothing()

    def record(self) -> ThreadRecord:
        """The calling thread's."""
        try:
            record: ThreadRecord = self._local.record
        except AttributeError:
            record = self._local.record = ThreadRecord()
            self.threads.append(record)
        return record

    def logging(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """`method` of a package, timed as a logging call; those that it makes in turn are part of it."""

        @functools.wraps(method)
        def timed(*arguments: Any, **options: Any) -> Any:
            record = self.record()
            if record.inside:
                return method(*arguments, **options)
            if record.busy:
                return self._within(record, name, method, arguments, options)
            return self._outermost(record, name, method, arguments, options, own=True)

        return timed

    def overriding(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """`method` of a user's subclass, in the place of a package's: a logging call, with all that it does."""

        @functools.wraps(method)
        def timed(*arguments: Any, **options: Any) -> Any:
            record = self.record()
            if record.busy:
                return method(*arguments, **options)
            return self._outermost(record, name, method, arguments, options, own=False)

        return timed

    def _outermost(
        self,
        record: ThreadRecord,
        name: str,
        method: Callable[..., Any],
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        *,
        own: bool,
    ) -> Any:
        """Calls for a timed version the method that it stands for; `own` if that is a package's, to be sampled."""
        entered = perf_counter_ns()
        if own:
            self.sample.offer(name, arguments[1:], options)  # without the writer itself
        record.busy, record.inside = True, own
        record.nbytes = record.syncs = record.excluded = 0
        record.within.clear()
        start = perf_counter_ns()
        try:
            return method(*arguments, **options)
        finally:
            end = perf_counter_ns()
            record.busy = record.inside = False
            entry = self._note(record, name, entered, start, end, sys._getframe(1).f_back)
            if not own:
                entry.note_overridden(record.within)

    def _within(
        self,
        record: ThreadRecord,
        name: str,
        method: Callable[..., Any],
        arguments: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Any:
        """Calls a package's own method for a subclass's, whose call is under way: sampled, and timed apart."""
        entered = perf_counter_ns()
        self.sample.offer(name, arguments[1:], options)
        record.inside = True
        excluded = record.excluded
        start = perf_counter_ns()
        try:
            return method(*arguments, **options)
        finally:
            end = perf_counter_ns()
            record.inside = False
            record.within.append((name, max(0, end - start - (record.excluded - excluded) - self._floor)))
            record.excluded += perf_counter_ns() - end + start - entered

    def _note(
        self, record: ThreadRecord, name: str, entered: int, start: int, end: int, frame: FrameType | None
    ) -> Entry:
        """Enters a logging call that has ended: begun to be measured at `entered`, made from `start` to `end`."""
        spent = max(0, end - start - record.excluded - self._floor)
        entry = record.note(record.logging, name, spent, frame)
        entry.nbytes += record.nbytes
        entry.syncs += record.syncs
        record.first = record.first or start
        record.last = end
        record.overhead += perf_counter_ns() - entered - spent
        return entry

    def leave_out(self, nanoseconds: int) -> None:
        """Has time that has passed in the call under way be no part of it."""
        self.record().excluded += nanoseconds

    def reading(
        self, name: str, method: Callable[..., Any], waits: Callable[[Any, Any], bool], only_waits: bool
    ) -> Callable[..., Any]:
        """`method` of a tensor that reads its values: timed outside of logging calls, counted within them.

        Args:
            name: for the table.
            method: takes the tensor first.
            waits: whether the call has waited for a device, by the tensor and the result.
            only_waits: whether a call that has not is none of our business.
        """

        @functools.wraps(method)
        def timed(tensor: Any, *arguments: Any, **options: Any) -> Any:
            record = self.record()
            if record.reading:
                return method(tensor, *arguments, **options)
            record.reading = True
            start = perf_counter_ns()
            try:
                result = method(tensor, *arguments, **options)
            finally:
                end = perf_counter_ns()
                record.reading = False
            waited = waits(tensor, result)
            if record.busy:
                record.syncs += waited
                record.excluded += perf_counter_ns() - end
                return result
            spent = max(0, end - start - self._floor)
            if waited or not only_waits:
                record.note(record.reads, name, spent, sys._getframe().f_back).syncs += waited
            record.overhead += perf_counter_ns() - start - spent
            return result

        return timed

    def sizing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """`add_event` of an event file writer, with the size of the record it makes noted."""

        @functools.wraps(method)
        def sized(writer: Any, event: Any, *arguments: Any, **options: Any) -> Any:
            record = self.record()
            start = perf_counter_ns()
            record.nbytes += event.ByteSize() + 16  # TFRecord: length, its CRC, and the data's CRC
            record.excluded += perf_counter_ns() - start
            return method(writer, event, *arguments, **options)

        return sized


def _time_of_nothing() -> int:
    """Nanoseconds between two readings of the clock with nothing but a call in between."""
    spans = []
    for _ in range(1000):
        start = perf_counter_ns()
        _nothing()
        spans.append(perf_counter_ns() - start)
    return sorted(spans)[len(spans) // 2]


def _nothing(*_: Any, **__: Any) -> None:
    pass

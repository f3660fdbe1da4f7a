"""The writer thread's work: take a piece of the queue, encode it, frame it, append it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice, repeat
from typing import Any, Protocol, cast

import numpy as np

from ..encode.bins import DEFAULT
from ..encode.histogram import histogram
from ..encode.result import Encoded
from ..encode.scalar import described_scalar, scalar_tensor
from ..encode.together import together
from ..encode.v2_scalar import v2_scalar
from ..rests import resting
from ..wire.event import SUMMARY, event
from ..wire.record import record
from ..wire.restart import hide_event, purge_events, reset_events
from ..wire.scalars import ScalarEncoder, Series, scalar_record, tag_of
from .beside import Beside
from .deferred import Deferred
from .device import prefetch
from .faults import Faults, describe
from .items import Barrier, EndRun, Events, Group, Item, Metrics, Scalar, Summary, Task, summaries_of
from .output import Output
from .queue import PushQueue
from .self_report import SelfReport

# Items taken at once. Below 500 elements numpy keeps the GIL from one end of a piece of scalars to the other: a loop
# that waits for it is held up once, for a fraction of a millisecond, and not at each of forty calls.
_PIECE = 320
# And that many while somebody waits for the thread to get on: numpy's fixed costs count then. Not before: against a
# loop that does nothing but push, each scalar that is encoded meanwhile is a push that has to wait.
_LONG_PIECE = 1920

# After this much work the thread sleeps for a moment. Releasing the GIL is not enough: the thread would
# have it again before a waiting one has woken, and that one waits out CPython's switch interval of 5 ms.
_WORK_SECONDS = 300e-6
_REST_SECONDS = 50e-6
# While a push waits for room, the loop is held up by every rest.
_AWAITED_WORK_SECONDS = 3e-3

# Records are written when the queue is empty, or after this long: the system call gives the GIL away too.
_WRITE_SECONDS = 0.02

# Scalars whose series `purge()` can hide in TensorBoard's data server, in each run: a job that makes up tags
# without end must not grow the memory of them without end.
_MOST_KNOWN_TAGS = 32_768
# Of these, looked at or hidden at a stretch: 0.2 ms of work.
_PIECE_OF_TAGS = 64


class Columns:
    """Scalars of one run on their way to the file: four columns, in the order of their pushes.

    The tags are of type `Series`; of a writer that reduces over ranks, which `tbasync.summary` does not take, str.
    """

    __slots__ = ("steps", "tags", "values", "wall_times")

    def __init__(self) -> None:
        self.tags: list[Any] = []
        self.values: list[float] = []
        self.steps: list[int] = []
        self.wall_times: list[float] = []

    def extend(self, scalars: Iterable[Scalar]) -> None:
        flat: list[Any] = []
        for scalar in scalars:  # half the cost of `zip(*scalars)`
            flat += scalar
        self.tags += flat[0::4]
        self.values += flat[1::4]
        self.steps += flat[2::4]
        self.wall_times += flat[3::4]

    def trim(self) -> None:
        """Makes the columns equally long again, should an `extend` have been cut short."""
        columns: tuple[list[Any], ...] = (self.tags, self.values, self.steps, self.wall_times)
        length = min(map(len, columns))
        for column in columns:
            del column[length:]

    def extend_metrics(self, item: Metrics) -> None:
        values: Iterable[Any] = item.values.values()
        if item.deferred:
            values = [v.resolve().item() if isinstance(v, Deferred) else v for v in values]
        self.values += values
        self.tags += item.values
        self.steps += repeat(item.step, item.summaries)
        self.wall_times += repeat(item.wall_time, item.summaries)


class Diversion(Protocol):
    """Takes scalars on the writer thread before they are encoded, to write them later, or other ones.

    Attributes:
        held: summaries that it has taken and that are not written yet.
    """

    @property
    def held(self) -> int: ...

    def scalars(self, run: str | None, columns: Columns) -> None:
        """Takes plain scalars of a run."""

    def summary(self, item: Summary) -> bool:
        """Takes a summary, if it is one for the diversion."""


class Worker:
    """Drains a queue into an output. One thread at a time runs it; the counters may be read by any.

    What it has taken is at any moment in the batch in hand, in the columns, or in the output; whatever stops
    it in between, `recover()` finds the rest. What it was busy with at that moment counts as lost.

    Attributes:
        taken: summaries taken from the queue.
        failed: summaries that could not be encoded.
        lost: summaries that were given up, or that it was busy with when it failed itself.
        nonfinite: NaN and infinite elements left out.
        cpu_seconds: CPU time of the thread that drains.
        beats: grows whenever something has been done.
        began: when the latest drain began (`time.perf_counter()`); before all time, should it have failed.
        left: whether it has left something, which is no older than that.
        diversion: what takes the scalars; None encodes them at once.
    """

    def __init__(
        self, queue: PushQueue, output: Output, faults: Faults, report: SelfReport | None = None
    ) -> None:
        self.taken = self.failed = self.lost = self.nonfinite = self.beats = 0
        self.cpu_seconds = self.began = 0.0
        self.left = False
        self.diversion: Diversion | None = None
        self._queue = queue
        self._output = output
        self._faults = faults
        self._report = report
        self._scalars = ScalarEncoder()
        self._columns: dict[str | None, Columns] = {}
        self._known: dict[str | None, set[Series]] = {}  # the scalars of each run that has not ended
        self._batch: Sequence[Scalar | Item] = ()
        self._items: list[Item] = []  # those of the batch that are no plain scalars
        self._place = 0  # how many items of the batch have been begun
        self._counted = True  # whether the batch is in `taken`
        self._last: Barrier | None = None  # what ends the worker, from when it is met until it is answered
        self._rested = self._wrote = self._cpu = 0.0

    def drain(self) -> Barrier | None:
        """Takes and writes until hardly anything waits; returns the barrier that ends the worker, once it is met.

        It does so again, without taking anything, until that barrier is answered.

        Returns early, with the rest in the queue, when writing fails; the output knows the error then.
        """
        with resting(self._rest_if_due):
            return self._drain()

    def _drain(self) -> Barrier | None:
        self.began = self._rested = time.perf_counter()
        self._cpu = time.thread_time()
        if self._last is not None and self._last.answered:
            self._last = None
        self._encode_gathered()  # what a failure has left
        self._write()
        if self._report is not None:
            self._report.look()
        due = len(self._queue.items)  # these have waited for their interval: none is left for the next
        more = due > 0
        while more and self._last is None and self._output.write_error is None:
            batch = self._take()
            due -= len(batch)
            self._piece(batch)
            more = self._queue.pressing(1 if due > 0 else _PIECE)
            if self._report is not None:
                self._log_report_if_due()
            if self._last is None and (not more or self._write_is_due()):
                self._write()
            self._queue.admit()
            self._rest_if_due()
        self.left = bool(self._queue.items)
        self._note_cpu()
        return self._last

    def _write_is_due(self) -> bool:
        return time.perf_counter() - self._wrote >= _WRITE_SECONDS

    def _write(self) -> None:
        self._output.write()
        self._wrote = time.perf_counter()

    def give_up(self) -> int:
        """Empties the queue and the output unwritten; returns how many summaries that costs."""
        lost = self._output.give_up() + self.gathered
        self._columns.clear()
        while batch := self._take():
            lost += sum(map(summaries_of, batch))
            for item in batch:
                self._queue.release(item)
        self.lost += lost
        self._queue.admit()
        return lost

    def recover(self) -> int:
        """Makes ready to go on after an exception out of `drain()`; returns how many summaries it cost."""
        # An item counts as begun before anything is done with it, so nothing is logged twice. A barrier can
        # be met twice, and its caller must not be forgotten.
        if not self._counted:
            self.taken += sum(map(summaries_of, self._batch))
        begun = self._batch[: self._place]
        rest = [item for item in begun[-1:] if isinstance(item, Barrier) and item is not self._last]
        self._put_back([*rest, *self._batch[self._place :]])
        self._batch, self._items, self._counted = (), [], True
        for item in begun:
            self._queue.release(item)
        for columns in self._columns.values():
            columns.trim()
        output = self._output
        kept = self.gathered + output.pending + output.written + output.lost + self.failed
        lost = self.taken - self.lost - kept
        self.lost += lost
        self.left, self.began = True, -math.inf  # what was in hand has waited for its interval already
        return lost

    @property
    def gathered(self) -> int:
        """Scalars taken and not encoded yet."""
        held = 0 if self.diversion is None else self.diversion.held
        return held + sum(len(columns.tags) for columns in self._columns.values())

    def _take(self) -> list[Scalar | Item]:
        batch: list[Scalar | Item] = []
        self._batch, self._place, self._counted = batch, 0, False
        self._queue.pop(_LONG_PIECE if self._queue.barriers or self._queue.awaited() else _PIECE, batch)
        plain = set(map(type, batch)) == {tuple}  # in C: nearly always
        self._items = items = [] if plain else [item for item in batch if not isinstance(item, tuple)]
        summaries = len(batch) - len(items) + sum([item.summaries for item in items])
        # Two stores with no call in between: no exception from outside comes between them.
        self.taken, self._counted = self.taken + summaries, True
        return batch

    def _put_back(self, batch: Sequence[Scalar | Item]) -> None:
        # Gone and uncounted in one step, as far as exceptions from outside are concerned.
        self.taken -= self._queue.put_back(batch)

    def _piece(self, batch: list[Scalar | Item]) -> None:
        """Does one piece of the queue; what follows the last barrier, or a failed write, is put back."""
        if self._items:
            self._prefetch(self._items)
            self._count_together(self._items)
        for kind, group in groupby(batch, type) if self._items else ((tuple, batch),):
            if kind is tuple:
                scalars = cast("list[Scalar]", list(group))
                self._place += len(scalars)
                self._gather(None).extend(scalars)
                continue
            self._pass_items(cast("Iterator[Item]", group))
            if self._last is not None or self._output.write_error is not None:
                break
        self._encode_gathered()
        # What was done, which may be large, is not kept until the next push.
        rest, self._batch, self._items = batch[self._place :], (), []
        if rest:
            self._put_back(rest)

    def _pass_items(self, items: Iterator[Item]) -> None:
        """Does what is no plain scalar, up to a failed write or to the last barrier."""
        for item in items:
            self._place += 1
            if not isinstance(item, Barrier):
                self._item(item)
            elif not self._pass(item):
                self._place -= 1
            elif item.last:
                self._last = item
                return
            if self._output.write_error is None and self._write_is_due():  # a piece of figures takes seconds
                self._encode_gathered()
                self._write()
            if self._output.write_error is not None:
                return

    def _item(self, item: Item) -> None:
        try:
            for part in item.items if isinstance(item, Group) else (item,):
                self._part(part)
        finally:
            self._queue.release(item)

    def _part(self, item: Item) -> None:
        if isinstance(item, Metrics):
            self._metrics(item)
            if len(self._gather(item.run).tags) < _PIECE:
                return
        self._encode_gathered(item.run)
        if isinstance(item, Summary):
            if self.diversion is None or not self.diversion.summary(item):
                self.encode_summary(item)
        elif isinstance(item, Task):
            self._encode_gathered()
            item.function()
        elif isinstance(item, Events):
            self._output.add(item.run, b"".join(map(record, item.events)), item.summaries)
        elif isinstance(item, EndRun):
            self._output.write()
            self._output.end(cast(str, item.run))
            self._known.pop(item.run, None)
        self._rest_if_due()

    def _prefetch(self, items: Sequence[Item]) -> None:
        waiting = [value for item in items for value in item.deferred]
        if waiting:
            # What fails here fails again for the one value that is at fault, and is reported there.
            with contextlib.suppress(Exception):
                prefetch(waiting)

    def _count_together(self, items: Sequence[Item]) -> None:
        """Counts the values of small histograms of the batch, all at once, and leaves the results in the items."""
        small = [item for item in items if isinstance(item, Summary) and _is_plain_histogram(item)]
        # What fails here fails again, for that one summary.
        with contextlib.suppress(Exception):
            for counted in together([item.arguments[0] for item in small]) if len(small) > 1 else ():
                for place, result in counted:
                    small[place].arguments = (result,)
                self._rest_if_due()

    def _metrics(self, item: Metrics) -> None:
        columns = self._gather(item.run)
        try:
            columns.extend_metrics(item)
        except Exception as error:
            columns.trim()
            self._fail("metrics", ", ".join(item.values), error, item.summaries)

    def _pass(self, barrier: Barrier) -> bool:
        """Passes a barrier, if everything before it can be written. The last one is answered by its owner."""
        if barrier.answered:
            return True
        self._encode_gathered()
        if barrier.last:
            self._log_report_if_due(closing=True)
        if not self._output.write():
            return False
        failure = self._output.deliver()
        if failure is not None and barrier.last:
            self._output.wait_for_store()
            return False
        if failure is None and barrier.fsync:
            failure = self._output.fsync()
        if barrier.last:
            barrier.failure = failure
        else:
            self._queue.settle(barrier, failure)
        return True

    def encode_summary(self, item: Summary) -> None:
        """Encodes a summary and hands it to the output."""
        try:
            arguments = [a.resolve() if isinstance(a, Deferred) else a for a in item.arguments]
            encoded = item.encode(item.tag, *arguments)
            fields = [(SUMMARY, encoded.summary)] if encoded.summary else []
            events = (event(item.wall_time, item.step, *field) for field in [*fields, *encoded.events])
            data = b"".join(map(record, events))
        except BaseException as error:  # whatever it is, it must not cost more than this one summary
            self._fail(_kind(item), item.tag, error, item.summaries)
            return
        if item.encode in (described_scalar, scalar_tensor, v2_scalar):
            self._know(item.run, (item.tag,))
        self.nonfinite += encoded.nonfinite
        self._tell(item, encoded)
        name = f"{_kind(item)} {item.tag!r}"
        beside = Beside(name, encoded) if encoded.files or encoded.shared else None
        self._output.add(item.run, data, item.summaries, beside)

    def _tell(self, item: Summary, encoded: Encoded) -> None:
        for note in encoded.notes:
            self._faults.note((item.tag, note), f"{item.tag!r}: {note}")
        if encoded.nonfinite and not encoded.notes:
            # Once for the writer: a model that has diverged has them in every one of its tensors.
            message = f"the {_kind(item)} {item.tag!r} is without {encoded.nonfinite} values that are NaN or "
            self._faults.note(
                "nonfinite", message + "infinite; stats().nonfinite counts these and further ones"
            )

    def _fail(self, kind: str, tag: str, error: BaseException, summaries: int = 1) -> None:
        self.failed += summaries
        message = f"the {kind} {tag!r} could not be logged: {describe(error)}"
        self._faults.failed((kind, type(error)), message, error, summaries)

    def _gather(self, run: str | None) -> Columns:
        columns = self._columns.get(run)
        if columns is None:
            columns = self._columns[run] = Columns()
        return columns

    def _encode_gathered(self, *runs: str | None) -> None:
        """Encodes the scalars gathered for `runs`, or for all runs when none is named."""
        for run in runs or tuple(self._columns):
            columns = self._columns.pop(run, None)
            if columns is None:
                continue
            if self.diversion is not None:
                self.diversion.scalars(run, columns)
            else:
                self.encode_scalars(run, columns, len(columns.tags))

    def encode_scalars(self, run: str | None, columns: Columns, summaries: int) -> None:
        """Encodes scalars of a run and hands them to the output.

        Args:
            run: the run's directory, or None for the writer's own.
            columns: the scalars.
            summaries: how many of them count as summaries that were pushed.
        """
        arguments = (columns.tags, columns.values, columns.steps, columns.wall_times)
        try:
            records = self._scalars.encode(*arguments)
        except Exception:
            # One of them cannot be encoded; the others must not suffer for it.
            for place, row in enumerate(zip(*arguments, strict=True)):
                self._encode_one(run, *row, summaries=int(place < summaries))
        else:
            self._know(run, columns.tags)
            self._output.add(run, records, summaries)

    def _encode_one(
        self, run: str | None, tag: Series, value: float, step: int, wall_time: float, *, summaries: int
    ) -> None:
        try:
            records = scalar_record(tag, value, step, wall_time)
        except Exception as error:
            self._fail("scalar", tag_of(tag), error, summaries)
        else:
            self._know(run, (tag,))
            self._output.add(run, records, summaries)

    def _know(self, run: str | None, tags: Iterable[Series]) -> None:
        known = self._known.get(run)
        if known is None:
            known = self._known[run] = set()
        if len(known) < _MOST_KNOWN_TAGS:
            known.update(tags)

    def purge(self, wall_time: float, step: int) -> None:
        """Hides what the run, and the sub-runs that scalars were logged to, hold from a step on."""
        for run in dict.fromkeys((None, *self._known)):
            self._output.add(run, b"".join(map(record, purge_events(wall_time, step))), 0)
            for tags in self._tags_of(run):
                hidden = [hide_event(wall_time, tag, step) for tag in tags]
                self._output.add(run, b"".join(map(record, hidden)), 0)

    def reset(self, wall_time: float, tag: str) -> None:
        """Hides a scalar's series, in the run and in the sub-runs that it was logged to."""
        records = b"".join(map(record, reset_events(wall_time, tag)))
        for run in [run for run in self._known if self._holds(run, tag)] or [None]:
            self._output.add(run, records, 0)

    def _holds(self, run: str | None, tag: str) -> bool:
        return tag in self._known[run] or any(tag in tags for tags in self._tags_of(run))

    def _tags_of(self, run: str | None) -> Iterator[Iterable[str]]:
        """The tags of a run's scalars, piece by piece, with rests: there may be tens of thousands."""
        known = iter(self._known.get(run, ()))
        while some := list(islice(known, _PIECE_OF_TAGS)):
            yield dict.fromkeys(map(tag_of, some))
            self._rest_if_due()

    def _log_report_if_due(self, *, closing: bool = False) -> None:
        """Encodes what the writer has to say about itself; it counts as nothing that was pushed."""
        if self._report is not None and self._report.due(self, closing=closing):
            self._note_cpu()
            step, values = self._report.take(self)
            columns = Columns()
            columns.extend_metrics(Metrics(None, values, step, time.time()))
            self.encode_scalars(None, columns, 0)

    def _rest_if_due(self) -> None:
        self.beats += 1
        due = _AWAITED_WORK_SECONDS if self._queue.awaited() else _WORK_SECONDS
        if time.perf_counter() - self._rested >= due:
            self._note_cpu()
            time.sleep(_REST_SECONDS)
            self._rested = time.perf_counter()

    def _note_cpu(self) -> None:
        now = time.thread_time()
        self.cpu_seconds += now - self._cpu
        self._cpu = now


def _is_plain_histogram(item: Summary) -> bool:
    if item.encode is not histogram or type(item.arguments[0]) is not np.ndarray:
        return False
    bins, max_bins = item.arguments[1:]
    return isinstance(bins, str) and bins == DEFAULT and max_bins is None


def _kind(item: Summary) -> str:
    """What kind of summary it is, or which call of a foreign writer, for people."""
    return str(getattr(item.encode, "__name__", "summary")).strip("_")

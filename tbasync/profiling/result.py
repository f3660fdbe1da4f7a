"""What a profile says, in numbers: dataclasses that are also its JSON."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from types import CodeType
from typing import Any

from .meter import Entry, Meter, ThreadRecord

_MOST_SITES = 50


@dataclass(frozen=True)
class Method:
    """All calls of one method; times are seconds on the calling thread.

    Attributes:
        name: the method's.
        calls: how many.
        total_seconds, mean_seconds, p50_seconds, p99_seconds, max_seconds: of a call.
        bytes: of the event records that they made; None where that is not known.
        device_syncs: how often they waited for a device.
    """

    name: str
    calls: int
    total_seconds: float
    mean_seconds: float
    p50_seconds: float
    p99_seconds: float
    max_seconds: float
    bytes: int | None = None
    device_syncs: int = 0


@dataclass(frozen=True)
class Site:
    """The calls from one line of code.

    Attributes:
        file, line: where.
        method: what was called.
        calls: how often.
        total_seconds, max_seconds: on the calling thread.
    """

    file: str
    line: int
    method: str
    calls: int
    total_seconds: float
    max_seconds: float


@dataclass(frozen=True)
class Result:
    """One run of a script.

    Attributes:
        wall_seconds: the whole run, from the script's first line to its last thread's end, without what the
            measuring cost.
        active_seconds: from the first logging call to the end of the last one, likewise.
        logging_seconds: in logging calls on the main thread.
        other_threads_seconds: in logging calls on all other threads.
        measuring_seconds: what the measuring cost the main thread.
        methods: logging methods, the dearest first.
        reads: methods that read tensors' values, on the main thread and outside of logging calls.
        sites: the lines that cost most, the dearest first.
        estimate: what the calls would cost under tbasync, by method: `calls` have been tried, and the total
            is for as many as the script made, with what methods of a subclass spent themselves.
    """

    wall_seconds: float
    active_seconds: float
    logging_seconds: float
    other_threads_seconds: float
    measuring_seconds: float
    methods: list[Method]
    reads: list[Method]
    sites: list[Site]
    estimate: list[Method] = field(default_factory=list)

    @property
    def estimated_seconds(self) -> float | None:
        """Of logging under tbasync; None unless every method has been estimated."""
        totals = {method.name: method.total_seconds for method in self.estimate}
        if not self.methods or any(method.name not in totals for method in self.methods):
            return None
        return sum(totals[method.name] for method in self.methods)

    def to_json(self) -> dict[str, Any]:
        """For `json.dump`."""
        return {**asdict(self), "estimated_seconds": self.estimated_seconds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """What `to_json` made."""
        own = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        for name, kind in (("methods", Method), ("reads", Method), ("estimate", Method), ("sites", Site)):
            own[name] = [kind(**entry) for entry in own[name]]
        return cls(**own)


def result(meter: Meter, wall_nanoseconds: int, tried: Mapping[str, array[int]]) -> Result:
    """What a meter has measured in a run of so many nanoseconds, and what an estimate has tried."""
    threads = tuple(meter.threads)
    main = next((thread for thread in threads if thread.is_main), ThreadRecord())
    methods = _methods([thread.logging for thread in threads])
    spent = {thread: sum(sum(entry.durations) for entry in thread.logging.values()) for thread in threads}
    firsts = [thread.first for thread in threads if thread.first]
    active = max((thread.last for thread in threads), default=0) - min(firsts, default=0)
    return Result(
        wall_seconds=(wall_nanoseconds - main.overhead) / 1e9,
        active_seconds=max(0, active - main.overhead) / 1e9,
        logging_seconds=spent.get(main, 0) / 1e9,
        other_threads_seconds=(sum(spent.values()) - spent.get(main, 0)) / 1e9,
        measuring_seconds=main.overhead / 1e9,
        methods=methods,
        reads=_methods([main.reads]),
        sites=_sites(threads, meter.directory),
        estimate=_estimated(threads, methods, tried),
    )


def _methods(of_threads: Iterable[Mapping[str, Entry]]) -> list[Method]:
    merged: dict[str, list[Entry]] = {}
    for entries in of_threads:
        for name, entry in tuple(entries.items()):
            merged.setdefault(name, []).append(entry)
    methods = [_method(name, entries) for name, entries in merged.items()]
    return sorted(methods, key=lambda method: -method.total_seconds)


def _method(name: str, entries: list[Entry]) -> Method:
    durations = array("q")
    for entry in entries:
        durations.extend(entry.durations)
    nbytes = sum(entry.nbytes for entry in entries)
    return Method(name, **_times(durations), bytes=nbytes or None, device_syncs=sum(e.syncs for e in entries))


def _times(durations: array[int]) -> dict[str, Any]:
    """Fields of a Method."""
    ranked = sorted(durations)
    mean = sum(ranked) / len(ranked) / 1e9
    return {
        "calls": len(ranked),
        "total_seconds": mean * len(ranked),
        "mean_seconds": mean,
        "p50_seconds": _quantile(ranked, 0.5),
        "p99_seconds": _quantile(ranked, 0.99),
        "max_seconds": ranked[-1] / 1e9,
    }


def _quantile(ranked: list[int], share: float) -> float:
    """The smallest duration that at least this share of them does not exceed, in seconds."""
    return ranked[max(0, -int(-len(ranked) * share // 1) - 1)] / 1e9


def _estimated(
    threads: Iterable[ThreadRecord], methods: Iterable[Method], tried: Mapping[str, array[int]]
) -> list[Method]:
    """What methods would cost: a subclass's own as long as it took, and the package's below it as tried."""
    estimated = []
    for method in methods:
        entries = [thread.logging[method.name] for thread in threads if method.name in thread.logging]
        calls = Counter({method.name: method.calls - sum(entry.overridden for entry in entries)})
        for entry in entries:
            calls.update(dict(entry.within))  # a copy: another thread may be at it
        calls = +calls  # without those that have not been called
        if tried.keys() >= calls.keys():
            own = sum(entry.own for entry in entries) / 1e9
            estimated.append(_estimate(method, own, {name: (tried[name], calls[name]) for name in calls}))
    return estimated


def _estimate(method: Method, own: float, called: Mapping[str, tuple[array[int], int]]) -> Method:
    durations = array("q", [nanoseconds for spans, _ in called.values() for nanoseconds in spans])
    if not durations:  # a subclass that passes nothing on
        return replace(method, total_seconds=own, bytes=None, device_syncs=0)
    total = own + sum(sum(spans) / len(spans) * calls for spans, calls in called.values()) / 1e9
    return Method(method.name, **{**_times(durations), "total_seconds": total})


def _sites(threads: Iterable[ThreadRecord], directory: str) -> list[Site]:
    merged: dict[tuple[str, str, int], list[int]] = {}
    for thread in threads:
        for (method, code, offset), (calls, total, most) in tuple(thread.sites.items()):
            if method in thread.reads and not thread.is_main:
                continue  # a writer's own thread, which reads for it
            tally = merged.setdefault((method, code.co_filename, _line(code, offset)), [0, 0, 0])
            tally[:] = tally[0] + calls, tally[1] + total, max(tally[2], most)
    dearest = sorted(merged.items(), key=lambda site: -site[1][1])[:_MOST_SITES]
    return [
        Site(_shortest(file, directory), line, method, calls, total / 1e9, most / 1e9)
        for (method, file, line), (calls, total, most) in dearest
    ]


def _line(code: CodeType, offset: int) -> int:
    lines = (line for start, end, line in code.co_lines() if start <= offset < end and line is not None)
    return next(lines, code.co_firstlineno)


def _shortest(path: str, directory: str) -> str:
    # From where the script was started: it may be elsewhere by now, or in a directory that is gone.
    relative = os.path.relpath(path, directory) if os.path.isabs(path) else path
    return min(path, relative, key=len)

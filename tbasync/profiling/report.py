"""What a profile says, in words and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .result import Method, Result, Site
from .tables import Table, seconds, size

_SITES_SHOWN = 10
_MUCH = 0.2  # of the time spent in logging, that barriers are mentioned
_COLUMNS = ("<method", "calls", "total", "mean", "p50", "p99", "max")


def report(own: Result, under_tbasync: Result | None) -> list[Table | str]:
    """For `tables.show`.

    Args:
        own: the run with the script's own writer.
        under_tbasync: the second run, with tbasync, if there was one.
    """
    if not own.methods:
        return [
            "No SummaryWriter of torch, tensorboardX or tbasync was used in the script's own process. "
            "Processes that it starts are not measured."
        ]
    parts: list[Table | str] = [_methods(own)]
    if under_tbasync is not None:
        parts.append(_side_by_side(own, under_tbasync))
    if own.reads:
        parts.append(_reads(own.reads))
    parts += [_sites(own.sites), _summary(own, under_tbasync)]
    return parts


def _methods(own: Result) -> Table:
    columns = (*_COLUMNS, "bytes", "device syncs", "tbasync, est.")
    estimated = {method.name: method.total_seconds for method in own.estimate}
    rows = [
        (*_row(method), size(method.bytes), str(method.device_syncs), seconds(estimated.get(method.name)))
        for method in own.methods
    ]
    return Table("Logging, on the calling thread", columns, rows)


def _row(method: Method) -> tuple[str, ...]:
    total, *others = _times(method)
    return method.name, f"{method.calls:,}", *map(seconds, (total, method.mean_seconds, *others))


def _side_by_side(own: Result, other: Result) -> Table:
    columns = ["<method", "calls"]
    columns += [f"{name}{whose}" for name in ("total", "p50", "p99", "max") for whose in ("", ", tbasync")]
    others = {method.name: method for method in other.methods}
    rows = []
    for method in own.methods:
        match = others.get(method.name)
        pairs = zip(_times(method), _times(match) if match else [None] * 4, strict=True)
        rows.append((method.name, f"{method.calls:,}", *(seconds(value) for pair in pairs for value in pair)))
    return Table("The same with tbasync, in a second run", columns, rows)


def _times(method: Method) -> list[float]:
    return [method.total_seconds, method.p50_seconds, method.p99_seconds, method.max_seconds]


def _reads(reads: Iterable[Method]) -> Table:
    rows = [(*_row(method), str(method.device_syncs)) for method in reads]
    title = "Tensors' values read outside of logging calls (some of them for the sake of logging)"
    return Table(title, (*_COLUMNS, "device syncs"), rows)


def _sites(sites: list[Site]) -> Table:
    columns = ("<line", "<method", "calls", "total", "max")
    rows = [
        (f"{site.file}:{site.line}", site.method, f"{site.calls:,}", *map(seconds, _spent(site)))
        for site in sites[:_SITES_SHOWN]
    ]
    return Table("The dearest lines", columns, rows)


def _spent(site: Site) -> tuple[float, float]:
    return site.total_seconds, site.max_seconds


def _summary(own: Result, other: Result | None) -> str:
    spent = own.logging_seconds
    lines = [f"Logging took {seconds(spent)} on the critical path: {_shares(spent, own)}."]
    if own.other_threads_seconds:
        lines.append(f"On other threads than the main one it took {seconds(own.other_threads_seconds)}.")
    reads = sum(method.total_seconds for method in own.reads)
    if reads:
        waits = sum(method.device_syncs for method in own.reads)
        lines.append(
            f"Reading tensors' values took another {seconds(reads)}, and waited for a device {waits:,} times."
        )
    lines += _estimated(own)
    if other is not None:
        lines += _compared(own, other)
    lines.append(f"Measuring cost {seconds(own.measuring_seconds)}, which is left out of all figures.")
    return "\n".join(lines)


def _estimated(own: Result) -> Iterator[str]:
    if own.estimated_seconds is not None:
        share = _ratio(own.logging_seconds, own.estimated_seconds)
        about = f"With tbasync it would be about {seconds(own.estimated_seconds)}{share}"
        yield f"{about}, but for what flush() and close() wait for."
    elif own.estimate:
        tried = {method.name for method in own.estimate}
        failed = ", ".join(method.name for method in own.methods if method.name not in tried)
        yield f"With tbasync: no estimate, for all calls of {failed} failed when they were made again."


def _compared(own: Result, other: Result) -> Iterator[str]:
    share = _ratio(own.logging_seconds, other.logging_seconds)
    was = f"With tbasync it was {seconds(other.logging_seconds)}{share}"
    waited = sum(method.total_seconds for method in other.methods if method.name in ("flush", "close"))
    if waited > _MUCH * other.logging_seconds:
        was += f", {seconds(waited)} of it in flush() and close(), which wait until all is written"
    yield f"{was}; the whole run took {seconds(other.wall_seconds)} instead of {seconds(own.wall_seconds)}."
    calls, others = (sum(method.calls for method in run.methods) for run in (own, other))
    if calls != others:
        yield f"That run logged {others:,} times, and the first one {calls:,} times: they are not the same."


def _shares(spent: float, run: Result) -> str:
    shares = [f"{spent / run.wall_seconds:.1%} of the run's {seconds(run.wall_seconds)}"]
    if run.active_seconds > 0:
        between = f"the {seconds(run.active_seconds)} from the first such call to the last"
        shares.append(f"{spent / run.active_seconds:.1%} of {between}")
    return ", ".join(shares)


def _ratio(before: float, after: float) -> str:
    return f", {before / after:,.0f} times less" if after > 0 and before / after >= 1.5 else ""

"""A writer's counters as a small table, for people."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stats import Reductions, Stats

Row = tuple[str, str, str]  # name, number, what it counts


def as_text(stats: Stats) -> str:
    """A line for each row: names to the left, numbers to the right, then what they count; no newline at the end."""
    rows = _rows(stats)
    names, numbers = (max(len(row[k]) for row in rows) for k in (0, 1))
    return "\n".join(f"{name:<{names}}  {number:>{numbers}}  {what}".rstrip() for name, number, what in rows)


def as_html(stats: Stats) -> str:
    """The same as an HTML table, for notebooks."""
    cells = (
        f"<tr><th>{html.escape(name)}</th><td style='text-align:right'>{html.escape(number)}</td>"
        f"<td style='text-align:left'>{html.escape(what)}</td></tr>"
        for name, number, what in _rows(stats)
    )
    return f"<table>{''.join(cells)}</table>"


def _rows(stats: Stats) -> list[Row]:
    """What there is to tell; what is zero as it should be, and is not counted by most writers, is left out."""
    each = f", {_time(stats.worker_cpu_seconds / stats.written)} each" if stats.written else ""
    rows = [
        ("pushed", f"{stats.pushed:,}", "summaries"),
        ("written", f"{stats.written:,}", _size(stats.bytes_written)),
        ("waiting", f"{stats.waiting:,}", ""),
        ("dropped", f"{stats.dropped:,}", ""),
        ("failed", f"{stats.failed:,}", ""),
        ("queue", f"{stats.queue_length:,}", f"pushes, {_size(stats.queue_bytes)}"),
        ("longest queue", f"{stats.queue_length_peak:,}", f"pushes, {_size(stats.queue_bytes_peak)}"),
        ("calls blocked", _time(stats.blocked_seconds), "in all, for want of room in the queue"),
        ("writer thread", _time(stats.worker_cpu_seconds), f"of CPU{each}"),
    ]
    if stats.device_bytes_peak:
        held = f"on devices, {_size(stats.device_bytes_peak)} at most"
        rows.append(("held", _size(stats.device_bytes), held))
    if stats.nonfinite:
        rows.append(("not finite", f"{stats.nonfinite:,}", "values left out of histograms"))
    if stats.write_errors:
        rows.append(("write errors", f"{stats.write_errors:,}", ""))
    if stats.reductions is not None:
        rows += _rows_of_reductions(stats.reductions)
    if stats.last_error is not None:
        rows.append(("last error", "", stats.last_error))
    return rows


def _rows_of_reductions(reductions: Reductions) -> list[Row]:
    groups = sorted(reductions.groups.items(), reverse=True)
    by_ranks = ", ".join(f"{count:,} of {ranks} ranks" for ranks, count in groups)
    received = f"{reductions.blocks_received:,} blocks received, {_size(reductions.bytes_received)}"
    living = f"{reductions.living:,} rank{'s' * (reductions.living != 1)} may still report"
    rows = [
        ("reduced", f"{sum(reductions.groups.values()):,}", f"groups: {by_ranks}" if groups else "groups"),
        ("unfinished", f"{reductions.waiting:,}", f"groups; {living}"),
        ("sent", f"{reductions.blocks_sent:,}", f"blocks, {_size(reductions.bytes_sent)}; {received}"),
    ]
    if reductions.unmet:
        rows.append(("never heard of", f"{len(reductions.unmet):,}", f"ranks: {_some(reductions.unmet)}"))
    if reductions.unread:
        rows.append(("unreadable", f"{reductions.unread:,}", "contributions"))
    return rows


def _some(ranks: tuple[int, ...], most: int = 8) -> str:
    return ", ".join(map(str, ranks[:most])) + (", …" if len(ranks) > most else "")


def _size(count: int) -> str:
    """Bytes for people: "0 B", "1.5 KiB", "12.0 MiB"."""
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{count} B" if unit == "B" else f"{size:,.1f} {unit}"


def _time(seconds: float) -> str:
    """Seconds for people: "0 s", "1.2 µs", "34.5 ms", "67.8 s"."""
    if not seconds:
        return "0 s"
    for scale, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * scale < 1000:
            return f"{seconds * scale:,.1f} {unit}"
    return f"{seconds:,.1f} s"

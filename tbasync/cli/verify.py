"""Check every record of event files: lengths, checksums, protobuf, and the order of steps.

What is wrong is printed as file:offset: cause. The exit status is 0 if every byte belongs to a readable
event, 1 if anything is damaged, torn or unreadable, 2 if there is nothing to check. Notes (steps that go
backwards, a missing file version) do not change it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._event_files import (
    add_paths,
    expand,
    megabytes,
    plural,
    printable,
    progress,
    size_of,
)

if TYPE_CHECKING:
    from ..files.check import FileReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_paths(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the files and print what was found; the exit status."""
    from ..files.check import check_file

    unlisted = list[OSError]()
    files = expand(arguments.paths, follow_links=True, on_error=unlisted.append)
    reports, begun = list["FileReport"](), time.perf_counter()
    with progress("verify", sum(map(size_of, files)), not arguments.quiet) as advance:
        for file in files:
            report = check_file(file, advance)
            reports.append(report)
            if not arguments.json:
                _print(report, arguments.quiet)
    for unread in unlisted:
        print(f"tbasync verify: {printable(str(unread))}", file=sys.stderr)
    ok = all(report.ok for report in reports) and not unlisted
    if arguments.json:
        print(json.dumps({"ok": ok, "files": [_as_json(report) for report in reports]}, indent=1))
    elif not arguments.quiet:
        print(_conclusion(reports, time.perf_counter() - begun))
    return 0 if ok else 1


def _print(report: FileReport, quiet: bool) -> None:
    """A line for each finding, and one for a file without errors."""
    name = printable(report.path)
    for finding in report.findings:
        if finding.is_error:
            print(f"{name}:{finding.offset}: {finding.message}")
        elif not quiet:
            print(f"{name}:{finding.offset}: note: {finding.message}")
    for kind, count in report.unlisted.items():
        if not quiet:
            print(f"{name}: and {count:,} more of kind {kind}")
    if not quiet:
        state = "ok" if report.ok else f"{megabytes(report.size - report.whole)} damaged"
        print(f"{name}: {state}, {plural(report.records, 'record')}, {megabytes(report.size)}")


def _conclusion(reports: list[FileReport], seconds: float) -> str:
    size, damaged = sum(report.size for report in reports), sum(not report.ok for report in reports)
    records = sum(report.records for report in reports)
    speed = f" in {seconds:.1f} s, {size / 1e6 / seconds:,.0f} MB/s" if seconds > 0.1 else ""
    state = f"{damaged:,} damaged" if damaged else "no damage"
    return f"{plural(len(reports), 'file')}, {plural(records, 'record')}, {megabytes(size)}{speed}: {state}"


def _as_json(report: FileReport) -> dict[str, Any]:
    findings = [
        {
            "offset": finding.offset,
            "length": finding.length,
            "kind": finding.kind,
            "error": finding.is_error,
            "message": finding.message,
        }
        for finding in report.findings
    ]
    return {
        "path": str(Path(report.path)),
        "ok": report.ok,
        "size": report.size,
        "records": report.records,
        "whole": report.whole,
        "findings": findings,
        "unlisted": report.unlisted,
    }

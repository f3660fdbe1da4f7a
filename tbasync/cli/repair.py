"""Make damaged event files whole: keep every whole record, also those behind a damaged stretch.

The new file takes the old one's place only when it is safely on disk and has been checked; the original
stays beside it under a name that ends in .bak and that TensorBoard does not read. With --output the original
stays in place. Do not repair a file that is still being written to. The exit status is 0 if every file is
whole now, 1 if one could not be repaired, 2 if there is nothing to repair.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import CommandError
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
    from ..files.repair import Repair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_paths(parser)
    parser.add_argument(
        "--output", metavar="FILE", help="write what is whole to this new file; one PATH only"
    )


def run(arguments: argparse.Namespace) -> int:
    """Repair the files and print what was done; the exit status."""
    failures = list[str]()
    files = expand(arguments.paths, follow_links=False, on_error=lambda error: failures.append(str(error)))
    if arguments.output is not None and len(files) != 1:
        raise CommandError(f"--output takes one event file, and there are {len(files):,}")
    done = list[dict[str, Any]]()
    passes = 3  # checked, copied, checked again
    with progress("repair", passes * sum(map(size_of, files)), not arguments.quiet) as advance:
        for file in files:
            outcome = _repair(file, arguments.output, advance)
            if isinstance(outcome, str):
                failures.append(outcome)
                done.append({"path": str(file), "error": outcome})
                continue
            if outcome.written is None:
                advance((passes - 1) * outcome.before.size)
            done.append(_as_json(file, outcome))
            if not arguments.json:
                _print(file, outcome, arguments.quiet)
    for failure in failures:
        print(f"tbasync repair: {printable(failure)}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"ok": not failures, "files": done}, indent=1))
    return 1 if failures else 0


def _repair(file: Path, output: str | None, advance: Any) -> Repair | str:
    """What was done to the file, or why it could not be repaired."""
    from ..files.repair import RepairError, repair

    try:
        return repair(file, output, advance)
    except (RepairError, OSError) as error:
        return str(error)


def _print(file: Path, outcome: Repair, quiet: bool) -> None:
    name, before = printable(file), outcome.before
    if outcome.written is None:
        if not quiet:
            print(f"{name}: nothing to repair, {plural(before.records, 'record')}")
        return
    lost = f"left out {megabytes(outcome.dropped)}" if outcome.dropped else "nothing to leave out"
    kept = f"kept {plural(before.records, 'record')}, {lost}"
    where = (
        f"the original is {printable(outcome.backup)}"
        if outcome.backup
        else f"in {printable(outcome.written)}"
    )
    print(f"{name}: {kept}; {where}")


def _as_json(file: Path, outcome: Repair) -> dict[str, Any]:
    return {
        "path": str(file),
        "written": outcome.written and str(outcome.written),
        "backup": outcome.backup and str(outcome.backup),
        "records": outcome.before.records,
        "dropped": outcome.dropped,
    }

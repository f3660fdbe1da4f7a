"""What is wrong with an event file: every record's lengths, CRCs and protobuf, and the order of steps."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..wire.decode import FILE_VERSION, event
from ..wire.fields import Malformed
from ..wire.scan import FOOTER, HEADER, OVERHEAD
from .inspect import Inspected, Inspector, flaw_of
from .records import Batch, Gap, Large, Records
from .steps import StepOrder

MOST_ERRORS = 1000  # findings of one kind listed for a file; further ones are counted
MOST_NOTES = 20

PROTOBUF = "protobuf"
UNREADABLE = "unreadable"
STEP_BACKWARDS = "step-backwards"
NO_FILE_VERSION = "no-file-version"
EMPTY = "empty"
NOTES = frozenset((STEP_BACKWARDS, NO_FILE_VERSION, EMPTY))

Progress = Callable[[int], object]
"""Called with the number of bytes that have been dealt with since the last call."""


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One thing found in a file.

    Attributes:
        offset: where in the file, in bytes: the start of the record or stretch.
        length: bytes concerned, with the record's framing; 0 where no bytes are at fault.
        kind: "torn", "length-crc", "data-crc", "too-long", "gave-up", "protobuf" or "unreadable"; of those
            that TensorBoard copes with, "step-backwards", "no-file-version" or "empty".
        message: what it is, for a person. Tags in it are escaped.
    """

    offset: int
    length: int
    kind: str
    message: str

    @property
    def is_error(self) -> bool:
        """Whether data is lost or cannot be read; otherwise the finding is for information."""
        return self.kind not in NOTES


@dataclass(frozen=True, slots=True)
class FileReport:
    """What `check_file` found.

    Attributes:
        size: bytes in the file when it was opened.
        records: whole records that are events.
        whole: bytes of the file in these records, framing included.
        findings: by offset; at most MOST_ERRORS or MOST_NOTES of a kind.
        unlisted: how many more there are, by kind.
    """

    path: Path
    size: int
    records: int
    whole: int
    findings: tuple[Finding, ...]
    unlisted: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every byte of the file belongs to a readable event."""
        return not any(finding.is_error for finding in self.findings)


def check_file(path: str | os.PathLike[str], progress: Progress | None = None) -> FileReport:
    """Check every record of an event file, in time linear in its size and in constant memory.

    An unreadable file gives a report with a finding of kind "unreadable". Of records longer than a mebibyte,
    all is checked but the order of their steps.
    """
    check, size = _Check(), 0
    try:
        with Records(path) as records:
            size = records.size
            check.run(records, progress or (lambda _: None))
            size = records.size
    except OSError as error:
        check.find(0, 0, UNREADABLE, str(error))
    return check.report(Path(path), size)


class _Check:
    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts = Counter[str]()
        self._records = self._whole = 0
        self._begun = False  # whether a whole record has been seen
        self._inspector, self._order = Inspector(), StepOrder()

    def run(self, records: Records, progress: Progress) -> None:
        """Look at every item of the file."""
        done = 0
        for item in records:
            if isinstance(item, Gap):
                self.find(item.start, item.stop - item.start, item.cause.value, item.detail)
                reached = item.stop
            elif isinstance(item, Batch):
                self._batch(item)
                reached = item.base + int(item.starts[-1] + item.lengths[-1]) + FOOTER
            else:
                self._large(records, item)
                reached = item.start + item.length + FOOTER
            progress(max(reached - done, 0))
            done = max(done, reached)
        if not records.size:
            self.find(0, 0, EMPTY, "the file is empty")

    def find(self, offset: int, length: int, kind: str, message: str) -> None:
        """Take a finding down, or count it when there are many of its kind."""
        self._take(Finding(offset, length, kind, message))

    def _take(self, finding: Finding) -> None:
        self._counts[finding.kind] += 1
        if self._counts[finding.kind] <= (MOST_ERRORS if finding.is_error else MOST_NOTES):
            self._findings.append(finding)

    def report(self, path: Path, size: int) -> FileReport:
        """What has been found."""
        listed = Counter(finding.kind for finding in self._findings)
        findings = tuple(sorted(self._findings))
        return FileReport(path, size, self._records, self._whole, findings, dict(self._counts - listed))

    def _batch(self, batch: Batch) -> None:
        found, sizes = self._inspector.inspect(batch), batch.lengths + OVERHEAD
        self._begin(batch.base + int(batch.starts[0]) - HEADER, found)
        for index, flaw in found.broken:
            self._take(flaw_in(batch, index, flaw))
        for step in self._order.follow(found):
            offset = batch.base + int(batch.starts[step.index]) - HEADER
            message = f"the step of {printable(step.tag)} goes back from {step.before} to {step.after}"
            self.find(offset, 0, STEP_BACKWARDS, message)
        self._records += len(sizes) - len(found.broken)
        self._whole += int(sizes.sum()) - sum(int(sizes[index]) for index, _ in found.broken)

    def _large(self, records: Records, large: Large) -> None:
        self._begin(large.start - HEADER, None)
        flaw = flaw_of(records, large)
        if flaw is not None:
            self._take(flaw_at(large.start, large.length, flaw))
            return
        self._records += 1
        self._whole += large.length + OVERHEAD

    def _begin(self, offset: int, found: Inspected | None) -> None:
        """Note it if the file's first whole record does not state the file's version."""
        if self._begun:
            return
        self._begun = True
        first = event(found.others[0][1]) if found and found.others and found.others[0][0] == 0 else None
        if first is None or first.what != FILE_VERSION:
            message = "the first event is no file version: TensorBoard judges by steps what is out of date"
            self.find(offset, 0, NO_FILE_VERSION, message)


def flaw_in(batch: Batch, index: int, flaw: Malformed) -> Finding:
    """The finding that a whole record of the batch is no event."""
    return flaw_at(batch.base + int(batch.starts[index]), int(batch.lengths[index]), flaw)


def flaw_at(start: int, length: int, flaw: Malformed) -> Finding:
    """The finding that the record with this payload is no event."""
    message = f"a record of {length} bytes is no event: {flaw} (at byte {flaw.at} of it)"
    return Finding(start - HEADER, length + OVERHEAD, PROTOBUF, message)


def printable(tag: bytes) -> str:
    """The tag in quotes, shortened, with everything escaped that a terminal might act on."""
    text = tag[:200].decode("utf-8", "replace")
    return repr(text if len(tag) <= 200 else f"{text}…")

"""A damaged event file made whole again: every whole event kept, everything else left out.

Order of events, so that a crash at any moment leaves the file as it was or as it is to be, and a copy of the
original in either case: the new file is written beside the old one under another name, synced, checked
record by record, and only then put in the old one's place by an atomic rename; before that, the old one
has been given a second name. Neither name has "tfevents" in it: TensorBoard would read such a file as well.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import TbasyncError
from ..wire.scan import FOOTER, HEADER
from .check import FileReport, Progress, check_file
from .inspect import Inspector, flaw_of
from .records import Batch, Gap, Records, ShrunkError

_PIECE = 1 << 20  # bytes of a long record that are copied together


class RepairError(TbasyncError):
    """A file could not be repaired; it is as it was. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What `repair` did.

    Attributes:
        before: the report on the file as it was.
        written: the new file: in the old one's place, or `output`; None when nothing had to be written.
        backup: the original, where it has been replaced.
        dropped: bytes of the original that are not in the new file.
    """

    before: FileReport
    written: Path | None
    backup: Path | None
    dropped: int


def repair(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Repair:
    """Make the event file at `path` whole, or write what is whole of it to the new file `output`.

    A file without errors is left alone, or copied to `output`. A symbolic link is followed: the file that it
    leads to is repaired, beside that file. The new file keeps the old one's permissions, times and, as far as
    the system allows, owner.

    Args:
        progress: called with the number of bytes dealt with; in the end the sum is three times the file's
            size, as it is checked, copied and checked again.

    Raises:
        RepairError: the file cannot be read, has no whole event, or is still being written to.
        OSError: the new file cannot be written, or `output` exists.
    """
    source, target = Path(os.path.realpath(path)), None if output is None else Path(output)
    before = check_file(source, progress)
    _refuse(path, before)
    if before.ok and target is None:
        return Repair(before, None, None, 0)
    directory = source.parent if target is None else target.parent
    draft = directory / f".tbasync-repair-{secrets.token_hex(8)}"
    try:
        found = _write(source, draft, progress)
        after = check_file(draft, progress)
        if not after.ok or (after.records, after.size) != (before.records, before.whole):
            raise RepairError(
                f"{os.fspath(path)} changed while it was repaired: stop what writes to it, and try again"
            )
        _refuse_if_changed(source, found)
        if target is None:
            backup = _keep(source)
            _sync_directory(directory)
            os.replace(draft, source)
        else:
            backup = None
            _place(draft, target)
        _sync_directory(directory)
    except ShrunkError as error:
        raise RepairError(f"{os.fspath(path)} has been cut short while it was repaired: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return Repair(before, target or source, backup, before.size - before.whole)


def _refuse(path: str | os.PathLike[str], report: FileReport) -> None:
    """Raise RepairError for a file of which nothing can be kept."""
    for finding in report.findings:
        if finding.kind == "unreadable":
            raise RepairError(f"{os.fspath(path)} cannot be read: {finding.message}")
    if not report.records and not report.ok:
        raise RepairError(f"{os.fspath(path)} has no whole event in it: is it an event file at all?")


def _write(source: Path, draft: Path, progress: Progress | None) -> os.stat_result:
    """Write the whole events of `source` to the new file `draft`, down to the disk.

    Returns what the operating system said of `source` before the first byte was read.
    """
    with Records(source) as records:
        status = records.status()
        with _create(draft, status) as file:
            for data in _whole(records):
                file.write(data)
                if progress:
                    progress(len(data))
            file.flush()
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(file.fileno())
        return status


def _create(draft: Path, status: os.stat_result) -> BinaryIO:
    """A new file with the permissions and, if it may be, the owner in `status`."""
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    if hasattr(os, "fchown"):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    return os.fdopen(descriptor, "wb")


def _whole(records: Records) -> Iterator[bytes | memoryview]:
    """The bytes of every whole event, framing included, in order; a piece is valid until the next one."""
    inspector = Inspector()
    for item in records:
        if isinstance(item, Batch):
            kept = np.ones(len(item.starts), bool)
            kept[[index for index, _ in inspector.inspect(item).broken]] = False
            yield from _runs(item, kept)
        elif not isinstance(item, Gap) and flaw_of(records, item) is None:
            stop = item.start + item.length + FOOTER
            for at in range(item.start - HEADER, stop, _PIECE):
                yield records.read(at, min(_PIECE, stop - at))


def _runs(batch: Batch, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[memoryview]:
    """The kept records of a batch, those that touch one another together."""
    heads, stops = batch.starts[kept] - HEADER, (batch.starts + batch.lengths)[kept] + FOOTER
    breaks = np.flatnonzero(heads[1:] != stops[:-1])
    firsts, lasts = np.append(0, breaks + 1)[: len(heads)], np.append(breaks, len(heads) - 1)[: len(heads)]
    for start, stop in zip(heads[firsts].tolist(), stops[lasts].tolist(), strict=True):
        yield batch.data.data[start:stop]


def _refuse_if_changed(source: Path, before: os.stat_result) -> None:
    """Raise RepairError if `source` is no longer the file that was read, or has been written to since."""
    now = os.stat(source)
    if (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) != (
        before.st_dev,
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    ):
        raise RepairError(f"{source} is being written to: stop the writer, and try again")


def _keep(source: Path) -> Path:
    """Give the file a second name, free until now, which no reader takes for an event file's."""
    name = f"{source.name.replace('tfevents', 'damaged')}.bak"
    for number in range(1000):
        backup = source.with_name(name if not number else f"{name}.{number}")
        try:
            os.link(source, backup)
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            if backup.exists():
                continue
            _copy(source, backup)
        return backup
    raise RepairError(f"{source} has a thousand backups beside it: move some of them away")


def _place(draft: Path, target: Path) -> None:
    """Give the draft its final name, which must be free."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(f"{target} exists") from None
        os.rename(draft, target)


def _copy(source: Path, backup: Path) -> None:
    """Copy the file down to the disk; never over another, and all of it or nothing."""
    with open(source, "rb") as old, open(backup, "xb") as new:
        try:
            shutil.copyfileobj(old, new, _PIECE)
            new.flush()
            os.fsync(new.fileno())
            shutil.copystat(source, backup)
        except BaseException:
            backup.unlink()
            raise


def _sync_directory(directory: Path) -> None:
    """Bring the directory's names to the disk, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

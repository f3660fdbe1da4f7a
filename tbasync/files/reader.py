"""Event files read back: tags -> arrays of steps, wall times and values, for tests and notebooks."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import TbasyncWarning
from .check import MOST_ERRORS, Finding, flaw_at, flaw_in
from .collect import Collector, Rows
from .fetch import fetched
from .paths import is_url
from .records import Batch, Cause, Gap, Records
from .series import KINDS, Metadata, Series, metadata_of, series_of
from .tree import event_files, run_files

_MOST_COMPARED = 1000  # tags of a run, with one that it does not have


class DamagedFileWarning(TbasyncWarning):
    """Part of an event file is damaged, and what was read is what is left."""


class Run(Mapping[str, Series]):
    """What one run logged: a mapping from tag to `Series`, by first appearance.

    Where one tag has values of several kinds, `run[tag]` is the first of them in the order of KINDS; the
    properties `scalars` to `tensors` tell them apart.

    Attributes:
        path: what was read.
        files: the event files, in the order in which they were read.
        events: how many events they hold.
        metadata: tag -> what its first value says of it; also of tags without any value, as hparams has them.
        graph: the last graph, a serialized GraphDef; None without any.
        run_metadata: tag -> serialized RunMetadata, which `add_graph` writes.
        damage: the damaged stretches that were left out, and in which file; MOST_ERRORS at most.
    """

    def __init__(
        self,
        path: Path,
        files: tuple[Path, ...],
        collected: Collector,
        rows: Rows,
        damage: tuple[tuple[Path, Finding], ...],
    ) -> None:
        self.path, self.files, self.damage = path, files, damage
        self.events = collected.events
        self.graph, self.run_metadata = collected.graph, collected.run_metadata
        self.metadata: dict[str, Metadata] = {
            collected.tags.names[number].decode(): metadata_of(stored)
            for number, stored in sorted(collected.metadata.items())
        }
        self._series: dict[str, dict[str, Series]] = {}
        for series in series_of(collected, rows):
            self._series.setdefault(series.tag, {})[series.kind] = series

    def __getitem__(self, tag: str) -> Series:
        kinds = self._series.get(tag)
        if kinds is None:
            raise KeyError(self._unknown(tag))
        return kinds[min(kinds, key=KINDS.index)]

    def get(self, tag: str, default: Any = None) -> Any:
        """`self[tag]`, or `default`."""
        return self[tag] if tag in self._series else default

    def __contains__(self, tag: object) -> bool:
        return tag in self._series

    def _unknown(self, tag: str) -> str:
        """What to say of a tag that there is not, and what might be meant: another, or one of a sub-run."""
        similar = difflib.get_close_matches(str(tag), islice(self._series, _MOST_COMPARED), n=1)
        runs = sorted({file.parent.name for file in self.path.glob("*/*tfevents*")})
        hints = [f"did you mean {similar[0]!r}?"] if similar else []
        if runs:
            hints.append(f"there are sub-runs: {', '.join(runs[:8])}{', ...' * (len(runs) > 8)}")
        return "; ".join([f"no tag {tag!r} in {self.path}", *hints])

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def __repr__(self) -> str:
        lines = [series.summary() for kinds in self._series.values() for series in kinds.values()]
        shown = lines if len(lines) <= 40 else [*lines[:39], f"... and {len(lines) - 39:,} more"]
        files = f"{len(self.files)} file{'s' * (len(self.files) != 1)}"
        return "\n  ".join([f"<Run {str(self.path)!r}: {files}, {self.events:,} events", *shown]) + ">"

    def of_kind(self, kind: str) -> dict[str, Series]:
        """Tag -> series of one kind; `kind` is one of KINDS."""
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        return {tag: kinds[kind] for tag, kinds in self._series.items() if kind in kinds}

    @property
    def scalars(self) -> dict[str, Series]:
        """Tag -> series of scalars."""
        return self.of_kind("scalar")

    @property
    def histograms(self) -> dict[str, Series]:
        """Tag -> series of histograms."""
        return self.of_kind("histogram")

    @property
    def images(self) -> dict[str, Series]:
        """Tag -> series of images."""
        return self.of_kind("image")

    @property
    def audio(self) -> dict[str, Series]:
        """Tag -> series of audio clips."""
        return self.of_kind("audio")

    @property
    def texts(self) -> dict[str, Series]:
        """Tag -> series of texts."""
        return self.of_kind("text")

    @property
    def tensors(self) -> dict[str, Series]:
        """Tag -> series of tensors, also what dashboards such as PR curves and meshes store in one."""
        return self.of_kind("tensor")


def read(
    path: str | os.PathLike[str], *, purge: bool = True, storage_options: Mapping[str, Any] | None = None
) -> Run:
    """Read an event file, or all event files of a run's directory in the order in which TensorBoard does.

    A million scalars take about half a second, and memory of 20 bytes each, 110 while they are read. Values of
    other kinds take the size of what is stored; a file that claims more than it holds costs nothing.

    Args:
        path: or the URL of a run in a remote store, which is copied to a temporary directory first; `Run.path`
            and `Run.files` name the copy, which is gone when this returns.
        purge: leave out what TensorBoard hides because the run was restarted at an earlier step (see
            `purge_step`), or because a series was reset. False: everything that is in the files.
        storage_options: for a URL, what fsspec's file system is to be made with.

    Whole records are read, also behind a damaged stretch, where TensorBoard stops. Damage is told by a
    DamagedFileWarning and in `Run.damage`; a torn record at a file's end is not, as a live file may have one.

    Raises:
        FileNotFoundError: there is nothing at `path`, or a directory without event files.
        OSError: a file cannot be read.
        ImportError: it is a URL, and fsspec or its package for such a store is not installed.
    """
    if is_url(os.fspath(path)):
        with fetched(os.fspath(path), storage_options or {}) as directory:
            return read(directory, purge=purge)
    where = Path(path)
    files = tuple(run_files(where)) if where.is_dir() else (where,)
    if not files:
        raise FileNotFoundError(_no_run(where))
    collected, damage = Collector(), list[tuple[Path, Finding]]()
    for file in files:
        damage += [(file, finding) for finding in _take(collected, file)]
    rows = collected.rows()
    if purge:
        shown = collected.history.visible(rows.tag, rows.record, rows.step)
        rows = rows if shown.all() else rows.take(shown)
    if damage:
        first, finding = damage[0]
        message = f"{first}: {finding.message} (at byte {finding.offset}); `tbasync verify` lists all damage"
        warnings.warn(message, DamagedFileWarning, stacklevel=2)
    return Run(where, files, collected, rows, tuple(damage))


def _take(collected: Collector, file: Path) -> list[Finding]:
    """Collect the file's events; the damaged stretches in it, but for a torn tail. At most MOST_ERRORS."""
    damage = list[Finding]()
    with Records(file) as records:
        for item in records:
            if isinstance(item, Gap):
                if item.cause != Cause.TORN or item.stop < records.size:
                    damage.append(Finding(item.start, item.stop - item.start, item.cause.value, item.detail))
            elif isinstance(item, Batch):
                damage += [flaw_in(item, index, flaw) for index, flaw in collected.batch(item).broken]
            elif flaw := collected.large(records, item):
                damage.append(flaw_at(item.start, item.length, flaw))
            del damage[MOST_ERRORS:]
    return damage


def _no_run(directory: Path) -> str:
    """Why there is nothing to read, and what might be meant."""
    files = event_files(directory, follow_links=True, on_error=lambda error: None)
    runs = list(islice(dict.fromkeys(str(file.parent) for file in islice(files, 10_000)), 5))
    found = f"; there are runs below it: {', '.join(runs)}" if runs else ""
    return f"no event files in {directory}{found}"

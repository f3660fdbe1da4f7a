"""What travels between ranks: blocks of columns.

A block, little-endian:

    header    "tR", version 1, 0; wall clock of the sender in seconds, float64; number of sections, uint32
    section   kind uint8; number of origins uint32; bytes of payload uint64; origins; payload
    origin    rank uint32; serial number uint64; state uint8
    table     the payload of kind 1: rows, columns, bytes of the series, 1 if a mask follows: uint32 each;
              series (JSON, one list of strings for each); for each row its series uint32, step int64 and wall
              time float64; for each column its rank uint32; values float64 (rows, columns); the mask, one bit
              for each value, padded to bytes
    payload   of kind 2: bytes of a table, uint32; the table, whose values number what follows; as often as need
              be, bytes of a `tbasync.Histogram`, uint32, and these

Columns, so that a table costs a few calls of numpy however long it is, and eight bytes for each further rank
of a node. A reader passes over the sections of kinds that it does not know.

An origin names a rank's contribution to a section, by the serial number that the rank gave it: whoever reads
the same contribution twice, because a rank died between sending it on and deleting it, can tell.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat, starmap
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..files.paths import sub_run

SCALARS, HISTOGRAMS = 1, 2

# What an origin says of its rank: that it lives and sends values, that it lives, that it has closed its
# writer (with its last values), that it has died.
VALUES, ALIVE, FINISHED, GONE = range(4)

_HEADER = struct.Struct("<2sBBdI")
_SECTION = struct.Struct("<BIQ")
_ORIGIN = struct.Struct("<IQB")
_TABLE = struct.Struct("<IIII")
_SIZE = struct.Struct("<I")
_MAGIC, _VERSION = b"tR", 1

# torch's store refuses values of more than 8 MiB, and ends the connection of who sends one.
BLOCK_BYTES = 1 << 20
# About what a section of one rank takes in memory at most, so that those of some hundred may be put side by side.
SECTION_BYTES = 1 << 17
# Side by side they take a cell for each rank and row: not done where that is larger than this, and than before.
_SMALL_BYTES = 1 << 16


class Series(NamedTuple):
    """What a value belongs to, the same on every rank.

    Attributes:
        run: the sub-run below the writer's directory; empty for the writer's own.
        tag: the tag.
        reductions: names joined by commas where the call gave some, else empty.
        style: how a point of it is written: empty for a plain scalar; else as `reduction.py` says.
    """

    run: str
    tag: str
    reductions: str = ""
    style: tuple[str, ...] = ()


@dataclass
class Table:
    """Scalars of one or several ranks: a row for each series and step, a column for each rank.

    Attributes:
        series: what the rows belong to.
        numbers: intp (rows,), each row's place in `series`.
        steps: int64 (rows,).
        wall_times: float64 (rows,), seconds since the epoch by the clock of the ranks' host.
        ranks: intp (columns,).
        values: float64 (rows, columns).
        present: bool (rows, columns), which of them were reported; None is all.
    """

    series: tuple[Series, ...]
    numbers: npt.NDArray[np.intp]
    steps: npt.NDArray[np.int64]
    wall_times: npt.NDArray[np.float64]
    ranks: npt.NDArray[np.intp]
    values: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_] | None = None

    def of_ranks(self, wanted: npt.NDArray[np.bool_]) -> Table:
        """The same table with only the columns that `wanted` (bool, (columns,)) marks."""
        present = None if self.present is None else self.present[:, wanted]
        head = (self.series, self.numbers, self.steps, self.wall_times)
        return Table(*head, self.ranks[wanted], self.values[:, wanted], present)


class Origin(NamedTuple):
    """A rank's part in a section; `serial` is 0 where there is nothing that could be read twice."""

    rank: int
    serial: int
    state: int


@dataclass
class Section:
    """Contributions of some ranks.

    Attributes:
        origins: who contributed; at most one entry for each rank.
        table: their scalars; of kind `HISTOGRAMS`, the places in `histograms`.
        kind: what the payload is.
        payload: the bytes of a kind that is unknown here.
        histograms: the bytes of each `tbasync.Histogram`.
    """

    origins: list[Origin]
    table: Table | None = None
    kind: int = SCALARS
    payload: bytes = b""
    histograms: Sequence[bytes] = ()

    @property
    def summaries(self) -> int:
        """How many values, or histograms, of its ranks it holds."""
        return 0 if self.table is None else self.table.values.size

    @property
    def nbytes(self) -> int:
        """About what it takes in memory."""
        return 40 * self.summaries + len(self.payload) + sum(map(len, self.histograms))


@dataclass
class Block:
    """What one process sends at once.

    Attributes:
        sent: the sender's wall clock, seconds since the epoch.
        sections: its contents.
    """

    sent: float
    sections: list[Section] = field(default_factory=list)


def encode_block(block: Block) -> bytes:
    """The bytes of a block."""
    return _framed(block.sent, list(map(_encode_section, block.sections)))


def _encode_section(section: Section) -> bytes:
    payload = _encode_payload(section)
    head = _SECTION.pack(section.kind, len(section.origins), len(payload))
    return b"".join((head, *starmap(_ORIGIN.pack, section.origins), payload))


def encode_blocks(sent: float, sections: Iterable[Section]) -> Iterator[tuple[bytes, int]]:
    """Sections as blocks of `BLOCK_BYTES` at most, or of a single section; and how many each holds.

    The next block is made when it is asked for.
    """
    parts: list[bytes] = []
    for data in map(_encode_section, sections):
        if parts and sum(map(len, parts)) + len(data) > BLOCK_BYTES:
            yield _framed(sent, parts), len(parts)
            parts = []
        parts.append(data)
    if parts:
        yield _framed(sent, parts), len(parts)


def _framed(sent: float, parts: Sequence[bytes]) -> bytes:
    return b"".join((_HEADER.pack(_MAGIC, _VERSION, 0, sent, len(parts)), *parts))


def decode_block(data: bytes) -> Block:
    """The block of some bytes; its arrays are views of them.

    Raises:
        ValueError: they are none.
    """
    try:
        return _decode_block(data)
    except (struct.error, UnicodeDecodeError, TypeError, RecursionError) as error:
        raise ValueError(f"not a block of scalars: {error}") from error


def _decode_block(data: bytes) -> Block:
    magic, version, _, sent, count = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        raise ValueError(
            f"not a block of scalars: it begins with {data[:3]!r}; do all ranks run one version?"
        )
    block, place = Block(sent), _HEADER.size
    for _ in range(count):
        kind, origin_count, size = _SECTION.unpack_from(data, place)
        start = place + _SECTION.size
        place = start + origin_count * _ORIGIN.size
        if place + size > len(data):
            raise ValueError(f"not a block of scalars: a section ends beyond its {len(data)} bytes")
        origins = list(starmap(Origin, _ORIGIN.iter_unpack(data[start:place])))
        payload = data[place : place + size]
        place += size
        block.sections.append(_decode_payload(kind, origins, payload))
    return block


def _encode_payload(section: Section) -> bytes:
    if section.table is None:
        return section.payload
    table = _encode_table(section.table)
    if section.kind == SCALARS:
        return table
    parts = [_SIZE.pack(len(table)), table]
    for histogram in section.histograms:
        parts += (_SIZE.pack(len(histogram)), histogram)
    return b"".join(parts)


def _decode_payload(kind: int, origins: list[Origin], payload: bytes) -> Section:
    if kind == SCALARS and payload:
        return Section(origins, _decode_table(payload))
    if kind == HISTOGRAMS:
        parts = []
        place = 0
        while place < len(payload):
            (size,) = _SIZE.unpack_from(payload, place)
            place += _SIZE.size + size
            parts.append(payload[place - size : place])
        if place > len(payload) or not parts:
            raise ValueError("not a block of scalars: its histograms are cut short")
        table, *histograms = _decode_table(parts[0]), *parts[1:]
        if not np.isin(table.values, np.arange(len(histograms))).all():
            raise ValueError("not a block of scalars: it names histograms that are not there")
        return Section(origins, table, kind, histograms=histograms)
    return Section(origins, None, kind, payload)


def _encode_table(table: Table) -> bytes:
    series = json.dumps(table.series, separators=(",", ":")).encode()
    rows, columns = table.values.shape
    parts: list[Any] = [
        _TABLE.pack(rows, columns, len(series), table.present is not None),
        series,
        table.numbers.astype("<u4"),
        table.steps.astype("<i8"),
        table.wall_times.astype("<f8"),
        table.ranks.astype("<u4"),
        table.values.astype("<f8"),
    ]
    if table.present is not None:
        parts.append(np.packbits(table.present))
    return b"".join(part if isinstance(part, bytes) else part.tobytes() for part in parts)


def _decode_table(data: bytes) -> Table:
    rows, columns, size, masked = _TABLE.unpack_from(data)
    cells = rows * columns
    expected = _TABLE.size + size + 20 * rows + 4 * columns + 8 * cells + (-(-cells // 8) if masked else 0)
    if len(data) != expected:
        raise ValueError(f"not a table: {len(data)} bytes instead of {expected}")
    place = _TABLE.size + size
    series = _series_of(data[_TABLE.size : place])

    def take(dtype: str, count: int) -> npt.NDArray[Any]:
        nonlocal place
        column = np.frombuffer(data, dtype, count, place)
        place += column.nbytes
        return column

    numbers = take("<u4", rows).astype(np.intp)
    if rows and int(numbers.max()) >= len(series):
        raise ValueError("not a table: a row belongs to a series that is not there")
    steps, wall_times = take("<i8", rows), take("<f8", rows)
    ranks = take("<u4", columns).astype(np.intp)
    values = take("<f8", cells).reshape(rows, columns)
    present = None
    if masked:
        present = np.unpackbits(take("u1", -(-cells // 8)), count=cells).view(np.bool_).reshape(rows, columns)
    return Table(series, numbers, steps, wall_times, ranks, values, present)


@functools.lru_cache(maxsize=1024)
def _series_of(data: bytes) -> tuple[Series, ...]:
    # Every interval brings the same series again, and every node brings the same ones.
    found = tuple(
        Series(str(run), str(tag), str(reductions), tuple(map(str, style)))
        for run, tag, reductions, style in json.loads(data)
    )
    for series in found:
        if series.run:
            sub_run("", series.run)
    return found


def merge(sections: Iterable[Section]) -> list[Section]:
    """The same contributions in as few sections as can be: a node's ranks side by side.

    Of each rank's contributions the first are put into one section, the second into another, and so on:
    no section holds two of one rank, so that a reader may leave out what it has had already.

    Args:
        sections: contributions of single ranks, each rank's in the order in which it made them.
    """
    generations: list[list[Section]] = []
    met: dict[int, int] = {}
    rest = []
    for section in sections:
        if section.kind != SCALARS or len(section.origins) != 1:
            rest.append(section)
            continue
        rank = section.origins[0].rank
        generation = met[rank] = met.get(rank, -1) + 1
        if generation == len(generations):
            generations.append([])
        generations[generation].append(section)
    return [*chain.from_iterable(map(_merge_generation, generations)), *rest]


def _merge_generation(sections: Sequence[Section]) -> Sequence[Section]:
    origins = [section.origins[0] for section in sections]
    sections = sorted(sections, key=lambda section: section.origins[0].rank)
    tables = [section.table for section in sections if section.table is not None]
    if len(tables) < 2:
        return [Section(origins, tables[0] if tables else None)]
    table = _merge_tables(tables)
    return sections if table is None else [Section(origins, table)]


def _merge_tables(tables: Sequence[Table]) -> Table | None:
    """Tables of different ranks as one; what a rank reports twice stays in rows of its own.

    None if it would be large and hardly filled, as of ranks that are out of step.
    """
    numbers: dict[Series, int] = {}
    rows: dict[tuple[int, int, int], int] = {}
    places = []
    for table in tables:
        own = [numbers.setdefault(series, len(numbers)) for series in table.series]
        keys = _nth([(own[number], step) for number, step in zip(*_keys(table), strict=True)])
        places.append([rows.setdefault(key, len(rows)) for key in keys])
    ranks = np.concatenate([table.ranks for table in tables])
    apart = sum(map(_cells_nbytes, (len(place) for place in places), repeat(1)))
    if _cells_nbytes(len(rows), len(ranks)) > max(_SMALL_BYTES, apart):
        return None
    values = np.zeros((len(rows), len(ranks)))
    present = np.zeros(values.shape, np.bool_)
    wall_times = np.empty(len(rows))
    column = 0
    for table, place in zip(tables, places, strict=True):
        after = column + len(table.ranks)
        values[place, column:after] = table.values
        present[place, column:after] = True if table.present is None else table.present
        wall_times[place] = table.wall_times
        column = after
    keys_of_rows = np.array([key[:2] for key in rows], np.int64).reshape(-1, 2)
    head = (tuple(numbers), keys_of_rows[:, 0].astype(np.intp), keys_of_rows[:, 1], wall_times)
    return Table(*head, ranks, values, None if present.all() else present)


def _cells_nbytes(rows: int, ranks: int) -> int:
    return rows * (20 + 8 * ranks)


def _keys(table: Table) -> tuple[list[int], list[int]]:
    return table.numbers.tolist(), table.steps.tolist()


def _nth(keys: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Each key with how many equal ones precede it."""
    if len(set(keys)) == len(keys):
        return [(*key, 0) for key in keys]
    counts: dict[tuple[int, int], int] = {}
    numbered = []
    for key in keys:
        count = counts[key] = counts.get(key, -1) + 1
        numbered.append((*key, count))
    return numbered

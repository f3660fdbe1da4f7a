"""The records of a batch of scalars, as the rows of one table, filled column by column.

    | header 12, 09 | time 8 | 10 | step ≤ 10 | 2A … 0A … 0A … tag 15 | value 4 | crc 4 |
                                    ^ padded    ^ padded to the longest tag

Each column is filled in one numpy operation; where rows differ in length the padding is masked out in another,
and what remains is the records in the order in which they were given. The data's CRC is that of the tag's
template (with zeros for time, step and value) xor the contribution of every byte that varies (see `crc.py`); a
record's varying bytes lie at a distance from its end that only its tag and its step's length decide.

Columns of several bytes are fields of a structured array, and tables are indexed, not taken from: below 500 rows
numpy then does it all without giving the GIL back in between. Each time that it does while a loop waits
for it costs a system call here, and there a thread that is woken only to find the GIL gone again.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .crc import contributions, mask
from .record import HEADER_SIZE, headers

STEP_WIDTH = 10
"""The bytes of the longest varint."""

VALUE_SIZE = 4

_HEAD = HEADER_SIZE + 1  # with the key of the time
_STEP_KEY = _HEAD + 8
_STEP = _STEP_KEY + 1
_LENGTHS = 320  # more than the longest data that a row can hold

_U8 = npt.NDArray[np.uint8]
_U32 = npt.NDArray[np.uint32]
_INT = npt.NDArray[np.intp]
_VOID = npt.NDArray[np.void]


class Templates(NamedTuple):
    """What is constant for each tag, in arrays that are indexed by the tag's number.

    Attributes:
        middles: void, the bytes from the summary's key to the value's key, padded to one width.
        present: void of that width, for each of those bytes whether (1) it is no padding (0).
        sizes: how many are not.
        crcs: uint32 of shape (tags, 11), the CRC of an event whose time, step and value bytes are all zero, by the
            length of its step's varint; column 0 is for an event without a step.
    """

    middles: _VOID
    present: _VOID
    sizes: _INT
    crcs: _U32


def table(rows: _U8 | npt.NDArray[np.bool_]) -> _VOID:
    """A contiguous matrix of bytes with one element for each row."""
    voids: _VOID = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    return voids


def records(
    templates: Templates,
    ids: _INT,
    values: npt.NDArray[np.float64],
    steps: npt.NDArray[np.int64],
    wall_times: npt.NDArray[np.float64],
) -> bytes:
    """The records, one after the other, of arrays with an element for each.

    Args:
        templates: of all tags.
        ids: the tags' numbers.
        values: what to write as float32; a finite value beyond its range becomes infinite.
        steps: the steps.
        wall_times: seconds since the epoch.
    """
    with np.errstate(all="ignore"):
        floats = values.astype("<f4")
    sizes = templates.sizes[ids]
    step_sizes, step_bytes = _varints(steps)
    after_step = sizes + VALUE_SIZE
    after_time = after_step + step_sizes + (step_sizes > 0)  # with the step's key

    rows = np.empty(len(ids), _layout(len(step_bytes), templates.middles.itemsize))
    matrix = rows.view(np.uint8).reshape(len(ids), -1)
    rows["head"] = _heads()[after_time + 9]
    rows["time"] = wall_times
    matrix[:, _STEP_KEY] = 0x10
    for place, column in enumerate(step_bytes, _STEP):
        matrix[:, place] = column
    rows["middle"] = templates.middles[ids]
    rows["value"] = floats

    crcs = templates.crcs[ids, step_sizes]
    crcs ^= _crc_of_times(wall_times, after_time)
    after = (after_step + step_sizes) << 8
    for place, column in enumerate(step_bytes, 1):
        crcs ^= _flat()[after + column - (place << 8)]
    for place, column in enumerate(floats.view(np.uint8).reshape(-1, VALUE_SIZE).T, 1):
        crcs ^= contributions(VALUE_SIZE)[VALUE_SIZE - place][column]
    rows["crc"] = mask(crcs)

    steps_fill = bool(step_bytes) and len(step_bytes) == int(step_sizes.min())
    if steps_fill and int(sizes.min()) == templates.middles.itemsize:
        return rows.tobytes()
    meant = np.empty_like(rows)
    flags = meant.view(np.bool_).reshape(matrix.shape)
    table(flags)[:] = table(np.ones((1, matrix.shape[1]), np.bool_))[0]
    meant["middle"] = templates.present[ids]
    if not steps_fill:
        flags[:, _STEP_KEY] = step_sizes > 0
        for place in range(len(step_bytes)):
            flags[:, _STEP + place] = step_sizes > place
    return matrix[flags].tobytes()


@cache
def _layout(step: int, middle: int) -> np.dtype[Any]:
    fields: list[tuple[str, Any]] = [
        ("head", (np.void, _HEAD)),
        ("time", "<f8"),
        ("step", (np.void, 1 + step)),
        ("middle", (np.void, middle)),
        ("value", "<f4"),
        ("crc", "<u4"),
    ]
    return np.dtype(fields)


@cache
def _heads() -> _VOID:
    """For data of 0, 1, … bytes the record's header, and the key of the time that the data begins with."""
    time_keys = np.full((_LENGTHS, 1), 0x09, np.uint8)
    return table(np.concatenate((headers(_LENGTHS), time_keys), axis=1))


def _varints(steps: npt.NDArray[np.int64]) -> tuple[_INT, list[_U8]]:
    """The lengths of the steps' varints, 0 for 0, and their bytes by place, with zeros behind the end."""
    unsigned = steps.view(np.uint64)
    sizes = (unsigned > 0).astype(np.intp)
    columns = []
    for place in range(-(-int(unsigned.max()).bit_length() // 7)):
        rest = unsigned >> np.uint64(7 * place)
        more = rest > 0x7F
        columns.append((rest & 0x7F).astype(np.uint8) | (more.view(np.uint8) << np.uint8(7)))
        sizes += more
    return sizes, columns


@cache
def _flat() -> _U32:
    """The contribution of byte `b` before `k` other bytes, at `256 * k + b`."""
    return contributions(_LENGTHS).ravel()


def _crc_of_times(wall_times: npt.NDArray[np.float64], after: _INT) -> _U32:
    """What the eight bytes of each time contribute; `after`: the bytes that follow them in each row.

    A batch spans a fraction of a second, so the upper bytes of its times are all the same: what those
    contribute is found once for each distance and not once for each record.
    """
    bits = wall_times.view("<u8")
    first = int(bits[0])
    varying = -(-int(np.bitwise_or.reduce(bits ^ bits[0])).bit_length() // 8)
    crcs = _crc_of_upper(first >> 8 * varying, varying)[after]
    columns, distances = wall_times.view(np.uint8).reshape(-1, 8), after << 8
    for place in range(varying):
        crcs ^= _flat()[distances + columns[:, place] + (7 - place << 8)]
    return crcs


@lru_cache(maxsize=8)
def _crc_of_upper(upper: int, varying: int) -> _U32:
    """What the upper bytes of a time contribute, by how many bytes follow the time."""
    constant = np.zeros(_LENGTHS - 8, np.uint32)
    for place, byte in enumerate(upper.to_bytes(8 - varying, "little"), varying):
        constant ^= contributions(_LENGTHS)[7 - place : 7 - place + len(constant), byte]
    return constant

"""Blocks: what travels between ranks."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.files.paths import sub_run
from tbasync.ranks.block import (
    FINISHED,
    HISTOGRAMS,
    VALUES,
    Block,
    Origin,
    Section,
    Series,
    Table,
    decode_block,
    encode_block,
    merge,
)

texts = st.text(st.characters(codec=None), max_size=8)


def is_run(name):
    """Whether a run below the writer's directory may be called so."""
    with contextlib.suppress(ValueError):
        return not name or bool(sub_run("", name))
    return False


series = st.builds(
    Series,
    texts.filter(is_run),
    texts,
    st.sampled_from(["", "mean", "min,max"]),
    st.lists(texts, max_size=3).map(tuple),
)
floats = st.floats(allow_nan=True, width=64)


@st.composite
def tables(draw, columns=None):
    """A table of any shape."""
    names = tuple(draw(st.lists(series, min_size=1, max_size=4, unique=True)))
    rows = draw(st.integers(0, 5))
    ranks = draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True))
    ranks = ranks if columns is None else columns
    cells = rows * len(ranks)
    values = draw(st.lists(floats, min_size=cells, max_size=cells))
    present = draw(st.none() | st.lists(st.booleans(), min_size=cells, max_size=cells))
    return Table(
        names,
        np.array(draw(st.lists(st.integers(0, len(names) - 1), min_size=rows, max_size=rows)), np.intp),
        np.array(draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=rows, max_size=rows)), np.int64),
        np.array(draw(st.lists(floats, min_size=rows, max_size=rows))),
        np.array(ranks, np.intp),
        np.array(values, np.float64).reshape(rows, len(ranks)),
        None if present is None else np.array(present, np.bool_).reshape(rows, len(ranks)),
    )


origins = st.builds(Origin, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 3))
sections = st.builds(Section, st.lists(origins, max_size=3), st.none() | tables())
unknown = st.builds(
    Section, st.lists(origins, max_size=3), st.none(), st.integers(3, 255), st.binary(min_size=1, max_size=9)
)


def equal(one, other):
    """Whether two tables are the same, bit for bit."""
    if one is None or other is None:
        return one is other
    arrays = ("numbers", "steps", "wall_times", "ranks", "values")
    same = all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in arrays)
    masks = [mask if mask is None else mask.tolist() for mask in (one.present, other.present)]
    same_mask = masks[0] == masks[1]
    return same and same_mask and one.series == other.series and one.values.shape == other.values.shape


@st.composite
def histogram_sections(draw):
    """A section of histograms, any bytes, each row with its own."""
    table = draw(tables(columns=[draw(st.integers(0, 9))]))
    table.values = np.arange(float(len(table.steps))).reshape(-1, 1)
    contents = draw(st.lists(st.binary(max_size=9), min_size=len(table.steps), max_size=len(table.steps)))
    return Section(draw(st.lists(origins, max_size=1)), table, HISTOGRAMS, histograms=contents)


@given(floats, st.lists(sections | unknown | histogram_sections(), max_size=3))
def test_blocks_come_back_as_they_were(sent, contents):
    """Every block, also one with sections of unknown kinds, is read as it was written."""
    block = decode_block(encode_block(Block(sent, contents)))
    assert np.float64(block.sent).tobytes() == np.float64(sent).tobytes()
    for read, written in zip(block.sections, contents, strict=True):
        assert (read.origins, read.kind) == (written.origins, written.kind)
        assert (read.payload, list(read.histograms)) == (written.payload, list(written.histograms))
        assert equal(read.table, written.table)


@given(st.lists(sections | histogram_sections(), min_size=1, max_size=2), st.data())
@settings(max_examples=300)
def test_damaged_blocks_are_refused(contents, data):
    """Whatever is cut or changed, reading gives a block or a ValueError, and nothing else."""
    encoded = bytearray(encode_block(Block(0.0, contents)))
    if data.draw(st.booleans()):
        del encoded[data.draw(st.integers(0, len(encoded) - 1)) :]
    for _ in range(data.draw(st.integers(1, 3)) if encoded else 0):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        decode_block(bytes(encoded))


@pytest.mark.parametrize("data", [b"", b"tR", b"no block at all, but long enough", b"tR\x02" + bytes(30)])
def test_what_is_no_block(data):
    """Bytes of another kind or version are refused."""
    with pytest.raises(ValueError, match="not a block of scalars"):
        decode_block(data)


def contribution(rank, serial, rows, state=VALUES):
    """A section of one rank with a table of `rows`: (tag, step, value)."""
    names = tuple(dict.fromkeys(Series("", tag) for tag, _, _ in rows))
    table = Table(
        names,
        np.array([names.index(Series("", tag)) for tag, _, _ in rows], np.intp),
        np.array([step for _, step, _ in rows], np.int64),
        np.full(len(rows), 7.0),
        np.array([rank], np.intp),
        np.array([[value] for _, _, value in rows], np.float64).reshape(-1, 1),
    )
    return Section([Origin(rank, serial, state)], table if rows else None)


def contents(sections):
    """What sections say: rank and serial number -> its rows, sorted."""
    said = {origin[:2]: [] for section in sections for origin in section.origins}
    for section in sections:
        table = section.table
        if table is None:
            continue
        serials = {origin.rank: origin.serial for origin in section.origins}
        for column, rank in enumerate(table.ranks.tolist()):
            for row in range(len(table.steps)):
                if table.present is None or table.present[row, column]:
                    value = (
                        table.series[table.numbers[row]].tag,
                        int(table.steps[row]),
                        table.values[row, column],
                    )
                    said[rank, serials[rank]].append(value)
    return {key: sorted(rows) for key, rows in said.items()}


rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.floats(allow_nan=False)), max_size=6)


@given(st.lists(st.tuples(st.integers(0, 3), rows), max_size=8))
def test_merging_keeps_every_contribution(given_rows):
    """A merged block says what its sections said, with one column for each rank of a section."""
    sections = [contribution(rank, serial, some) for serial, (rank, some) in enumerate(given_rows)]
    merged = merge(sections)
    assert contents(merged) == contents(sections)
    for section in merged:
        ranks = [origin.rank for origin in section.origins]
        assert len(set(ranks)) == len(ranks)
    most = max((sum(rank == other for other, _ in given_rows) for rank, _ in given_rows), default=0)
    assert len(merged) == most


def test_merging_makes_columns_of_ranks_in_step():
    """Ranks that report the same rows share them: eight bytes for each further rank, and no mask."""
    rows = [("loss", step, 0.5) for step in range(100)]
    merged = merge([contribution(rank, 1, rows) for rank in range(8)])
    assert merged[0].table.values.shape == (100, 8)
    assert merged[0].table.present is None
    size = len(encode_block(Block(0.0, merged)))
    alone = len(encode_block(Block(0.0, [contribution(0, 1, rows)])))
    assert size < alone + 7 * (8 * 100 + 20)


def test_merging_keeps_last_words_and_unknown_kinds():
    """A section without a table, or of a kind that this version does not know, passes through."""
    last = contribution(1, 5, [], FINISHED)
    other = Section([Origin(2, 6, VALUES)], None, 9, b"something new")
    merged = merge([last, other])
    assert merged == [last, other]

"""Numbers for tags by column, against a plain dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.files.tags import Tags
from tbasync.wire.columns import Block, Layout, Slot


def block_of(tags: list[bytes]) -> tuple[Block, Slot]:
    """A block whose records are nothing but a tag, all of one width."""
    rows = np.frombuffer(b"".join(b"?" + tag for tag in tags), np.uint8).reshape(len(tags), -1)
    slot = Slot((1, rows.shape[1]), (0, 0), False, "<f4", b"")
    none = np.zeros(0, np.uint64)
    return Block(Layout(none, none, (0, 0), (0, 0), (slot,)), np.arange(len(tags)), rows), slot


batches = st.integers(0, 20).flatmap(
    lambda width: st.lists(st.binary(min_size=width, max_size=width), min_size=1, max_size=40)
)


@given(st.lists(batches, max_size=6), st.lists(st.binary(max_size=20), max_size=5))
@settings(max_examples=150, deadline=None)
def test_each_tag_has_one_number(columns: list[list[bytes]], singles: list[bytes]) -> None:
    """Tags by column and one by one get the same number if they are the same tag, and only then."""
    tags, expected = Tags(), dict[bytes, int]()
    for column in [*columns, *columns]:
        for tag, number in zip(column, tags.numbers(*block_of(column)).tolist(), strict=True):
            assert expected.setdefault(tag, number) == number
        for tag in singles:
            assert expected.setdefault(tag, tags.number(tag)) == tags.number(tag)
    assert len(set(expected.values())) == len(expected)
    assert all(tags.names[number] == tag for tag, number in expected.items())


@pytest.mark.parametrize("width", [4, 8, 20])
def test_thousands_of_tags(width: int) -> None:
    """The table grows with the tags, which keep their numbers, whatever their hashes."""
    tags, names = Tags(), [f"{number:0{width}}".encode() for number in range(3000)]
    for _ in range(2):
        for start in range(0, 3000, 500):
            numbers = tags.numbers(*block_of(names[start : start + 500]))
            assert numbers.tolist() == list(range(start + 1, start + 501))


def test_nul_bytes_tell_tags_apart() -> None:
    """Tags that differ in NUL bytes alone are different tags."""
    tags = Tags()
    names = [b"a\0\0\0", b"a\0", b"a", b"\0a", b"\0\0"]
    numbers = [int(tags.numbers(*block_of([name, b"x" * len(name)]))[0]) for name in names]
    assert len(set(numbers)) == len(names)
    assert [tags.names[number] for number in numbers] == names


def test_limits() -> None:
    """Beyond the number and the length of tags allowed, a tag has number 0, and known ones keep theirs."""
    tags = Tags(most=3, longest=4)
    assert tags.numbers(*block_of([b"aa", b"bb", b"cc", b"dd", b"aa"])).tolist() == [1, 2, 3, 0, 1]
    assert tags.numbers(*block_of([b"dd", b"bb"])).tolist() == [0, 2]
    assert Tags(longest=4).number(b"long!") == 0
    assert Tags(longest=4).numbers(*block_of([b"long!", b"short"])).tolist() == [0, 0]

"""Pieces: they cover everything, rest now and then, and grow when another thread holds on to the GIL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync.encode import pieces as module
from tbasync.encode.pieces import PIECE, pieces

from .support import examples


@examples(100)
@given(st.integers(0, 5000), st.integers(1, 700))
def test_pieces_cover_everything_once(total: int, size: int) -> None:
    """In order, without gaps or overlaps; all but the last of the size asked for."""
    parts = list(pieces(total, size))
    assert [i for part in parts for i in range(total)[part]] == list(range(total))
    assert all((part.stop - part.start) % size == 0 for part in parts[:-1])


class Clock:
    """A clock that the consumer of the pieces moves, and that counts the rests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.rests = 0.0, 0
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(module.time, "sleep", self._rest)

    def _rest(self, _: float) -> None:
        self.rests += 1

    def consume(self, total: int, seconds: Callable[[int], float]) -> list[int]:
        """Takes all pieces, each for as long as `seconds` of its length says; returns their lengths."""
        sizes = []
        for part in pieces(total):
            sizes.append(part.stop - part.start)
            self.now += seconds(sizes[-1])
        return sizes


def test_one_piece_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is encoded in one piece costs no sleep, however long it takes."""
    clock = Clock(monkeypatch)
    assert clock.consume(PIECE, lambda _: 0.003) == [PIECE]
    assert clock.rests == 0


def test_the_gil_is_offered_every_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that nobody disturbs rests after each millisecond of work, and keeps its small pieces."""
    clock = Clock(monkeypatch)
    sizes = clock.consume(40 * PIECE, lambda _: 0.00025)
    assert set(sizes) == {PIECE}
    assert clock.rests == 9  # 40 pieces make 10 milliseconds; none after the last


def test_pieces_grow_while_the_gil_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for the GIL takes fewer and larger pieces, up to a bound, and does not rest."""
    clock = Clock(monkeypatch)
    sizes = clock.consume(100 * PIECE, lambda _: 0.02)
    assert [size // PIECE for size in sizes[:7]] == [1, 2, 4, 8, 16, 16, 16]
    assert clock.rests == 0

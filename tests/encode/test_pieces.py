"""Pieces: they cover everything, offer the interpreter in between, and grow when another thread holds on to the GIL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync.encode import pieces as module
from tbasync.encode.pieces import PIECE, pieces
from tbasync.rests import resting

from .support import examples


@examples(100)
@given(st.integers(0, 5000), st.integers(1, 700))
def test_pieces_cover_everything_once(total: int, size: int) -> None:
    """In order, without gaps or overlaps; all but the last of the size asked for."""
    parts = list(pieces(total, size))
    assert [i for part in parts for i in range(total)[part]] == list(range(total))
    assert all((part.stop - part.start) % size == 0 for part in parts[:-1])


class Clock:
    """A clock that the consumer of the pieces moves; an offer of the interpreter is counted, and takes its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, waits: float = 0.0) -> None:
        self.now, self.offers, self._waits = 0.0, 0, waits
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)

    def _rest(self) -> None:
        self.offers += 1
        self.now += self._waits

    def consume(self, total: int, seconds: Callable[[int], float]) -> list[int]:
        """Takes all pieces, each for as long as `seconds` of its length says; returns their lengths."""
        sizes = []
        with resting(self._rest):
            for part in pieces(total):
                sizes.append(part.stop - part.start)
                self.now += seconds(sizes[-1])
        return sizes


def test_one_piece_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is encoded in one piece is not interrupted, however long it takes."""
    clock = Clock(monkeypatch)
    assert clock.consume(PIECE, lambda _: 0.003) == [PIECE]
    assert clock.offers == 0


def test_the_interpreter_is_offered_between_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that nobody disturbs keeps its small pieces; how long an offer takes is not held against them."""
    clock = Clock(monkeypatch, waits=0.02)
    sizes = clock.consume(40 * PIECE, lambda _: 0.00025)
    assert set(sizes) == {PIECE}
    assert clock.offers == 39


def test_pieces_grow_while_the_gil_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for the GIL takes fewer and larger pieces, up to a bound."""
    clock = Clock(monkeypatch)
    sizes = clock.consume(100 * PIECE, lambda _: 0.02)
    assert [size // PIECE for size in sizes[:7]] == [1, 2, 4, 8, 16, 16, 16]

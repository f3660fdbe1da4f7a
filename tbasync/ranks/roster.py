"""Which ranks live, and what of theirs has been read already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .block import FINISHED, GONE, VALUES, Origin

# So many contributions back a rank's serial numbers are remembered: a contribution comes twice within an
# interval or two, when one rank has taken over from another that died.
_WINDOW = 256
# Serial numbers start at a random number of 63 bits in each process: further away than this, it is a new one.
_ANOTHER_PROCESS = 1 << 32


class _Window:
    """The serial numbers met of one process: the highest, and a bit for each below it."""

    def __init__(self, serial: int) -> None:
        self.highest = serial
        self._met = 1

    def note(self, serial: int) -> bool:
        """Whether `serial` is met for the first time."""
        ahead = serial - self.highest
        if ahead > 0:
            self._met = (self._met << ahead | 1) & ((1 << _WINDOW) - 1) if ahead < _WINDOW else 1
            self.highest = serial
            return True
        bit = 1 << -ahead
        if -ahead >= _WINDOW or self._met & bit:
            return False
        self._met |= bit
        return True


class Roster:
    """What the writing rank knows of each rank. For one thread at a time; times are `time.monotonic()`.

    Only the time at which something arrives here counts, so that no two clocks are ever compared.
    """

    def __init__(self, world: int, own_rank: int, silence: float, now: float) -> None:
        """Everyone lives at first.

        Args:
            world: number of ranks.
            own_rank: this one, which lives until it says otherwise.
            silence: seconds without a word after which a rank counts as dead.
            now: the time.
        """
        self._silence = silence
        self._heard = np.full(world, now)
        self._heard[own_rank] = np.inf
        self._reported = np.full(world, -np.inf)
        self._closed = np.zeros(world, np.bool_)
        self._met = np.zeros(world, np.bool_)
        self._met[own_rank] = True
        self._own_rank = own_rank
        self._windows: dict[int, _Window] = {}
        self._last_words: dict[int, int] = {}

    def note(self, origin: Origin, now: float) -> bool:
        """Takes notice of what a rank says; whether its contribution is new."""
        rank, serial, state = origin
        if rank >= len(self._heard) or rank == self._own_rank:
            return False
        if serial and not self._is_new(rank, serial):
            return False
        if state == GONE:
            self._closed[rank] = True
            # What of its values is still on its way does not bring it back to life.
            if rank in self._windows:
                self._last_words[rank] = self._windows[rank].highest + _ANOTHER_PROCESS // 2
            return True
        self._heard[rank] = now
        self._met[rank] = True
        if state in (VALUES, FINISHED):
            self._reported[rank] = now
            # A rank that only lives, or whose values were overtaken by its last word, may have closed its
            # writer since: that takes nothing back.
            if state == FINISHED:
                self._last_words[rank] = serial
            if state == FINISHED or not 0 < self._last_words.get(rank, 0) - serial < _ANOTHER_PROCESS:
                self._closed[rank] = state == FINISHED
        return True

    def note_own(self, *, closed: bool) -> None:
        """Whether this rank itself has nothing more to report."""
        self._closed[self._own_rank] = closed

    def _is_new(self, rank: int, serial: int) -> bool:
        window = self._windows.get(rank)
        if window is None or abs(serial - window.highest) > _ANOTHER_PROCESS:
            self._windows[rank] = _Window(serial)
            return True
        return window.note(serial)

    def alive(self, now: float) -> npt.NDArray[np.bool_]:
        """bool (world,), the ranks that may still report."""
        living: npt.NDArray[np.bool_] = ~self._closed & (now - self._heard < self._silence)
        return living

    def busy(self, now: float, quiet: float) -> npt.NDArray[np.bool_]:
        """bool (world,), the others that live and have reported within the last `quiet` seconds, or never."""
        recently = (now - self._reported < quiet) | np.isneginf(self._reported)
        busy: npt.NDArray[np.bool_] = self.alive(now) & recently
        busy[self._own_rank] = False
        return busy

    def never_met(self) -> Sequence[int]:
        """The ranks of whom nothing has been heard yet."""
        return [int(rank) for rank in np.flatnonzero(~self._met)]

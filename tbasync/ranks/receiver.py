"""The writing rank's end: it reads what the others post and hands it to the writer thread."""

from __future__ import annotations

import time
from typing import Protocol

from .block import ALIVE, GONE, Block, Origin, Section, decode_block
from .side import Side
from .team import Store, Team

_MOST_ROUNDS = 1024
# Bytes that are read without the writer thread having taken what was read before, and how long somebody who waits
# for more than that has it wait for the thread.
_MOST_AHEAD = 32 << 20
_AHEAD_SECONDS = 1.0
_LOOK_SECONDS = 0.001
_BLOCKS_AT_A_STRETCH = 4
_REST_SECONDS = 50e-6


class Hearer(Protocol):
    """Who is told what the ranks have sent; not on the thread that tells."""

    def hear(self, blocks: list[Block]) -> None:
        """Takes blocks, at most a few intervals' worth; empty ones may be all there is to say."""

    def keeps_up(self) -> bool:
        """Whether what it was told before has been dealt with."""


class Receiver(Side):
    """The end of the rank that writes."""

    def __init__(self, team: Team, hearer: Hearer) -> None:
        """Starts with nothing read.

        Args:
            team: the ranks.
            hearer: who is told.
        """
        super().__init__(team)
        self._hearer = hearer
        self._sign_due = 0.0

    def _open(self, store: Store) -> None:
        self._mailbox = self._root(store)

    def turn(self, *, urgent: bool, last: bool) -> bool:
        """Reads what has been posted; see `Side.turn`."""
        if self._team.connect is None:
            self._hearer.hear([])
            return True
        self.attach()
        # While the writer thread is behind, the blocks stay in the store, and then with those who post.
        if not (urgent or last or self._hearer.keeps_up()):
            return True
        done = self._read(wait=urgent or last)
        self._hearer.hear(self._look_around())
        if last and done:
            self._mailbox.close()
        return done

    def _read(self, *, wait: bool) -> bool:
        """Reads blocks until there are no more, or more than the writer thread takes; False if some were to be."""
        ahead = 0
        for _ in range(_MOST_ROUNDS):
            found = self._mailbox.collect()
            if not found:
                break
            ahead += sum(len(data) for _, data in found)
            self._hearer.hear([block for _, data in found for block in self._decoded(data)])
            self._mailbox.discard([ticket for ticket, _ in found])
            if ahead > _MOST_AHEAD and not self._caught_up(_AHEAD_SECONDS if wait else 0.0):
                return not wait
        return True

    def _caught_up(self, seconds: float) -> bool:
        """Whether the writer thread has taken what was read, or does so in time."""
        until = time.monotonic() + seconds
        while not self._hearer.keeps_up():
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _decoded(self, data: bytes) -> list[Block]:
        # Some dozen at once would hold the GIL for longer than the training loop may wait for it.
        if self.traffic.blocks_received % _BLOCKS_AT_A_STRETCH == 0:
            time.sleep(_REST_SECONDS)
        self.traffic.blocks_received += 1
        self.traffic.bytes_received += len(data)
        try:
            return [decode_block(data)]
        except ValueError:
            self.traffic.unread += 1
            return []

    def _look_around(self) -> list[Block]:
        """Who of this node lives, and who has died."""
        if self._node is None or not self._node.speaks():
            return []
        living = self._node.living()
        dead = self._node.newly_dead(living)
        if not dead and time.monotonic() < self._sign_due:
            return []
        self._sign_due = time.monotonic() + self._team.sign_interval
        signs = [Origin(rank, 0, ALIVE) for rank in living] + [Origin(rank, 0, GONE) for rank in dead]
        return [Block(time.time(), [Section(signs)])]

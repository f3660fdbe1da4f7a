"""The ranks that do not write: each hands its reports on, and one of a node all of the node's.

A rank posts to the mailbox of its node. The one that speaks for the node puts what it finds there side by
side and posts it, as one block, to the mailbox of the writing rank. On the writing rank's own node, on a
node where ranks cannot find each other, and whenever somebody waits for it (a flush, the end), a rank posts
to the writing rank's mailbox itself.

Nothing is deleted before it has been handed on: a speaker that dies in between leaves its node's blocks to
the next one, and the writing rank sees by their serial numbers which of them it has.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterable, Sequence

from ..pipeline.faults import Faults
from .block import (
    ALIVE,
    FINISHED,
    GONE,
    HISTOGRAMS,
    VALUES,
    Block,
    Origin,
    Section,
    decode_block,
    encode_block,
    merge,
)
from .mailbox import Mailbox
from .node import Node
from .reports import MOST_BYTES, Overrides, Pending, table_of
from .side import Side
from .team import Store, Team

_MOST_ROUNDS = 64
# Blocks that may wait for a node's speaker.
_NODE_ROOM = 1024


class Sender(Side):
    """A rank that does not write.

    Attributes:
        dropped: values lost because the writing rank has closed its writer, or did not read for too long.
    """

    def __init__(self, team: Team, pending: Pending, overrides: Overrides, faults: Faults) -> None:
        """Starts with nothing sent.

        Args:
            team: the ranks.
            pending: what is to be sent.
            overrides: tag -> its reductions; may change meanwhile.
            faults: where to say that nobody reads any more.
        """
        super().__init__(team)
        self.dropped = 0
        self._pending = pending
        self._overrides = overrides
        self._faults = faults
        self._serial = secrets.randbits(62)
        self._unsent: deque[Section] = deque()
        self._posted: deque[tuple[int, Section]] = deque()  # to the node, and not read yet
        self._sign_due = 0.0
        self._finished = False

    @property
    def held(self) -> int:
        """Values that have not been handed on."""
        return self._pending.held + _summaries(self._unsent.copy())

    def give_up(self) -> int:
        """After the last turn: counts what was not handed over as lost; returns how many values that is."""
        lost = self.held
        self.dropped += lost
        self._pending.take()
        self._unsent.clear()
        return lost

    def _open(self, store: Store) -> None:
        self._writer = self._root(store)
        self._of_node: Mailbox | None = None

    def _mailbox_of(self, node: Node) -> Mailbox:
        """The mailbox of the node as it is called now."""
        name = f"{self._team.prefix}/n{node.name}"
        if self._of_node is None or self._of_node.name != name:
            assert self._store is not None
            self._of_node = Mailbox(self._store, name, _NODE_ROOM)
            # What lies in another mailbox, or was posted through a connection that broke, is posted again.
            self._unsent.extendleft(section for _, section in reversed(self._posted))
            self._posted.clear()
        return self._of_node

    def turn(self, *, urgent: bool, last: bool) -> bool:
        """Sends what has been pushed since the last turn; see `Side.turn`."""
        self._absorb(last)
        self.attach()
        node = self._node
        if node is not None:
            if node.speaks():
                return self._speak(self._mailbox_of(node), node)
            if not (urgent or last or node.has_writer()):
                return self._post_to_node(self._mailbox_of(node))
        return self._post_to_writer()

    def _absorb(self, last: bool) -> None:
        """Makes a section of what has been pushed."""
        batches = self._pending.take()
        rank, reduce, overrides = self._team.rank, self._team.reduce, self._overrides
        table = table_of(rank, [batch for batch in batches if not batch.histogram], reduce, overrides)
        if table is not None:
            self._unsent.append(Section(self._origins(VALUES), table))
        distributions = [batch for batch in batches if batch.histogram]
        table = table_of(rank, distributions, reduce, overrides)
        if table is not None:
            histograms = [batch.histogram for batch in distributions]
            self._unsent.append(Section(self._origins(VALUES), table, HISTOGRAMS, histograms=histograms))
        if last and not self._finished:
            self._unsent.append(Section(self._origins(FINISHED)))
        self._finished = last
        while len(self._unsent) > 1 and sum(section.nbytes for section in self._unsent) > MOST_BYTES:
            self.dropped += self._unsent.popleft().summaries

    def _origins(self, state: int) -> list[Origin]:
        self._serial += 1
        return [Origin(self._team.rank, self._serial, state)]

    # -- ways to hand on -----------------------------------------------------------------------------------

    def _post_to_node(self, mailbox: Mailbox) -> bool:
        while self._posted and mailbox.is_read(self._posted[0][0]):
            self._posted.popleft()
        if not self._unsent:
            return True
        if not mailbox.has_room():
            return False
        sections = list(self._unsent)
        ticket = self._post(mailbox, sections)
        self._posted += [(ticket, section) for section in sections]
        self._unsent.clear()
        return True

    def _post_to_writer(self) -> bool:
        """Posts what is unsent, and what the node's speaker has not read."""
        sections = [section for _, section in self._posted] + list(self._unsent)
        if not sections and time.monotonic() < self._sign_due:
            return True
        if not self._writer.has_room():
            return False
        self._post(self._writer, sections or [_signs((self._team.rank,), ())])
        self._note_post(sections)
        self._posted.clear()
        return True

    def _speak(self, mailbox: Mailbox, node: Node) -> bool:
        """Hands on what the node's ranks have posted, this one's own, and who lives."""
        if not self._writer.has_room():
            return False
        tickets, sections = self._collect(mailbox)
        # What this rank had posted while another one spoke is among them.
        self._posted.clear()
        own = list(self._unsent)
        living = node.living()
        dead = node.newly_dead(living)
        if sections or own or dead or time.monotonic() >= self._sign_due:
            self._post(self._writer, [*merge([*sections, *own]), _signs(living, dead)])
            self._note_post(own)
        mailbox.discard(tickets)
        return True

    def _collect(self, mailbox: Mailbox) -> tuple[list[int], list[Section]]:
        tickets: list[int] = []
        sections: list[Section] = []
        for _ in range(_MOST_ROUNDS):
            found = mailbox.collect()
            if not found:
                break
            for ticket, data in found:
                tickets.append(ticket)
                try:
                    sections += decode_block(data).sections
                except ValueError:
                    self.traffic.unread += 1
        return tickets, sections

    def _post(self, mailbox: Mailbox, sections: Sequence[Section]) -> int:
        data = encode_block(Block(time.time(), list(sections)))
        ticket = mailbox.post(data)
        self.traffic.blocks_sent += 1
        self.traffic.bytes_sent += len(data)
        return ticket

    def _note_post(self, own: Sequence[Section]) -> None:
        """After a post to the writing rank of, among others, these sections of this rank."""
        self._sign_due = time.monotonic() + self._team.sign_interval
        if self._writer.closed:
            lost = _summaries(own)
            self.dropped += lost
            if lost:
                self._faults.note(
                    "closed",
                    f"rank {self._team.writer} has closed its writer: what rank {self._team.rank} still logs "
                    "is lost; close the writers of all ranks at the same place of the program",
                )
        self._unsent.clear()


def _summaries(sections: Iterable[Section]) -> int:
    return sum(section.summaries for section in sections)


def _signs(living: Sequence[int], dead: Sequence[int]) -> Section:
    signs = [(rank, ALIVE) for rank in living] + [(rank, GONE) for rank in dead]
    return Section([Origin(rank, 0, state) for rank, state in signs])

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
    SCALARS,
    SECTION_BYTES,
    VALUES,
    Origin,
    Section,
    decode_block,
    encode_blocks,
    merge,
)
from .mailbox import Mailbox
from .node import Node
from .reports import MOST_BYTES, Batch, Overrides, Pending, parcels, table_of
from .side import Side
from .team import Store, Team

_MOST_ROUNDS = 64
# Blocks that may wait for a node's speaker.
_NODE_ROOM = 1024
_REST_SECONDS = 50e-6


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
        self._dead: list[int] = []  # not yet told of
        self._sign_due = 0.0
        self._finished = False

    @property
    def held(self) -> int:
        """Values that have not been handed on."""
        return self._pending.held + _summaries(self._unsent.copy())

    def matters(self) -> bool:
        """Whether something is still to be handed on."""
        return self.held > 0

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
        for some in parcels([batch for batch in batches if not batch.histogram], SECTION_BYTES):
            self._append(some, SCALARS)
        for some in parcels([batch for batch in batches if batch.histogram], SECTION_BYTES):
            self._append(some, HISTOGRAMS, [batch.histogram for batch in some])
        if last and not self._finished:
            self._unsent.append(Section(self._origins(FINISHED)))
        self._finished = last
        excess = sum(section.nbytes for section in self._unsent) - MOST_BYTES
        while excess > 0 and len(self._unsent) > 1:
            lost = self._unsent.popleft()
            self.dropped += lost.summaries
            excess -= lost.nbytes

    def _append(self, batches: Sequence[Batch], kind: int, histograms: Sequence[bytes] = ()) -> None:
        table = table_of(self._team.rank, batches, self._team.reduce, self._overrides)
        if table is not None:
            self._unsent.append(Section(self._origins(VALUES), table, kind, histograms=histograms))
        time.sleep(_REST_SECONDS)  # the training loop may want the GIL

    def _origins(self, state: int) -> list[Origin]:
        self._serial += 1
        return [Origin(self._team.rank, self._serial, state)]

    # -- ways to hand on -----------------------------------------------------------------------------------

    def _post_to_node(self, mailbox: Mailbox) -> bool:
        while self._posted and mailbox.is_read(self._posted[0][0]):
            self._posted.popleft()
        for data, count in encode_blocks(time.time(), self._unsent.copy()):
            if not mailbox.has_room():
                return False
            ticket = self._post(mailbox, data)
            self._posted += [(ticket, self._unsent.popleft()) for _ in range(count)]
        return True

    def _post_to_writer(self) -> bool:
        """Posts what the node's speaker has not read, and what is unsent."""
        self._unsent.extendleft(section for _, section in reversed(self._posted))
        self._posted.clear()
        if not self._unsent and time.monotonic() >= self._sign_due:
            return self._post_all([_signs((self._team.rank,), ())], 0)
        return self._post_all(self._unsent.copy(), len(self._unsent))

    def _speak(self, mailbox: Mailbox, node: Node) -> bool:
        """Hands on what the node's ranks have posted, this one's own, and who lives."""
        for round_ in range(_MOST_ROUNDS):
            if not self._writer.has_room():
                return False
            found = mailbox.collect()
            if round_ and not found:
                break
            # What this rank had posted while another one spoke is in there.
            self._posted.clear()
            self._hand_on([section for _, data in found for section in self._decoded(data)], node)
            mailbox.discard([ticket for ticket, _ in found])
        return True

    def _hand_on(self, sections: Sequence[Section], node: Node) -> None:
        living = node.living()
        self._dead += node.newly_dead(living)
        own = list(self._unsent)
        if sections or own or self._dead or time.monotonic() >= self._sign_due:
            self._post_all([*merge([*sections, *own]), _signs(living, self._dead)], len(own), in_parts=False)
            self._dead.clear()

    def _decoded(self, data: bytes) -> Sequence[Section]:
        try:
            return decode_block(data).sections
        except ValueError:
            self.traffic.unread += 1
            return ()

    def _post(self, mailbox: Mailbox, data: bytes) -> int:
        ticket = mailbox.post(data)
        self.traffic.blocks_sent += 1
        self.traffic.bytes_sent += len(data)
        return ticket

    def _post_all(self, sections: Iterable[Section], own: int, *, in_parts: bool = True) -> bool:
        """Posts sections to the writing rank; False if there is no room for all.

        Args:
            sections: the sections.
            own: how many of those that are unsent are among them.
            in_parts: they are those alone, in their order, and some may be left for later. Else all are posted.
        """
        if not self._writer.has_reader():
            self._note_posted(own)
            return True
        for data, count in encode_blocks(time.time(), sections):
            if in_parts and not self._writer.has_room():
                return False
            self._post(self._writer, data)
            self._sign_due = time.monotonic() + self._team.sign_interval
            if in_parts:
                self._note_posted(min(count, own))
        if not in_parts:
            self._note_posted(own)
        return True

    def _note_posted(self, count: int) -> None:
        """The first so many of the unsent sections have been posted to the writing rank, if it reads any more."""
        lost = _summaries([self._unsent.popleft() for _ in range(count)])
        if lost and self._writer.closed:
            self.dropped += lost
            self._faults.note(
                "closed",
                f"rank {self._team.writer} has closed its writer: what rank {self._team.rank} still logs "
                "is lost; close the writers of all ranks at the same place of the program",
            )


def _summaries(sections: Iterable[Section]) -> int:
    return sum(section.summaries for section in sections)


def _signs(living: Sequence[int], dead: Sequence[int]) -> Section:
    signs = [(rank, ALIVE) for rank in living] + [(rank, GONE) for rank in dead]
    return Section([Origin(rank, 0, state) for rank, state in signs])

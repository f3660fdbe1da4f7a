"""A queue of blocks in the job's store: many ranks post, one reads.

Three kinds of keys below the mailbox's name: `head`, how many tickets were drawn; `tail`, how many the
reader is done with; and one for each ticket, which holds a block until it has been read. Posting draws a
ticket, sets its key, and asks for `tail`: the answer shows both that the store has the block (it serves a
connection's requests in order, and `set` itself has no answer) and how far the reader is.

What is never done: a request that waits for a key. Each is answered at once, however the others fare, since
nobody but the reader deletes a block.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from .team import Store

# Blocks read at once, which bounds the memory of an answer.
_MOST_AT_ONCE = 64
# Who draws a ticket and sets nothing has died, or hangs in between: how long, and how many, to look out for.
_PATIENCE_SECONDS = 600.0
_MOST_MISSING = 256
# Added to `tail` when nobody will read any more.
_CLOSED = 1 << 60


class Mailbox:
    """One end of a mailbox. For one thread at a time.

    Attributes:
        name: the beginning of its keys.
        closed: whether the reader has closed it, as of the last post.
    """

    def __init__(self, store: Store, name: str, room: int) -> None:
        """Opens an end.

        Args:
            store: a connection that nobody else uses meanwhile.
            name: the mailbox's name, the beginning of its keys.
            room: how many blocks may be unread before posting should wait.
        """
        self._store = store
        self.name = name
        self._room = room
        self._drawn = self._read = 0
        self.closed = False
        self._next: int | None = None
        self._missing: dict[int, float] = {}

    def _key(self, ticket: int | str) -> str:
        return f"{self.name}/{ticket}"

    # -- for those who post --------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether the reader keeps up; asks the store only if it did not when last heard of."""
        if self._drawn - self._read > self._room:
            self._drawn = self._store.add(self._key("head"), 0)
            self._note_tail(self._store.add(self._key("tail"), 0))
        return self._drawn - self._read <= self._room

    def has_reader(self) -> bool:
        """Whether it is open; asks the store only if it was closed when last heard of."""
        if self.closed:
            self._note_tail(self._store.add(self._key("tail"), 0))
        return not self.closed

    def post(self, block: bytes) -> int:
        """Hands over a block; returns its ticket when the store has it.

        If the mailbox turns out to be closed it is taken back.
        """
        self._drawn = self._store.add(self._key("head"), 1)
        self._store.set(self._key(self._drawn), block)
        self._note_tail(self._store.add(self._key("tail"), 0))
        if self.closed:
            self._store.delete_key(self._key(self._drawn))
        return self._drawn

    def is_read(self, ticket: int) -> bool:
        """Whether the reader is done with a block, as far as is known since the last post."""
        return ticket <= self._read

    def _note_tail(self, tail: int) -> None:
        self.closed = tail >= _CLOSED
        self._read = tail % _CLOSED

    # -- for the reader ------------------------------------------------------------------------------------

    def collect(self) -> list[tuple[int, bytes]]:
        """Tickets and blocks that have been posted and not been discarded, oldest first; not more than 64."""
        if self._next is None:
            self._open()
        head = self._store.add(self._key("head"), 0)
        assert self._next is not None
        tickets = range(self._next, min(head, self._next + _MOST_AT_ONCE - 1) + 1)
        found = self._found_again()
        self._next = tickets.stop
        if tickets and self._store.check([self._key(ticket) for ticket in tickets]):
            return found + self._get(tickets)
        there = [ticket for ticket in tickets if self._is_there(ticket)]
        self._miss([ticket for ticket in tickets if ticket not in there])
        return found + self._get(there)

    def _open(self) -> None:
        tail = self._store.add(self._key("tail"), 0)
        if tail >= _CLOSED:
            tail = self._store.add(self._key("tail"), -_CLOSED)
        self._read = tail
        self._next = tail + 1

    def _get(self, tickets: Sequence[int]) -> list[tuple[int, bytes]]:
        if not tickets:
            return []
        blocks = self._store.multi_get([self._key(ticket) for ticket in tickets])
        return list(zip(tickets, blocks, strict=True))

    def _is_there(self, ticket: int) -> bool:
        return self._store.check([self._key(ticket)])

    def _miss(self, tickets: Iterable[int]) -> None:
        """Remembers tickets that were drawn and whose block is not there yet."""
        for ticket in tickets:
            self._missing[ticket] = time.monotonic()
        while len(self._missing) > _MOST_MISSING:
            del self._missing[next(iter(self._missing))]

    def _found_again(self) -> list[tuple[int, bytes]]:
        found = [ticket for ticket in self._missing if self._is_there(ticket)]
        expired = time.monotonic() - _PATIENCE_SECONDS
        self._missing = {t: at for t, at in self._missing.items() if t not in found and at > expired}
        return self._get(found)

    def discard(self, tickets: Sequence[int]) -> None:
        """Deletes what `collect()` returned, and lets those who post know how far the reader is."""
        for ticket in tickets:
            self._store.delete_key(self._key(ticket))
        done = (self._next or 1) - 1
        if done > self._read:
            # Not added to, as readers that take turns might both do that.
            self._store.set(self._key("tail"), b"%d" % done)
            self._read = done

    def close(self) -> None:
        """Tells those who post that nobody reads any more."""
        self._store.add(self._key("tail"), _CLOSED)

"""What both ends of the exchange share: a connection to the job's store, and a place among a node's ranks."""

from __future__ import annotations

import logging
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass

from .mailbox import Mailbox
from .node import Node
from .team import Store, Team

# How long it may take to connect: at first ranks and store may still be coming up.
_FIRST_SECONDS = 60.0
_AGAIN_SECONDS = 5.0

_log = logging.getLogger("tbasync.ranks")


class UnreachableError(ConnectionError):
    """There is no store any more, or none yet."""


@dataclass
class Traffic:
    """What went through the job's store; changed by the exchange thread alone."""

    blocks_sent: int = 0
    bytes_sent: int = 0
    blocks_received: int = 0
    bytes_received: int = 0
    unread: int = 0
    cpu_seconds: float = 0.0


class Side(ABC):
    """One rank's end of the exchange. All but the constructor runs on the exchange thread.

    Attributes:
        traffic: what it has sent and received.
    """

    def __init__(self, team: Team) -> None:
        self.traffic = Traffic()
        self._team = team
        self._store: Store | None = None
        self._node: Node | None = None
        self._patience = _FIRST_SECONDS

    @abstractmethod
    def turn(self, *, urgent: bool, last: bool) -> bool:
        """Does what is to be done once in an interval.

        Args:
            urgent: somebody waits for everything so far to be handed over.
            last: nothing comes after.

        Returns:
            False if something could not be handed over for now.

        Raises:
            Exception: the store does not answer, or wrongly; nothing is lost.
        """

    @abstractmethod
    def _open(self, store: Store) -> None:
        """Opens the mailboxes."""

    def matters(self) -> bool:
        """Whether anything is lost if there are no more turns."""
        return True

    def attach(self) -> None:
        """Connects to the store and joins the node, if that is still to be done; waits for the network.

        Raises:
            UnreachableError: the store does not let itself be connected to.
        """
        if self._store is not None or self._team.connect is None:
            return
        patience, self._patience = self._patience, _AGAIN_SECONDS
        try:
            store = self._team.connect(patience)
        except Exception as error:
            raise UnreachableError(f"the job's store cannot be reached: {error}") from error
        if self._node is None and self._team.nodes is not None:
            self._node = self._join(store, self._team.nodes)
        self._open(store)
        self._store = store

    def detach(self) -> None:
        """Gives up a connection that does not work; the next turn makes another."""
        self._store = None

    def leave(self) -> None:
        """Leaves the node and the store."""
        if self._node is not None:
            self._node.leave()
            self._node = None
        self._store = None

    def forget(self) -> None:
        """In a forked child: all of it is the parent's."""
        if self._node is not None:
            self._node.forget()

    def _join(self, store: Store, place: str) -> Node | None:
        # Addresses and directories are used again by later jobs: this tells one from the other.
        own = secrets.token_hex(16)
        session = store.compare_set(f"{self._team.prefix}/session", "", own)
        job = f"{self._team.prefix} {session!r}"
        try:
            return Node(place, job, self._team.rank, writes=self._team.rank == self._team.writer)
        except OSError as error:
            _log.debug("rank %d sends for itself alone: %s", self._team.rank, error)
            return None

    def _root(self, store: Store) -> Mailbox:
        """The writing rank's mailbox."""
        return Mailbox(store, f"{self._team.prefix}/w", max(64, 2 * self._team.world))

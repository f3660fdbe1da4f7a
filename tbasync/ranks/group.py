"""The process group of the job, and connections of our own to its store.

A store's client serves one request at a time: one that waits, as training's own requests may do for minutes
while ranks come up, holds up every other. So each exchange makes a client for itself.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from .detect import Place
from .node import place_for_nodes
from .team import Reduction, Store, Team

_log = logging.getLogger("tbasync.ranks")

# The n-th reducing writer of each process belongs to the n-th of every other.
_ordinals = itertools.count()

# The store of a process group that this process has inherited by a fork, and is no rank of.
_of_the_parent: Any = None


def find_team(place: Place, writer: int, reduce: tuple[Reduction, ...], timeout: float) -> Team:
    """The ranks that reduce together: those of the process group, or this process alone if there is none.

    Args:
        place: this process's.
        writer: the rank that writes.
        reduce: reductions of tags that ask for none of their own.
        timeout: seconds that a group waits for its ranks.
    """
    alone = Team(0, 1, 0, reduce, timeout)
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return alone
    store = distributed.distributed_c10d._get_default_store()
    if store is _of_the_parent:
        _log.debug("a forked child has no part in its parent's process group")
        return alone
    world = distributed.get_world_size()
    connect = _connector(distributed, store)
    if world == 1 or connect is None:
        return alone
    # A restarted job may find the keys of its former life in the store.
    prefix = f"tbasync/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{next(_ordinals)}"
    _log.debug("rank %d of %d reduces through the keys %s of the job's store", place.rank, world, prefix)
    team = replace(alone, rank=place.rank, world=world, writer=writer)
    return replace(team, connect=connect, prefix=prefix, nodes=place_for_nodes())


def _connector(distributed: Any, default: Any) -> Callable[[float], Store] | None:
    """What makes connections to the default process group's store; None for stores it cannot be done with.

    It keeps no hold of the store itself: that lives as long as the process group does.
    """
    store = default
    while isinstance(store, distributed.PrefixStore):
        store = store.underlying_store
    if isinstance(store, distributed.TCPStore):
        host, port, tcp = store.host, store.port, distributed.TCPStore

        def connect(seconds: float) -> Any:
            return tcp(host, port, None, False, timedelta(seconds=seconds), wait_for_workers=False)

    elif isinstance(store, distributed.FileStore):
        path, file = store.path, distributed.FileStore

        def connect(seconds: float) -> Any:
            return file(path)

    elif hasattr(store, "clone"):
        return lambda seconds: default.clone()
    else:
        _log.debug("no second connection can be made to a %s", type(store).__name__)
        return None
    if not hasattr(default, "clone"):  # an older torch
        return connect
    tenancy = _Tenancy(default)
    return lambda seconds: distributed.PrefixStore(tenancy.name(), connect(seconds))


class _Tenancy:
    """Tells what shares a store with others, as whoever gave the process group a `PrefixStore` of its own does.

    No store tells its prefix. So the ranks agree on a name, under a key that has that prefix. Used by the
    exchange thread alone, through a connection that is given up afterwards.
    """

    def __init__(self, store: Any) -> None:
        self._store = weakref.ref(store)
        self._name = ""

    def name(self) -> str:
        """What the ranks have agreed on; whoever comes first decides."""
        if not self._name:
            store = self._store()
            if store is None:
                raise ConnectionError("the process group has been destroyed")
            agreed = store.clone().compare_set("tbasync", "", secrets.token_hex(8))
            self._name = agreed.decode()
        return self._name


def _after_fork_in_child() -> None:
    global _of_the_parent
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        _of_the_parent = distributed.distributed_c10d._get_default_store()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

"""The process group of the job, and connections of our own to its store.

A store's client serves one request at a time: one that waits, as training's own requests may do for minutes
while ranks come up, holds up every other. So each exchange makes a client for itself.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
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
    world = distributed.get_world_size()
    connect = _connector(distributed)
    if world == 1 or connect is None:
        return alone
    # A restarted job may find the keys of its former life in the store.
    prefix = f"tbasync/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{next(_ordinals)}"
    _log.debug("rank %d of %d reduces through the keys %s of the job's store", place.rank, world, prefix)
    team = replace(alone, rank=place.rank, world=world, writer=writer)
    return replace(team, connect=connect, prefix=prefix, nodes=place_for_nodes())


def _connector(distributed: Any) -> Callable[[float], Store] | None:
    """What makes connections to the default process group's store; None for stores it cannot be done with.

    It keeps no hold of the store itself: that lives as long as the process group does.
    """
    store = distributed.distributed_c10d._get_default_store()
    while isinstance(store, distributed.PrefixStore):
        store = store.underlying_store
    if isinstance(store, distributed.TCPStore):
        host, port, tcp = store.host, store.port, distributed.TCPStore
        return lambda seconds: tcp(
            host, port, None, False, timedelta(seconds=seconds), wait_for_workers=False
        )
    if isinstance(store, distributed.FileStore):
        path, file = store.path, distributed.FileStore
        return lambda seconds: file(path)
    if not hasattr(store, "clone"):
        _log.debug("no second connection can be made to a %s", type(store).__name__)
        return None
    return lambda seconds: store.clone()

"""The process group that is found, and connections to its store."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import pytest

from tbasync.ranks import group
from tbasync.ranks.detect import Place
from tbasync.ranks.group import find_team

distributed = pytest.importorskip("torch.distributed")
pytestmark = pytest.mark.torch


needs_clones = pytest.mark.skipif(
    not hasattr(distributed.Store, "clone"), reason="this torch cannot tell process groups on one store apart"
)


@pytest.fixture
def tcp():
    """A store that several process groups may share."""
    return distributed.TCPStore("127.0.0.1", 0, None, True, timedelta(seconds=10), wait_for_workers=False)


@pytest.fixture
def given(monkeypatch):
    """Makes a process group of two ranks, of which this process is the first, on a store."""

    def give(store):
        monkeypatch.setattr(distributed, "is_initialized", lambda: True)
        monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
        monkeypatch.setattr(distributed.distributed_c10d, "_get_default_store", lambda: store)
        return find_team(Place(0, 2, "test"), 0, ("mean",), 30.0)

    return give


@pytest.mark.skipif(
    not hasattr(distributed.Store, "clone"), reason="this torch does not tell its store's prefix"
)
def test_process_groups_that_share_a_store_do_not_meet(given, tcp):
    """Each has a prefix of its own, which our keys have to have as well; ranks of one group find each other."""
    of_one, of_other = (distributed.PrefixStore(name, tcp) for name in ("one", "other"))
    one, again, other = (given(store).connect(5.0) for store in (of_one, of_one, of_other))
    one.set("key", b"1")
    assert again.check(["key"])
    assert not other.check(["key"])


@needs_clones
def test_a_first_connection_after_the_process_group_has_ended(tcp):
    """It is an error, and no wait."""
    tenancy = group._Tenancy(distributed.PrefixStore("one", tcp))
    with pytest.raises(ConnectionError, match="destroyed"):
        tenancy.name()


def test_connections_of_our_own(given, tcp, tmp_path):
    """Connections are made to TCPStores and FileStores, each of its own."""
    for store in (tcp, distributed.FileStore(str(tmp_path / "store"), 2)):
        team = given(distributed.PrefixStore("one", store))
        first, second = team.connect(5.0), team.connect(5.0)
        first.add("number", 2)
        assert second.add("number", 1) == 3
        assert first.delete_key("number")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_no_process_group(given, tcp, monkeypatch):
    """A writer that it constructs is of a world of one: the rank, and its connection, are the parent's."""
    assert given(tcp).world == 2
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        team = find_team(Place(0, 2, "test"), 0, ("mean",), 30.0)
        os.write(writer, b"alone" if team.connect is None else b"a rank")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"alone"
    for end in (reader, writer):
        os.close(end)
    assert group._of_the_parent is None
    assert sys.modules["torch.distributed"] is distributed

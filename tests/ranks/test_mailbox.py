"""Mailboxes in the job's store."""

from __future__ import annotations

import pytest

from tbasync.ranks import mailbox as module
from tbasync.ranks.mailbox import Mailbox

from .support import MemoryStore


@pytest.fixture(params=["memory", "tcp", "file"])
def store(request, tmp_path):
    """Each kind of store: the tests' own and torch's."""
    if request.param == "memory":
        return MemoryStore()
    distributed = pytest.importorskip("torch.distributed")
    if request.param == "file":
        return distributed.FileStore(str(tmp_path / "store"))
    return distributed.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)


def read(mailbox):
    """All that is in a mailbox, taken out of it."""
    blocks = []
    while found := mailbox.collect():
        blocks += [block for _, block in found]
        mailbox.discard([ticket for ticket, _ in found])
    return blocks


def test_blocks_arrive_in_order_and_are_deleted(store):
    """Whatever bytes they hold, and however many there are."""
    posters = [Mailbox(store, "m", 1000) for _ in range(3)]
    reader = Mailbox(store, "m", 1000)
    assert read(reader) == []
    blocks = [bytes([number, 0, 255]) * number for number in range(150)]
    for number, block in enumerate(blocks):
        posters[number % 3].post(block)
    assert read(reader) == blocks
    assert not any(store.check([f"m/{ticket}"]) for ticket in range(200))
    posters[0].post(b"more")
    assert read(reader) == [b"more"]
    assert read(Mailbox(store, "other", 10)) == []


def test_what_was_not_discarded_is_read_again(store):
    """A reader that dies between reading and deleting leaves the rest to the next one."""
    poster = Mailbox(store, "m", 10)
    for block in (b"0", b"1", b"2"):
        poster.post(block)
    first = Mailbox(store, "m", 10)
    tickets = [ticket for ticket, _ in first.collect()]
    store.delete_key(f"m/{tickets[0]}")
    assert read(Mailbox(store, "m", 10)) == [b"1", b"2"]


def test_a_ticket_without_a_block(store):
    """Who dies between drawing a ticket and posting holds up nobody; who was only slow is read later."""
    poster, reader = Mailbox(store, "m", 10), Mailbox(store, "m", 10)
    poster.post(b"1")
    assert store.add("m/head", 1) == 2
    poster.post(b"3")
    assert read(reader) == [b"1", b"3"]
    poster.post(b"4")
    assert read(reader) == [b"4"]
    store.set("m/2", b"2")
    poster.post(b"5")
    assert sorted(read(reader)) == [b"2", b"5"]


def test_tickets_are_not_looked_out_for_for_ever(monkeypatch):
    """After some time, or when there are too many, those who drew them count as dead."""
    store = MemoryStore()
    reader = Mailbox(store, "m", 10)
    store.add("m/head", 500)
    assert [read(reader) for _ in range(10)] == [[]] * 10
    asked = len(store.requests)
    assert read(reader) == []
    assert len(store.requests) - asked < 300
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", -1.0)
    read(reader)
    asked = len(store.requests)
    assert read(reader) == []
    assert store.requests[asked:] == ["add"]


def test_room(store):
    """Posters know how far the reader is, and ask when they think that it is behind."""
    poster, reader = Mailbox(store, "m", 2), Mailbox(store, "m", 2)
    tickets = []
    while poster.has_room():
        tickets.append(poster.post(b"block"))
    assert tickets == [1, 2, 3]
    assert not any(map(poster.is_read, tickets))
    assert not poster.has_room()
    assert len(read(reader)) == 3
    assert poster.has_room()
    assert all(map(poster.is_read, tickets))


def test_closing(store):
    """Posters learn that nobody reads any more, leave nothing there, and learn that somebody does again."""
    poster, reader = Mailbox(store, "m", 2), Mailbox(store, "m", 2)
    poster.post(b"1")
    assert read(reader) == [b"1"]
    reader.close()
    poster.post(b"2")
    assert poster.closed
    assert not poster.has_reader()
    reader = Mailbox(store, "m", 2)
    assert read(reader) == []
    assert poster.has_reader()
    poster.post(b"3")
    assert not poster.closed
    assert read(reader) == [b"3"]

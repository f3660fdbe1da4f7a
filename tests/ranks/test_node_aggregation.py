"""Ranks of several nodes in one job: one of each node speaks for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tbasync.ranks.node import Node

from .support import read_scalars, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files cannot be locked like this")


@pytest.fixture
def node_of(tmp_path):
    """Three ranks a node."""

    def place(rank):
        directory = tmp_path / f"node{rank // 3}"
        directory.mkdir(exist_ok=True)
        return str(directory)

    return place


def connected(job):
    """Whether every rank has found its node."""
    return all(writer._pipeline._side._node is not None for writer in job.writers.values())


def test_the_writing_rank_reads_a_block_of_each_node(make_job, node_of):
    """Nine ranks on three nodes: what the two other nodes send are blocks of three ranks."""
    job = make_job(9, node_of)
    writers = job.start(interval=0.05)
    wait_until(lambda: connected(job))
    for step in range(300):
        for rank, writer in enumerate(writers):
            writer.add_scalar("a", rank, step)
        if step % 50 == 0:
            wait_until(lambda done=step + 1: sum(writers[0].stats().reductions.groups.values()) == done)
    job.close()
    assert sorted(read_scalars(job.run)["a"]) == [(step, 4.0) for step in range(300)]
    assert writers[0].stats().reductions.groups == {9: 300}
    sent = sum(writer.stats().reductions.blocks_sent for writer in writers)
    assert writers[0].stats().reductions.blocks_received < 0.7 * sent
    assert job.store.blocks == []


def test_flush_does_not_wait_for_the_speaker(make_job, node_of, monkeypatch, request):
    """A rank whose speaker hangs is heard all the same when it flushes, and once only."""
    job = make_job(6, node_of)
    writers = job.start(interval=0.05)
    wait_until(lambda: connected(job))
    wait_until(lambda: sum(w._pipeline._side._node.speaks() for w in writers[3:]) == 1)
    sides = [writer._pipeline._side for writer in writers[3:]]
    (speaker,) = (side for side in sides if side._node.speaks())
    gate = threading.Event()
    request.addfinalizer(gate.set)  # also where the test ends early, for there is nothing to read with
    original = speaker._speak

    def stuck(mailbox, node):
        gate.wait(30)
        return original(mailbox, node)

    monkeypatch.setattr(speaker, "_speak", stuck)
    others = [writer for writer in writers[3:] if writer._pipeline._side is not speaker]
    for writer in others:
        writer.add_scalar("a", 1.0, 0)
    wait_until(lambda: all(writer.stats().written == 1 for writer in others))
    for writer in others:
        assert writer.flush()
    assert writers[0].flush()
    assert read_scalars(job.run)["a"] == [(0, 1.0)]
    assert writers[0].stats().reductions.groups == {2: 1}
    gate.set()
    speaker_writer = next(w for w in writers if w._pipeline._side is speaker)
    for writer in (*writers[:3], speaker_writer):
        writer.add_scalar("a", 4.0, 0)
    job.close()
    assert read_scalars(job.run)["a"][-1] == (0, 3.0)
    assert writers[0].stats().reductions.groups == {6: 1}


SPEAKER = """
import sys, time
from tbasync.ranks.node import Node
node = Node(sys.argv[1], sys.argv[2], int(sys.argv[3]), writes=False)
print(node.speaks(), flush=True)
time.sleep(60)
"""


def test_a_killed_rank_is_not_waited_for(make_job, node_of):
    """When a rank of another node is killed its node says so, and the next one speaks: nothing waits."""
    job = make_job(6, node_of)
    # The node's name is in the store before any rank is: the rank to be killed is another process.
    job.store.keys["t/0/session"] = b"session"
    arguments = [sys.executable, "-c", SPEAKER, node_of(5), f"t/0 {b'session'!r}", "5"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "True\n"
        writers = job.start(0, 1, 2, 3, 4, reduce_timeout=60.0)
        wait_until(lambda: connected(job))
        for writer in writers:
            writer.add_scalar("a", 1.0, 0)
        wait_until(lambda: writers[0].stats().reductions.waiting == 1)
        child.send_signal(signal.SIGKILL)
        child.wait()
    wait_until(lambda: writers[0].stats().reductions.groups == {5: 1})
    for step in range(1, 50):
        for writer in writers:
            writer.add_scalar("a", 1.0, step)
    wait_until(lambda: writers[0].stats().reductions.groups == {5: 50})
    assert writers[0].stats().reductions.living == 5
    job.close()


def test_ranks_that_find_no_node_send_for_themselves(make_job, node_of, monkeypatch):
    """Where no directory can be used every rank posts to the writing one."""

    def refuse(*args, **kwargs):
        raise PermissionError("not here")

    monkeypatch.setattr("tbasync.ranks.side.Node", refuse)
    job = make_job(6, node_of)
    for writer in job.start():
        writer.add_scalar("a", 1.0, 0)
    job.close()
    assert job.writers[0].stats().reductions.groups == {6: 1}
    assert Node is not refuse


def test_a_forked_child_is_no_rank(make_job, node_of):
    """A child of the writing rank writes a file of its own, unreduced; one of another rank writes nothing."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    job = make_job(2, node_of)
    writers = job.start()
    for writer in writers:
        writer.add_scalar("a", 1.0, 0)
    wait_until(lambda: writers[0].stats().reductions.groups == {2: 1})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for number, writer in enumerate(writers):
                writer.add_scalar("a", 5.0 + number, 1)
                writer.flush(10)
                writer.close(10)
            sent = writers[1].stats()
            status = 0 if (sent.pushed, sent.dropped, sent.waiting) == (1, 1, 0) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for writer in writers:
        writer.add_scalar("a", 3.0, 2)
    job.close()
    assert writers[0].stats().reductions.groups == {2: 2}
    assert sorted(read_scalars(job.run)["a"]) == [(0, 1.0), (1, 5.0), (2, 3.0)]
    assert len(list(job.run.iterdir())) == 2

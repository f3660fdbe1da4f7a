"""What must stay bounded: blocks, what is read at once, what is kept, and what nobody reads any more."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tbasync
from tbasync.errors import TbasyncWarning
from tbasync.ranks import receiver, sender
from tbasync.ranks.block import VALUES, Block, Origin, Section, Series, Table, decode_block, encode_block
from tbasync.ranks.mailbox import Mailbox
from tbasync.ranks.receiver import Receiver
from tbasync.ranks.reduction import Reducer
from tbasync.ranks.team import Team

from .support import MemoryStore, read_scalars, wait_until


def test_what_has_piled_up_goes_in_blocks_that_a_store_takes(make_job):
    """torch's store refuses values beyond 8 MiB, and goes on refusing them however often they are sent."""
    job = make_job(2)
    writers = job.start(reduce_timeout=60.0)
    gathered = tbasync.Histogram()
    gathered.update(np.random.default_rng(0).standard_normal(100_000))
    job.store.most_bytes = 2 << 20
    assert 1000 * len(gathered.to_bytes()) > job.store.most_bytes

    def log_while_the_store_is_away():
        job.store.broken = ConnectionError("the network is down")
        for step in range(1000):
            writers[1].add_histogram("weights", gathered, step)
        for step in range(20):
            writers[1].log_metrics({f"metric/{number}": number for number in range(4000)}, step)
        writers[1].flush(0.3)
        job.store.broken = None

    with pytest.warns(TbasyncWarning, match="cannot be exchanged"):
        log_while_the_store_is_away()
    assert writers[1].flush(30)
    assert writers[0].flush(30)
    stats = writers[1].stats()
    assert (stats.written, stats.dropped) == (81_000, 0)
    assert writers[0].stats().reductions.groups == {1: 81_000}


def test_a_node_out_of_step_is_not_multiplied():
    """Ranks that report different steps stay apart: side by side they would take a cell for each rank and row."""
    ranks, rows = 64, 200
    sections = [
        Section(
            [Origin(rank, 1, VALUES)],
            Table(
                (Series("", "a"),),
                np.zeros(rows, np.intp),
                np.arange(rank * rows, (rank + 1) * rows),
                np.zeros(rows),
                np.array([rank]),
                np.ones((rows, 1)),
            ),
        )
        for rank in range(ranks)
    ]
    apart = len(encode_block(Block(0.0, sections)))
    assert len(encode_block(Block(0.0, sender.merge(sections)))) < 1.1 * apart


def test_no_more_is_read_than_the_writer_thread_takes(monkeypatch):
    """What waits in the store for a writer thread that is behind stays there; a barrier reads on when it may."""
    monkeypatch.setattr(receiver, "_MOST_AHEAD", 100_000)
    monkeypatch.setattr(receiver, "_AHEAD_SECONDS", 0.01)
    store = MemoryStore()
    team = Team(0, 2, 0, ("mean",), 30.0, lambda seconds: store)
    mailbox = Mailbox(store, f"{team.prefix}/w", 10_000)
    block = encode_block(Block(0.0, [Section([Origin(1, 1, VALUES)], None, 99, b"x" * 1000)]))
    for _ in range(1000):
        mailbox.post(block)

    class Hearer:
        def __init__(self):
            self.heard, self.keeps = 0, False

        def hear(self, blocks):
            self.heard += len(blocks)

        def keeps_up(self):
            return self.keeps or not self.heard

    hearer = Hearer()
    end = Receiver(team, hearer)
    assert end.turn(urgent=False, last=False)
    assert 100 <= hearer.heard < 200
    assert not end.turn(urgent=True, last=False)
    assert hearer.heard < 300
    hearer.keeps = True
    assert end.turn(urgent=True, last=False)
    assert hearer.heard == 1000


def test_tags_of_other_ranks_without_end(make_job, monkeypatch):
    """The tables are begun anew however many tags come up, on ranks that do not write, too."""
    monkeypatch.setattr("tbasync.ranks.reduction._MOST_SERIES", 100)
    job = make_job(2)
    writers = job.start()
    for first in range(0, 1000, 50):
        writers[1].log_metrics({f"tag{number}": number for number in range(first, first + 50)}, 0)
        job.flush()
    reducer = writers[0]._pipeline._reducer
    assert isinstance(reducer, Reducer)
    assert len(reducer._known.names) <= 150
    assert len(read_scalars(job.run)) == 1000


def test_nothing_is_left_in_the_store_for_a_writer_that_has_closed(make_job):
    """Ranks that go on logging leave no block behind, and keep none: it is lost, and counted."""
    job = make_job(2)
    writers = job.start_and_close_the_first()

    def log_on():
        for step in range(1, 201):
            writers[1].add_scalar("a", 1.0, step)
            assert writers[1].flush(10)

    with pytest.warns(TbasyncWarning, match="what rank 1 still logs is lost"):
        log_on()
    stats = writers[1].stats()
    assert (stats.written, stats.dropped, stats.waiting) == (1, 200, 0)
    assert not job.store.blocks


def test_a_run_that_leads_out_of_the_directory(make_job, tmp_path):
    """A block that names such a run is left out, and stops nothing else."""
    job = make_job(2)
    writer = job.start(0, reduce_timeout=1.0)[0]
    for number, run in enumerate(("../out", "/tmp/out", "..", "\0", ".", "a/../../out")):
        with pytest.raises(ValueError, match="run"):
            decode_block(block_of(run, number + 1))
        Mailbox(job.store, "t/0/w", 100).post(block_of(run, number + 1))
    Mailbox(job.store, "t/0/w", 100).post(block_of("inside", 100))
    writer.add_scalar("b", 1.0, 0)
    assert writer.flush(10)
    assert writer.stats().reductions.unread == 6
    assert read_scalars(job.run / "inside") == {"a": [(0, 1.0)]}
    assert [path.name for path in tmp_path.iterdir()] == [job.run.name]


def block_of(run, serial):
    one = np.zeros(1, np.intp)
    table = Table((Series(run, "a"),), one, one.astype(np.int64), np.zeros(1), one + 1, np.ones((1, 1)))
    return encode_block(Block(time.time(), [Section([Origin(1, serial, VALUES)], table)]))


@pytest.mark.slow
@pytest.mark.long
def test_close_waits_as_long_as_ranks_may_be_between_two_words(make_job):
    """With a long interval a rank says nothing for long; it is not taken for one that is done."""
    job = make_job(2)
    writers = job.start(interval=1.0)
    for writer in writers:
        writer.add_scalar("a", 1.0, 0)
    job.flush(1)
    assert writers[0].flush(10)
    reported = writers[0]._pipeline._reducer._roster._reported
    wait_until(lambda: time.monotonic() - reported[1] > 1.2)
    job.writers.pop(0)
    closing = writers[0]._pipeline.ask_to_close(None)
    assert not writers[0]._pipeline._exchange.join(0.5)
    writers[1].add_scalar("a", 3.0, 1)
    job.close()
    assert writers[0]._pipeline.wait_for(closing, 30)
    assert read_scalars(job.run)["a"] == [(0, 1.0), (1, 3.0)]


def test_purge_comes_after_what_waits(make_job):
    """What this rank had logged before a purge is hidden by it, though it still waits for other ranks then."""
    job = make_job(2)
    writer = job.start(reduce_timeout=60.0)[0]
    for step in range(5):
        writer.add_scalar("a", step, step)
        writer.add_scalar("b", step, step)
    writer.purge(3)
    writer.reset("b")
    writer.add_scalar("a", 30.0, 3)
    assert writer.flush(10)
    shown = tbasync.read(job.run)
    assert shown["a"].values.tolist() == [0.0, 1.0, 2.0, 30.0]
    assert "b" not in shown or not len(shown["b"].steps)


def test_a_writer_that_writes_nothing_keeps_its_place(make_job):
    """`write_to_disk=False` on one rank makes a null writer, and its later writers still meet those of the others."""
    job = make_job(2)
    silent = job.start(1, write_to_disk=False)[0]
    assert not hasattr(silent, "_pipeline")
    with pytest.warns(TbasyncWarning, match="nothing has been heard of the ranks 1"):
        job.start(0, reduce_timeout=0.1)[0].close()
    writers = job.start()
    for rank, writer in enumerate(writers):
        writer.add_scalar("a", rank, 0)
    job.close()
    assert read_scalars(job.run)["a"] == [(0, 0.5)]


def test_accumulators_that_wait_are_bounded(make_job, monkeypatch):
    """What many ranks' histograms take is not without end: the oldest are written as they are."""
    gathered = tbasync.Histogram()
    gathered.update(np.random.default_rng(0).standard_normal(1000))
    most = 20 * len(gathered.to_bytes())
    monkeypatch.setattr("tbasync.ranks.reduction._MOST_HISTOGRAM_BYTES", most)
    job = make_job(2)
    writers = job.start(reduce_timeout=60.0)
    for step in range(100):
        writers[0].add_histogram("weights", gathered, step)
        writers[0].add_scalar("a", 1.0, step)
    for step in range(100, 150):
        writers[1].add_histogram("weights", gathered, step)
    assert writers[1].flush(10)
    reducer = writers[0]._pipeline._reducer
    wait_until(lambda: writers[0].stats().reductions.groups.get(1, 0) >= 120)
    wait_until(lambda: reducer._histogram_bytes <= most)
    job.close()
    run = tbasync.read(job.run)
    assert sorted(run["weights"].steps.tolist()) == list(range(150))
    assert reducer._histogram_bytes == sum(map(len, reducer._histograms.values()))
    assert writers[0].stats().waiting == 0

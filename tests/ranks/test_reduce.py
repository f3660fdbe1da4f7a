"""What the ranks of a job push, reduced by the one that writes: every rank here, one store in memory."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync import Histogram, LoggingError, SummaryWriter, TbasyncWarning
from tbasync.ranks import sender
from tbasync.ranks.reduction import reduce_rows

from .support import exchanges, read_scalars, wait_until


@given(
    st.integers(1, 40),
    st.lists(st.lists(st.floats(width=64), min_size=40, max_size=40), min_size=1, max_size=5),
    st.data(),
)
def test_reductions_are_numpys_bit_for_bit(world, rows, data):
    """Each row is reduced as numpy's function reduces the vector of its present values in rank order."""
    values = np.array(rows)[:, :world]
    present = np.array(data.draw(st.lists(st.booleans(), min_size=values.size, max_size=values.size)), bool)
    present = present.reshape(values.shape)
    present[:, data.draw(st.integers(0, world - 1))] = True
    for name, function in {"mean": np.mean, "sum": np.sum, "min": np.min, "max": np.max}.items():
        reduced = reduce_rows(name, values, present)
        with np.errstate(all="ignore"):
            expected = np.array([function(row[mask]) for row, mask in zip(values, present, strict=True)])
        assert reduced.tobytes() == expected.tobytes()


def test_large_worlds_are_reduced_as_numpy_does():
    """Also where numpy adds in pairs of blocks: thousands of ranks, all present."""
    values = np.random.default_rng(0).standard_normal((7, 4096)) * 10.0 ** np.arange(-3, 4)[:, None]
    reduced = reduce_rows("mean", values, np.ones(values.shape, bool))
    assert reduced.tolist() == [np.mean(row) for row in values]


def test_every_rank_is_in_the_mean(make_job):
    """One file holds the mean over all ranks of every step, whatever order the ranks push in."""
    job = make_job(4)
    for rank, writer in enumerate(job.start()):
        for step in range(50) if rank % 2 else reversed(range(50)):
            writer.add_scalar("loss", step + rank / 8, step)
    job.close()
    assert len(list(job.run.iterdir())) == 1
    assert sorted(read_scalars(job.run)["loss"]) == [(step, step + 0.1875) for step in range(50)]
    stats = job.writers[0].stats()
    assert stats.reductions.groups == {4: 50}
    assert (stats.pushed, stats.written, stats.waiting) == (50, 50, 0)
    for rank in (1, 2, 3):
        stats = job.writers[rank].stats()
        assert (stats.pushed, stats.written, stats.waiting, stats.dropped) == (50, 50, 0, 0)


def test_several_reductions(make_job):
    """The first is written under the tag, the others under the tag and their name; to the last bit."""
    job = make_job(3)
    values = [0.1, 1e-17, 0.7]
    for writer, value in zip(job.start(reduce=("mean", "min", "max", "sum")), values, strict=True):
        writer.add_scalar("a", value, 5, new_style=True, double_precision=True)
    job.close()
    assert read_scalars(job.run) == {
        "a": [(5, np.mean(values))],
        "a/min": [(5, 1e-17)],
        "a/max": [(5, 0.7)],
        "a/sum": [(5, np.sum(values))],
    }


def test_a_tag_of_its_own_reduction(make_job):
    """`add_scalar(..., reduce=)` decides for one tag, on the writing rank or where only others log it."""
    job = make_job(3)
    for rank, writer in enumerate(job.start(reduce="mean", reduce_timeout=0.2)):
        writer.add_scalar("worst", rank, 1, reduce="max")
        writer.add_scalar("mine", rank + 10, 1, reduce=())
        if rank:
            writer.add_scalar("theirs", rank, 1, reduce=("sum", "min"))
    job.close()
    assert read_scalars(job.run) == {
        "worst": [(1, 2.0)],
        "mine": [(1, 10.0)],
        "theirs": [(1, 3.0)],
        "theirs/min": [(1, 1.0)],
    }


def test_only_what_asks_is_reduced(make_job):
    """With `reduce=()` the writing rank's values are written at once, and others only of tags that ask."""
    job = make_job(2)
    for rank, writer in enumerate(job.start(reduce=())):
        writer.add_scalar("own", rank + 1, 0)
        writer.add_scalar("both", rank + 1, 0, reduce="sum")
    job.close()
    assert read_scalars(job.run) == {"own": [(0, 1.0)], "both": [(0, 3.0)]}
    assert job.writers[1].stats().waiting == 0


def test_log_metrics_and_add_scalars(make_job):
    """Both are reduced like single scalars; sub-runs meet although each rank's directory is another one."""
    job = make_job(2)
    for rank in range(2):
        (writer,) = job.start(rank)
        writer.log_metrics({"a": rank, "b": 10 * rank}, 3)
        writer.add_scalars("c", {"x": rank, "y": 2 * rank}, 4)
        job.run = job.run.with_name("elsewhere")
    job.run = job.run.with_name("run0")
    job.close()
    assert read_scalars(job.run) == {"a": [(3, 0.5)], "b": [(3, 5.0)]}
    assert read_scalars(job.run / "c_x") == {"c": [(4, 0.5)]}
    assert read_scalars(job.run / "c_y") == {"c": [(4, 1.0)]}
    assert not job.run.with_name("elsewhere").exists()


def test_described_scalars(make_job):
    """Titles and descriptions survive the reduction."""
    job = make_job(2)
    for rank, writer in enumerate(job.start()):
        writer.add_scalar("a", rank, 0, display_name="A", summary_description="the *a*")
    job.close()
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    (path,) = job.run.iterdir()
    values = [v for event in loader.LegacyEventFileLoader(str(path)).Load() for v in event.summary.value]
    (value,) = values
    assert (value.tag, value.simple_value) == ("a", 0.5)
    assert value.metadata.display_name == "A"
    assert value.metadata.summary_description == "the *a*"


def histograms(run):
    """Every histogram of a run: tag -> list of (step, message)."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    found = {}
    for path in sorted(run.glob("events.*")):
        for event in loader.LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.HasField("histo"):
                    found.setdefault(value.tag, []).append((event.step, value.histo))
    return found


def test_accumulators_of_all_ranks_are_merged(make_job, tmp_path):
    """One histogram of what all ranks have gathered, as if it had been gathered by one."""
    job = make_job(3)
    values = np.random.default_rng(0).standard_normal((3, 1000))
    for rank, writer in enumerate(job.start()):
        writer.add_histogram("a", Histogram(values[rank]), 4)
        writer.add_histogram("rough", Histogram(values[rank]), 4, max_bins=10)
        writer.add_histogram("local", values[rank], 4)
        writer.add_scalar("a", rank, 4)
    job.close()
    with SummaryWriter(tmp_path / "single") as writer:
        writer.add_histogram("a", Histogram(values), 4)
        writer.add_histogram("rough", Histogram(values), 4, max_bins=10)
        writer.add_histogram("local", values[0], 4)
    merged, expected = histograms(job.run), histograms(tmp_path / "single")
    assert merged.keys() == expected.keys()
    for tag, ((step, histogram),) in expected.items():
        ((found_step, found),) = merged[tag]
        assert found_step == step
        assert (found.num, found.min, found.max) == (histogram.num, histogram.min, histogram.max)
        assert found.sum == pytest.approx(histogram.sum, rel=1e-12)
        assert list(found.bucket) == list(histogram.bucket)
        assert list(found.bucket_limit) == list(histogram.bucket_limit)
    assert read_scalars(job.run, kind="scalars")["a"] == [(4, 1.0)]
    assert job.writers[0].stats().written == 4
    for rank in (1, 2):
        stats = job.writers[rank].stats()
        assert (stats.pushed, stats.written, stats.waiting) == (3, 3, 0)


def test_accumulators_of_stragglers(make_job):
    """A histogram that is completed later is written again with all; what is written is not kept."""
    job = make_job(2)
    writers = job.start()
    for step in range(3):
        writers[1].add_histogram("a", Histogram([1.0] * 5), step)
    job.flush()
    for step in range(3):
        writers[0].add_histogram("a", Histogram([2.0] * 3), step)
    wait_until(lambda: writers[0].stats().reductions.rewritten == 3)
    job.flush(0)
    assert [histogram.num for _, histogram in histograms(job.run)["a"]] == [5, 5, 5, 8, 8, 8]
    assert writers[0]._pipeline._reducer._histograms == {}
    job.close()


def test_accumulators_that_are_not_reduced(make_job):
    """With `reduce=()` only the writing rank's is written."""
    job = make_job(2)
    for rank, writer in enumerate(job.start(reduce=())):
        writer.add_histogram("a", Histogram([rank] * (rank + 1)), 0)
    job.close()
    assert [histogram.num for _, histogram in histograms(job.run)["a"]] == [1]


def test_nan_and_infinities(make_job):
    """They reduce as in numpy, without a warning."""
    job = make_job(3)
    for value, writer in zip((math.inf, -math.inf, math.nan), job.start(reduce=("mean", "max")), strict=True):
        writer.add_scalar("all", value, 0)
        writer.add_scalar("finite or nan", value if math.isnan(value) else 1.0, 0)
        writer.add_scalar("inf", abs(value) if value else value, 0, reduce="max")
    job.close()
    points = read_scalars(job.run)
    assert all(math.isnan(value) for tag, ((_, value),) in points.items() if tag != "inf")


def test_ranks_out_of_step(make_job):
    """A rank that is far behind is waited for; groups that are complete are written meanwhile."""
    job = make_job(3)
    writers = job.start()
    for writer in writers[:2]:
        for step in range(10):
            writer.add_scalar("a", 1.0, step)
    for step in range(5):
        writers[2].add_scalar("a", 4.0, step)
    wait_until(lambda: writers[0].stats().reductions.groups == {3: 5})
    wait_until(lambda: writers[0].stats().reductions.waiting == 5)
    for step in range(5, 10):
        writers[2].add_scalar("a", 4.0, step)
    wait_until(lambda: writers[0].stats().reductions.groups == {3: 10})
    job.close()
    assert read_scalars(job.run)["a"] == [(step, 2.0) for step in range(10)]


def test_a_tag_on_some_ranks_only_waits_once(make_job):
    """The first group waits for the timeout; then it is known who logs the tag, and nobody waits again."""
    job = make_job(3)
    writers = job.start(reduce_timeout=0.5)
    for writer in writers[1:]:
        writer.add_scalar("two", 1.0, 0)
    wait_until(lambda: writers[0].stats().reductions.groups == {2: 1})
    writers[0]._pipeline._reducer._groups._timeout = 3600.0
    for step in range(1, 20):
        for writer in writers[1:]:
            writer.add_scalar("two", 1.0, step)
    wait_until(lambda: writers[0].stats().reductions.groups == {2: 20})
    # Whoever reports it all the same is waited for from then on.
    writers[0].add_scalar("two", 4.0, 20)
    for writer in writers[1:]:
        writer.add_scalar("two", 1.0, 20)
    wait_until(lambda: writers[0].stats().reductions.groups == {2: 20, 3: 1})
    job.close()
    assert read_scalars(job.run)["two"][-1] == (20, 2.0)


def test_what_is_reported_twice_is_written_twice(make_job):
    """The n-th report of a tag and step by one rank meets the n-th by the others."""
    job = make_job(2)
    for rank, writer in enumerate(job.start()):
        for value in (1, 2, 3):
            writer.add_scalar("a", value + 10 * rank)
    job.flush()
    assert sorted(read_scalars(job.run)["a"]) == [(0, 6.0), (0, 7.0), (0, 8.0)]
    job.writers[1].add_scalar("a", 30)
    job.writers[1].add_scalar("a", 40)
    job.flush(1)
    job.writers[0].add_scalar("a", 0)
    job.close()
    assert sorted(read_scalars(job.run)["a"])[3:] == [(0, 15.0), (0, 40.0)]
    assert job.writers[0].stats().reductions.groups == {1: 1, 2: 4}


def test_flush_covers_what_others_flushed_before(make_job):
    """A flush writes every group, complete or not; one that is completed later is written again."""
    job = make_job(3)
    writers = job.start()
    writers[0].add_scalar("a", 1.0, 0)
    writers[1].add_scalar("a", 2.0, 0)
    writers[1].add_scalar("b", 5.0, 0)
    job.flush(0, 1)
    assert read_scalars(job.run) == {"a": [(0, 1.5)], "b": [(0, 5.0)]}
    writers[2].add_scalar("a", 6.0, 0)
    wait_until(lambda: writers[0].stats().reductions.rewritten == 1)
    job.close()
    assert read_scalars(job.run) == {"a": [(0, 1.5), (0, 3.0)], "b": [(0, 5.0)]}
    assert writers[0].stats().reductions.groups == {1: 1, 3: 1}
    assert writers[0].stats().written == 1


def test_a_straggler_beyond_the_timeout(make_job):
    """Its value is missing from a group for the time being, and in it when it comes."""
    job = make_job(2)
    writers = job.start(reduce_timeout=0.2)
    writers[0].add_scalar("a", 1.0, 7)
    wait_until(lambda: writers[0].stats().reductions.groups == {1: 1})
    writers[1].add_scalar("a", 3.0, 7)
    wait_until(lambda: writers[0].stats().reductions.groups == {2: 1})
    job.close()
    assert read_scalars(job.run)["a"] == [(7, 1.0), (7, 2.0)]


def test_a_rank_that_closes_is_not_waited_for(make_job):
    """Groups are complete without ranks that have closed their writers; they may open them again."""
    job = make_job(2)
    writers = job.start()
    writers[1].add_scalar("a", 3.0, 0)
    writers[1].close()
    writers[0].add_scalar("a", 1.0, 0)
    writers[0].add_scalar("a", 1.0, 1)
    wait_until(lambda: writers[0].stats().reductions.groups == {1: 1, 2: 1})
    writers[1].add_scalar("a", 5.0, 2)
    job.flush(1)
    writers[0].add_scalar("a", 1.0, 2)
    writers[0].add_scalar("a", 1.0, 3)
    wait_until(lambda: writers[0].stats().reductions.groups == {1: 1, 2: 2})
    writers[1].add_scalar("a", 5.0, 3)
    job.close()
    assert read_scalars(job.run)["a"] == [(0, 2.0), (1, 1.0), (2, 3.0), (3, 3.0)]


def test_close_waits_for_the_others(make_job):
    """The writing rank's `close()` lets a slower rank finish; it does not wait for the whole timeout."""
    job = make_job(2)
    writers = job.start(reduce_timeout=60.0)
    closer = threading.Thread(target=writers[0].close)
    for step in range(4):
        writers[0].add_scalar("a", 1.0, step)
    closer.start()
    for step in range(4):
        time.sleep(0.1)
        writers[1].add_scalar("a", 3.0, step)
        writers[1].add_scalar("more", 3.0, step)
    writers[1].close()
    closer.join(30)
    assert not closer.is_alive()
    points = read_scalars(job.run)
    assert points["a"] == [(step, 2.0) for step in range(4)]
    assert points["more"] == [(step, 3.0) for step in range(4)]


def test_close_does_not_wait_for_a_rank_that_is_done_but_not_closed(make_job):
    """A rank that has reported all it has and stands at a barrier must not hold up the writing one."""
    job = make_job(2)
    writers = job.start(reduce_timeout=60.0)
    for writer in writers:
        writer.add_scalar("a", 1.0, 0)
    before = time.monotonic()
    writers[0].close()
    assert time.monotonic() - before < 10.0
    assert read_scalars(job.run)["a"] == [(0, 1.0)]


def test_close_without_ranks_that_never_came(make_job):
    """A rank that constructs no writer costs the timeout at the end, and a warning that names it."""
    job = make_job(3)
    writers = job.start(0, 1, reduce_timeout=0.5)
    for writer in writers:
        writer.add_scalar("a", 1.0, 0)
    with pytest.warns(TbasyncWarning, match="nothing has been heard of the ranks 2, so"):
        job.close()
    assert writers[0].stats().reductions.unmet == (2,)
    assert read_scalars(job.run)["a"] == [(0, 1.0)]


def test_what_comes_after_the_writing_rank_has_closed_is_counted(make_job):
    """It is lost, said once, and in the sending rank's `stats()`."""
    job = make_job(2)
    writers = job.start_and_close_the_first()

    def log_too_late():
        writers[1].add_scalar("a", 1.0, 1)
        writers[1].flush()

    with pytest.warns(TbasyncWarning, match="rank 0 has closed its writer: what rank 1 still logs is lost"):
        log_too_late()
    stats = writers[1].stats()
    assert (stats.written, stats.dropped) == (1, 1)
    writers[0].add_scalar("a", 1.0, 2)
    writers[0].flush()
    writers[1].add_scalar("a", 2.0, 2)
    assert writers[1].flush()
    job.close()
    assert sorted(read_scalars(job.run)["a"])[-1] == (2, 1.5)
    assert writers[1].stats().dropped == 1


def test_a_store_that_does_not_answer(make_job):
    """Nothing waits for it but barriers, for a bounded time; when it answers again nothing is missing."""
    job = make_job(2)
    writers = job.start(reduce_timeout=60.0)
    for writer in writers:
        writer.add_scalar("a", 1.0, 0)
    wait_until(lambda: writers[0].stats().reductions.groups == {2: 1})
    for writer in writers:
        writer.add_scalar("a", 1.0, 1)
        writer.add_scalar("a", 1.0, 2)

    def flush_without_a_store():
        job.store.broken = ConnectionError("the network is down")
        return [writer.flush(0.3) for writer in reversed(writers)]

    with pytest.warns(TbasyncWarning, match="scalars cannot be exchanged with other ranks for now: "):
        flushed = flush_without_a_store()
    assert flushed == [False, False]
    assert read_scalars(job.run)["a"][-1] == (2, 1.0), "its own values are written all the same"
    job.store.broken = None
    job.flush()
    assert writers[0].stats().reductions.groups == {2: 3}
    assert writers[1].stats().waiting == 0
    job.close()


def test_a_store_that_ends_before_the_writers(make_job):
    """Nobody waits for a store that is gone for good, and who has nothing more to say says nothing."""
    job = make_job(2)
    writers = job.start(reduce_timeout=60.0)
    for writer in writers:
        writer.add_scalar("a", 1.0, 0)
    wait_until(lambda: writers[0].stats().reductions.groups == {2: 1})
    before = time.monotonic()

    def log_and_close():
        job.store.broken = ConnectionError("it has ended")  # which the writing rank may notice at once
        writers[1].close()
        writers[0].add_scalar("a", 7.0, 1)
        wait_until(lambda: writers[0].stats().reductions.waiting == 1)
        writers[0].close()

    with pytest.warns(TbasyncWarning, match="cannot be exchanged"):
        log_and_close()
    assert time.monotonic() - before < 30.0
    assert read_scalars(job.run)["a"] == [(0, 1.0), (1, 7.0)]


def test_what_cannot_be_sent_at_the_end_is_an_error(make_job):
    """`close()` on a rank that sends says how many scalars could not be handed over."""
    job = make_job(2)
    writers = job.start(reduce_timeout=0.5)
    job.store.broken = ConnectionError("the network is down")
    for step in range(3):
        writers[1].add_scalar("a", 1.0, step)
    with pytest.warns(TbasyncWarning), pytest.raises(LoggingError, match="3 scalars could not be handed"):
        writers[1].close()
    stats = writers[1].stats()
    assert (stats.pushed, stats.dropped, stats.waiting) == (3, 3, 0)


def test_a_value_that_is_no_number_on_one_rank(make_job):
    """It raises at the call on that rank; the others' values are written without it."""
    job = make_job(2)
    writers = job.start()
    with pytest.raises(TypeError, match="scalar_value must be"):
        writers[1].add_scalar("a", object(), 0)
    writers[0].add_scalar("a", 1.0, 0)
    job.close()
    assert read_scalars(job.run)["a"] == [(0, 1.0)]


def test_tags_that_cannot_be_written(make_job):
    """A tag that UTF-8 cannot encode travels, fails on the writing rank, and costs no other tag."""
    job = make_job(2)
    writers = job.start()

    def log_and_flush():
        for writer in writers:
            writer.log_metrics({"\udc80": 1.0, "good": 2.0}, 0)
        job.flush(1)
        writers[0].flush()

    with pytest.warns(TbasyncWarning, match="could not be logged"), pytest.raises(LoggingError):
        log_and_flush()
    assert read_scalars(job.run) == {"good": [(0, 2.0)]}


def test_a_ring_after_the_end_leaves_no_exchange(make_job):
    """A worker that begins once more and finds nothing to do ends with its exchange; the next push begins anew."""
    job = make_job(2)
    writers = job.start()
    for step in range(2):
        for writer in writers:
            writer.add_scalar("a", 1.0, step)
        job.close()
        for writer in writers:
            writer._pipeline.ring()
        wait_until(lambda: not exchanges())
    assert read_scalars(job.run)["a"] == [(0, 1.0), (1, 1.0)]


def test_clocks_that_differ_by_hours(make_job, monkeypatch):
    """Only arrival counts. Wall times are those of the writing rank's clock."""
    behind = 7 * 3600.0
    job = make_job(2)
    writers = job.start()
    real = time.time()

    class Clock:
        """The sending rank's."""

        monotonic = staticmethod(time.monotonic)
        time = staticmethod(lambda: time.time() - behind)

    monkeypatch.setattr(sender, "time", Clock)
    monkeypatch.setattr("tbasync.methods.scalars.time", lambda: real - behind)
    writers[1].add_scalar("theirs", 1.0, 0)
    writers[1].add_scalar("both", 1.0, 0)
    monkeypatch.setattr("tbasync.methods.scalars.time", time.time)
    writers[0].add_scalar("both", 1.0, 0)
    job.close()
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    (path,) = job.run.iterdir()
    times = {v.tag: e.wall_time for e in loader.EventFileLoader(str(path)).Load() for v in e.summary.value}
    assert times.keys() == {"theirs", "both"}
    assert all(abs(wall_time - real) < 60 for wall_time in times.values())


def test_a_world_of_one(tmp_path):
    """Without a process group `reduce` works: each value is its own mean, minimum and maximum."""
    with SummaryWriter(tmp_path / "run", reduce=("mean", "max")) as writer:
        for step in range(100):
            writer.add_scalar("a", step, step)
        writer.add_scalar("b", 7, 0, reduce="sum")
        threads = [thread.name for thread in threading.enumerate()]
    assert "tbasync-ranks" not in threads
    points = read_scalars(tmp_path / "run")
    assert points["a"] == points["a/max"] == [(step, step) for step in range(100)]
    assert points["b"] == [(0, 7.0)]
    assert writer.stats().written == 101
    assert writer.stats().reductions.groups == {1: 101}


def test_a_world_without_a_process_group(tmp_path, monkeypatch):
    """Where the launcher tells of more ranks it is said that only this one's values are written."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        with pytest.warns(
            TbasyncWarning, match=f"reduce= has no process group to reduce over.*rank {rank} of 2"
        ):
            writer = SummaryWriter(tmp_path / "run", ranks=1, reduce="mean")
        writer.add_scalar("a", rank, 0)
        writer.close()
    assert read_scalars(tmp_path / "run") == {"a": [(0, 1.0)]}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"reduce": "median"}, ValueError, "reduce must be one of 'mean', 'sum', 'min', 'max'.*got 'median'"),
        ({"reduce": ("mean", "mean")}, ValueError, "reduce names a reduction twice"),
        ({"reduce": 3}, TypeError, "reduce must be one of .*, got int: 3"),
        ({"reduce": ("mean", None)}, TypeError, "reduce must be one of .*, got NoneType: None in it"),
        ({"reduce": "mean", "reduce_timeout": 0}, ValueError, "reduce_timeout must be positive, got 0"),
        ({"reduce": "mean", "reduce_timeout": math.nan}, ValueError, "reduce_timeout must be positive"),
        ({"reduce": "mean", "reduce_timeout": "3"}, TypeError, "reduce_timeout must be a number of seconds"),
    ],
)
def test_options_that_cannot_be(tmp_path, options, error, message):
    """What is no reduction, or no timeout, is refused at construction."""
    with pytest.raises(error, match=message):
        SummaryWriter(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_reduction_without_a_reducing_writer(tmp_path):
    """`add_scalar(reduce=)` on a writer constructed without it says what to do."""
    with SummaryWriter(tmp_path / "run") as writer:
        with pytest.raises(ValueError, match=r"constructed without reduce=; reduce=\(\) there reduces only"):
            writer.add_scalar("a", 1.0, 0, reduce="mean")
        with pytest.raises(ValueError, match="got 'middle'"):
            writer.add_scalar("a", 1.0, 0, reduce="middle")


class Untouchable:
    """A value that must not be looked at."""

    def __array__(self, *args, **kwargs):
        raise AssertionError("the value was read")

    __float__ = __len__ = __iter__ = __array__


def test_a_rank_that_sends_writes_nothing(make_job):
    """It has no file and no directory, and takes everything but scalars without looking at it."""
    job = make_job(2)
    (writer,) = job.start(1)
    assert isinstance(writer, SummaryWriter)
    writer.add_histogram("a", Untouchable(), 0)
    writer.add_text("b", Untouchable())
    writer.file_writer.add_event(Untouchable())
    writer.add_scalar("c", 1.0, 0)
    assert writer.flush()
    assert not job.run.exists()
    assert writer.get_logdir() == str(job.run)
    with writer.use_metadata(global_step=3):
        writer.add_scalar("c", 1.0)


def test_several_writing_ranks(make_job):
    """Each has its own sub-run for what is not reduced; the first writes the reductions in its own."""
    job = make_job(3)
    for rank, writer in enumerate(job.start(ranks=(1, 2))):
        writer.add_scalar("loss", rank, 0)
        writer.add_text("note", f"of rank {rank}", 0)
        writer.add_scalar("mine", rank, 0, reduce=())
    writers = job.writers
    threads = [threading.Thread(target=writers[rank].close) for rank in (0, 2)]
    for thread in threads:
        thread.start()
    writers[1].close()
    for thread in threads:
        thread.join(30)
    assert sorted(path.name for path in job.run.iterdir()) == ["rank1", "rank2"]
    first, second = (read_texts_and_scalars(job.run / name) for name in ("rank1", "rank2"))
    assert first == {"loss": 1.0, "note/text_summary": b"of rank 1", "mine": 1.0}
    assert second == {"note/text_summary": b"of rank 2", "mine": 2.0}


def read_texts_and_scalars(run):
    """The last value of every tag of a run."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    values = {}
    for path in run.iterdir():
        for event in loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                tensor = value.tensor
                values[value.tag] = tensor.string_val[0] if tensor.string_val else tensor.float_val[0]
    return values


def test_keys_are_deleted_once_read(make_job):
    """What has been read does not stay in the store: after a job only counters and a name are left."""
    job = make_job(4)
    writers = job.start()
    for step in range(200):
        for writer in writers:
            writer.add_scalar("a", 1.0, step)
        if step % 20 == 0:
            job.flush()
            assert len(job.store.blocks) == 0
    job.close()
    assert job.store.blocks == []
    assert len(job.store.keys) == 2
    assert job.writers[0].stats().reductions.blocks_received > 30


def test_nobody_waits_in_the_store(make_job):
    """No request ever waits for a key, and what is asked in an interval does not grow with the steps."""
    job = make_job(2)
    writers = job.start()
    for step in range(5_000):
        for writer in writers:
            writer.add_scalar("a", 1.0, step)
    job.close()
    assert set(job.store.requests) <= {"connect", "add", "set", "check", "multi_get", "delete_key"}
    assert len(job.store.requests) < 2_000
    assert writers[0].stats().reductions.groups == {2: 5_000}


def test_two_writers_of_one_job_do_not_meet(make_job):
    """The n-th writer of each rank belongs to the n-th of the others."""
    job = make_job(2)
    one = job.start()
    job.run = job.run.with_name("other")
    other = job.start()
    for rank in range(2):
        one[rank].add_scalar("a", rank, 0)
        other[rank].add_scalar("a", 10 * rank, 0)
    for writer in (one[1], other[1], one[0], other[0]):
        writer.close()
    assert read_scalars(job.run) == {"a": [(0, 5.0)]}
    assert read_scalars(job.run.with_name("run0")) == {"a": [(0, 0.5)]}


def test_more_tags_than_are_remembered(make_job, monkeypatch):
    """Tags without end do not grow the tables without end, and nothing is lost when they are begun anew."""
    monkeypatch.setattr("tbasync.ranks.reduction._MOST_SERIES", 100)
    job = make_job(2)
    writers = job.start()
    for step in range(500):
        for writer in writers:
            writer.add_scalar(f"tag{step}", step, step)
        if step % 50 == 0:
            job.flush()
    job.close()
    points = read_scalars(job.run)
    assert {tag: rows[-1] for tag, rows in points.items()} == {f"tag{s}": (s, s) for s in range(500)}


def test_a_forgotten_writer_ends(make_job):
    """A writer that is dropped unclosed still hands over and writes what was pushed."""
    job = make_job(2)
    job.start()
    job.writers[1].add_scalar("a", 1.0, 0)
    job.writers[0].add_scalar("a", 3.0, 0)
    pipelines = [writer._pipeline for writer in job.writers.values()]
    job.writers.clear()
    wait_until(lambda: all(pipeline.closed for pipeline in pipelines))
    assert read_scalars(job.run) == {"a": [(0, 2.0)]}
    wait_until(lambda: not any(thread.name == "tbasync-ranks" for thread in threading.enumerate()))

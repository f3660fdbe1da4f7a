"""Stores that are away, refuse, hang or are slow: what is kept, what is counted, and what is said."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncWarning, WriterStalledError
from tbasync.pipeline import pipeline as pipeline_module

from ..support.plain_reader import event_files, split, steps
from .stores import Watched
from .test_segments import url

AWAY = ConnectionRefusedError(111, "nobody is there")
quiet = pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")


def wait_until(true: Callable[[], object]) -> None:
    """Returns when it is."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def accounted_for(writer: SummaryWriter) -> bool:
    """Whether nothing waits and everything is counted once."""
    stats = writer.stats()
    return stats.waiting == 0 and stats.pushed == stats.written + stats.dropped + stats.failed


def test_away_from_the_start(tmp_path: Path, store: Watched, spools: Path) -> None:
    """Everything is spooled; flush() says where; one warning; when the store comes, all is uploaded in order."""
    store.error = AWAY
    with pytest.warns(TbasyncWarning, match="takes nothing") as said:  # noqa: PT031 - it may come at any moment
        writer = SummaryWriter(url(tmp_path), interval=0.01)
        for step in range(100):
            writer.add_scalar("loss", 1.0, step)
        for _ in range(3):
            with pytest.raises(LoggingError, match=str(spools)) as caught:
                writer.flush()
            assert caught.value.failures == 100
            assert caught.value.__cause__.__cause__ is AWAY
    assert len(said) == 1
    assert writer.stats().unsent == writer.stats().written == 100
    (spooled,) = spools.rglob("*tfevents*")
    assert len(split(spooled.read_bytes())) == 101
    store.error = None
    writer.add_scalar("loss", 1.0, 100)
    assert writer.flush() is True
    assert writer.stats().unsent == 0
    assert steps(tmp_path, "loss") == list(range(101))
    assert store.puts == sorted(store.puts)
    assert writer.close() is True
    assert list(spools.iterdir()) == []


@quiet
def test_away_in_the_middle(tmp_path: Path, store: Watched) -> None:
    """The loop goes on, and the thread tries again by itself: no barrier is needed."""
    with SummaryWriter(url(tmp_path), interval=0.01, flush_secs=0.02) as writer:
        writer.add_scalar("loss", 1.0, 0)
        writer.flush()
        store.error = AWAY
        for step in range(1, 200):
            writer.add_scalar("loss", 1.0, step)
        wait_until(lambda: writer.stats().write_errors >= 2)
        for step in range(200, 300):
            writer.add_scalar("loss", 1.0, step)
        wait_until(lambda: writer.stats().written == 300)
        store.error = None
        wait_until(lambda: not writer.stats().unsent)
        assert steps(tmp_path, "loss") == list(range(300))
    assert len(store.puts) == len(set(store.puts))
    assert len(event_files(tmp_path)) == len(store.puts) <= 5


def test_away_for_good(tmp_path: Path, store: Watched, spools: Path) -> None:
    """The spool takes what it may, the queue what it may, the rest is dropped and counted; close() gives up."""
    store.error = AWAY
    with pytest.warns(TbasyncWarning):  # noqa: PT031 - it may come at any moment
        writer = SummaryWriter(url(tmp_path), interval=0.01, spool_bytes=50_000, max_items=500)
        for step in range(5_000):
            writer.add_scalar("loss", 1.0, step)
            if step % 100 == 0:
                time.sleep(0.001)
        wait_until(lambda: writer.stats().dropped)
        kept = writer.stats()
        with pytest.raises(LoggingError, match="are lost") as caught:
            writer.close(0.5)
    stats = writer.stats()
    assert accounted_for(writer)
    assert stats.pushed == 5_000
    assert stats.unsent == stats.written >= kept.written
    assert caught.value.failures == stats.unsent + 5_000 - stats.written - kept.dropped
    (spooled,) = spools.rglob("*tfevents*")
    assert spooled.stat().st_size <= 50_000
    records = split(spooled.read_bytes())
    assert len(records) == stats.written + 1
    (about,) = spools.rglob("destination.txt")
    assert about.read_text() == f"{url(tmp_path)}\n"


def test_trouble_that_comes_back_is_said_again(tmp_path: Path, store: Watched) -> None:
    """Once for each time that the store goes away, also while values never stop coming."""
    with SummaryWriter(url(tmp_path), interval=0.01, flush_secs=0.01) as writer:
        for _ in range(2):
            store.error = AWAY
            errors = writer.stats().write_errors
            with pytest.warns(TbasyncWarning, match="takes nothing") as said:  # noqa: PT031 - as above
                while writer.stats().write_errors < errors + 2:
                    writer.add_scalar("loss", 1.0, 0)
                    time.sleep(0.001)
            assert len(said) == 1
            store.error = None
            done = len(store.puts)
            while len(store.puts) < done + 2:
                writer.add_scalar("loss", 1.0, 0)
                time.sleep(0.001)


@quiet
def test_what_close_has_left_is_uploaded_first(tmp_path: Path, store: Watched, spools: Path) -> None:
    """A writer that goes on after a close() that gave up brings the old segments before the new ones."""
    store.error = AWAY
    writer = SummaryWriter(url(tmp_path))
    writer.add_scalar("loss", 1.0, 0)
    with pytest.raises(LoggingError, match="files in") as caught:
        writer.close()
    assert "lost" not in str(caught.value)
    assert caught.value.failures == 1
    assert accounted_for(writer)
    store.error = None
    writer.add_scalar("loss", 1.0, 1)
    assert writer.close() is True
    assert steps(tmp_path, "loss") == [0, 1]
    assert list(spools.iterdir()) == []


@quiet
def test_a_spool_that_fills_and_empties(tmp_path: Path, store: Watched) -> None:
    """Values wait in memory when the spool is full, and follow when the store is back: none is lost."""
    store.error = AWAY
    with SummaryWriter(url(tmp_path), interval=0.01, spool_bytes=20_000) as writer:
        for step in range(3_000):
            writer.add_scalar("loss", 1.0, step)
        wait_until(lambda: writer.stats().write_errors >= 3)
        assert 0 < writer.stats().written < 3_000
        store.error = None
        assert writer.flush(30) or writer.flush(30)
        assert writer.stats().dropped == 0
    assert steps(tmp_path, "loss") == list(range(3_000))


@quiet
def test_one_value_larger_than_the_spool(tmp_path: Path, store: Watched) -> None:
    """It is taken when nothing else waits."""
    with SummaryWriter(url(tmp_path), spool_bytes=1_000) as writer:
        writer.add_text("long", "x" * 100_000, 0)
        writer.add_text("long", "y" * 100_000, 1)
        writer.add_scalar("loss", 1.0, 1)
    assert steps(tmp_path, "loss") == [1]
    assert writer.stats().failed == writer.stats().dropped == 0


@quiet
@pytest.mark.parametrize("error", [OSError(5, "500 Internal Server Error"), RuntimeError("SlowDown"), AWAY])
def test_answers_that_are_lost(tmp_path: Path, store: Watched, error: Exception) -> None:
    """The store has taken a segment and says it has not: it goes up again, and is there once."""
    with SummaryWriter(url(tmp_path)) as writer:
        store.error, store.lose_answers = error, True
        writer.add_scalar("loss", 1.0, 0)
        with pytest.raises(LoggingError, match=type(error).__name__):
            writer.flush()
        store.error = None
        writer.add_scalar("loss", 1.0, 1)
        assert writer.flush() is True
    assert steps(tmp_path, "loss") == [0, 1]
    assert len(event_files(tmp_path)) == 2


def test_a_store_that_hangs(tmp_path: Path, store: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pushes go on; flush() with a timeout returns False in time, and without one says that it hangs."""
    monkeypatch.setattr(pipeline_module, "STALL_SECONDS", 0.2)
    writer = SummaryWriter(url(tmp_path))
    writer.add_scalar("loss", 1.0, 0)
    with store.hanging():
        start = time.monotonic()
        assert writer.flush(0.05) is False
        assert writer.close(0.05) is False
        with pytest.raises(WriterStalledError, match="does not return"):
            writer.flush()
        writer.add_scalar("loss", 1.0, 1)
        assert time.monotonic() - start < 10
        assert writer.stats().unsent == 1
    assert writer.close(30) is True
    assert steps(tmp_path, "loss") == [0, 1]


@pytest.mark.slow
def test_a_slow_store(tmp_path: Path, store: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is logged during an upload goes up with the next one; the loop is not held up."""
    with SummaryWriter(url(tmp_path), flush_secs=0, interval=0.01) as writer:
        writer.add_scalar("loss", 1.0, 0)
        with store.hanging():
            assert store.held.wait(30)
            start = time.monotonic()
            for step in range(1, 5_000):
                writer.add_scalar("loss", 1.0, step)
            assert time.monotonic() - start < 1
    assert steps(tmp_path, "loss") == list(range(5_000))
    assert len(store.puts) < 100


@quiet
def test_a_spool_that_is_removed(tmp_path: Path, store: Watched, spools: Path) -> None:
    """What was in it is lost, and said; logging goes on."""
    store.error = AWAY
    with SummaryWriter(url(tmp_path)) as writer:
        writer.add_scalar("loss", 1.0, 0)
        with pytest.raises(LoggingError):
            writer.flush()
        for file in spools.rglob("*tfevents*"):
            file.unlink()
        store.error = None
        writer.add_scalar("loss", 1.0, 1)
        with pytest.warns(TbasyncWarning, match="was removed"):
            writer.flush()
    assert steps(tmp_path, "loss") == [1]


def test_no_room_for_a_spool(tmp_path: Path) -> None:
    """A spool that cannot be made is a disk that cannot be written: told, and tried again."""
    with pytest.warns(TbasyncWarning):  # noqa: PT031 - it may come at any moment
        writer = SummaryWriter(url(tmp_path / "run"), spool_dir=tmp_path / "later", interval=0.01)
        writer.add_scalar("loss", 1.0, 0)
        with pytest.raises(LoggingError, match="later"):
            writer.flush()
    (tmp_path / "later").mkdir()
    wait_until(lambda: writer.stats().written)
    assert writer.close() is True
    assert steps(tmp_path / "run", "loss") == [0]


def test_what_a_killed_process_leaves(tmp_path: Path, store: Watched) -> None:
    """The spool holds what was not uploaded, in the store's own layout: copying it there mends the run."""
    script = f"""
import os, signal, time
from tbasync import SummaryWriter
from tbasync.files.store import Store
writer = SummaryWriter({url(tmp_path / "run")!r}, spool_dir={str(tmp_path / "spools")!r}, interval=0.01)
writer.add_scalar("loss", 1.0, 0)
writer.flush()
def put(*arguments, **options):
    raise ConnectionError
Store.put = put
writer.add_scalar("loss", 1.0, 1)
writer.add_scalars("pair", {{"a": 1.0}}, 1)
while writer.stats().written < 3:
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""
    (tmp_path / "spools").mkdir()
    ended = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert steps(tmp_path / "run", "loss") == [0]
    (spool,) = (tmp_path / "spools").iterdir()
    assert (spool / "destination.txt").read_text().strip() == url(tmp_path / "run")
    for file in (spool / "files").rglob("*tfevents*"):
        target = tmp_path / "run" / file.relative_to(spool / "files")
        target.parent.mkdir(exist_ok=True)
        assert not target.exists()
        os.rename(file, target)
    assert steps(tmp_path / "run", "loss") == [0, 1]
    assert steps(tmp_path / "run" / "pair_a", "pair") == [1]


def test_the_end_of_a_program_whose_store_is_away(tmp_path: Path) -> None:
    """It ends, and says on stderr where everything is."""
    script = f"""
import warnings
warnings.simplefilter("ignore")
import tbasync.pipeline.process as process
process.EXIT_SECONDS = 0.5
from tbasync import SummaryWriter
from tbasync.files.store import Store
def put(*arguments, **options):
    raise ConnectionError("away")
Store.put = put
SummaryWriter.alive = writer = SummaryWriter({url(tmp_path)!r}, spool_dir={str(tmp_path)!r})
writer.add_scalar("loss", 1.0, 1)
"""
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, text=True)
    assert ended.returncode == 0
    assert "1 summaries are not in" in ended.stderr
    (spool,) = tmp_path.glob("tbasync-spool-*")
    assert str(spool) in ended.stderr
    assert len(list(spool.rglob("*tfevents*"))) == 1


def test_the_end_of_a_program_whose_store_hangs(tmp_path: Path) -> None:
    """It ends all the same, and says where everything is."""
    script = f"""
import time
import tbasync.pipeline.process as process
process.EXIT_SECONDS = 0.3
from tbasync import SummaryWriter
from tbasync.files.store import Store
def put(*arguments, **options):
    time.sleep(60)
Store.put = put
writer = SummaryWriter({url(tmp_path)!r}, spool_dir={str(tmp_path)!r})
writer.add_scalar("loss", 1.0, 1)
"""
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, text=True)
    assert ended.returncode == 0
    (spool,) = tmp_path.glob("tbasync-spool-*")
    assert f"in time; what it lacks is in event files in {str(spool)!r}" in ended.stderr


@quiet
def test_the_spool_counts_what_it_holds(tmp_path: Path, store: Watched, spools: Path) -> None:
    """Not more, nor less: after any mixture of sub-runs, further files, failures and removals it is empty again."""
    writer = SummaryWriter(url(tmp_path), flush_secs=0.001, interval=0.001)
    for step in range(60):
        store.error = AWAY if step % 3 else None
        writer.add_scalars("pair", {"a": 1.0, "b": 2.0}, step)
        if step % 10 == 0:
            writer.add_embedding([[1.0, 2.0]], tag="same")
        if step == 31:
            for file in spools.rglob("*tfevents*"):
                file.unlink()
        with contextlib.suppress(LoggingError):
            writer.flush()
    store.error = None
    assert writer.close(30) or writer.close(30)
    assert writer._pipeline._files._held == 0
    assert list(spools.iterdir()) == []

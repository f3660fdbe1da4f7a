"""A real S3 protocol, by way of s3fs and moto's server: what stock TensorBoard reads there, and every fault."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import LoggingError, SummaryWriter, read

from ..support.plain_reader import event_files, steps
from ..support.tensorboard_server import needs_tensorboard, tensorboard
from .s3_server import Server
from .test_faults import accounted_for, wait_until

pytest.importorskip("moto")
s3fs = pytest.importorskip("s3fs")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # aiohttp's, at the end
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with an empty bucket, which both s3fs and TensorBoard's own client find."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    served = Server()
    monkeypatch.setenv("S3_ENDPOINT", served.url)
    bucket(served).mkdir("bucket")
    yield served
    bucket(served).rm("bucket", recursive=True)
    served.stop()


def bucket(server: Server) -> Any:
    """A client of the server."""
    return s3fs.S3FileSystem(endpoint_url=server.url, skip_instance_cache=True)


def writer_to(server: Server, **options: Any) -> SummaryWriter:
    """A writer that logs to a run in the bucket."""
    return SummaryWriter("s3://bucket/run", storage_options={"endpoint_url": server.url}, **options)


def download(server: Server, directory: Path) -> Path:
    """The run as it is in the bucket, in a directory."""
    bucket(server).get("bucket/run", str(directory), recursive=True)
    return directory


def test_uploads(server: Server, tmp_path: Path) -> None:
    """One PUT for each segment and nothing else; sub-runs and the projector's files included."""
    with writer_to(server) as writer:
        for step in range(3):
            writer.add_scalar("loss", 1.0, step)
            writer.flush()
            assert len(server.uploads) == step + 1
        writer.add_scalars("pair", {"a": 1.0}, 3)
        writer.add_embedding(np.eye(3), ["a", "b", "c"])
    assert len(server.uploads) == len(set(server.uploads))
    here = download(server, tmp_path / "here")
    assert steps(here, "loss") == [0, 1, 2]
    assert steps(here / "pair_a", "pair") == [3]
    assert (here / "projector_config.pbtxt").exists()
    assert (here / "00000" / "default" / "tensors.tsv").exists()


def test_tensorboards_accumulator_follows(server: Server) -> None:
    """TensorBoard's own reader, on s3://, takes up each segment as it comes, in order; so do restarts."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = module.EventAccumulator("s3://bucket/run", size_guidance={"scalars": 0, "histograms": 0})
    with writer_to(server) as writer:
        for step in range(12):
            writer.add_scalar("loss", float(step), step)
            writer.add_histogram("weights", np.arange(10.0), step)
            writer.flush()
            if step % 3 == 2:
                accumulator.Reload()
                assert [event.step for event in accumulator.Scalars("loss")] == list(range(step + 1))
        writer.reset("loss")
        writer.add_scalar("loss", 9.0, 4)
    with writer_to(server, purge_step=6) as writer:
        writer.add_scalar("loss", 8.0, 5)
    accumulator.Reload()
    assert [(event.step, event.value) for event in accumulator.Scalars("loss")] == [(4, 9.0), (5, 8.0)]
    assert [event.step for event in accumulator.Histograms("weights")] == list(range(6))


@needs_tensorboard
def test_tensorboards_page_follows(server: Server) -> None:
    """The real `tensorboard --logdir s3://…` shows each point within its reload interval."""
    with writer_to(server) as writer:
        writer.add_scalar("loss", 0.0, 0)
        writer.flush()
        with tensorboard("s3://bucket/run", fast=False) as board:
            for step in range(1, 4):
                writer.add_scalar("loss", float(step), step)
                writer.flush()
                expected = [(k, float(k)) for k in range(step + 1)]
                board.wait_for(lambda expected=expected: board.scalars(".", "loss") == expected, 60)


@needs_tensorboard
@pytest.mark.parametrize("fast", [True, False])
def test_tensorboard_reads_a_copy_of_the_bucket(server: Server, tmp_path: Path, fast: bool) -> None:
    """Downloaded, it is a run like any other."""
    with writer_to(server, segment_bytes=20_000) as writer:
        for step in range(5_000):
            writer.add_scalar("loss", float(step), step)
            if step % 1_000 == 999:
                writer.flush()
        writer.add_text("note", "kept", 1)
    here = download(server, tmp_path / "here")
    assert len(event_files(here)) >= 5
    with tensorboard(here, fast=fast) as board:
        points = board.wait_for(lambda: board.scalars(".", "loss"))
        assert [step for step, _ in points] == sorted({step for step, _ in points})
        assert points[-1] == (4_999, 4_999.0)
        board.wait_for(lambda: board.tags("text"))


def test_away_at_the_start(server: Server, tmp_path: Path) -> None:
    """Nothing is lost, and nobody waits."""
    server.stop()
    start = time.monotonic()
    writer = writer_to(server, interval=0.01)
    writer.add_scalar("loss", 1.0, 0)
    with pytest.raises(LoggingError, match="Could not connect"):
        writer.flush()
    assert time.monotonic() - start < 10
    server.start()
    wait_until(lambda: not writer.stats().unsent)  # without a barrier
    writer.close()
    assert steps(download(server, tmp_path / "here"), "loss") == [0]


def test_killed_and_restarted(server: Server, tmp_path: Path) -> None:
    """What is logged meanwhile is spooled, and goes up in order when the server is back; each object once."""
    with writer_to(server, interval=0.01, flush_secs=0.05) as writer:
        for step in range(300):
            writer.add_scalar("loss", 1.0, step)
            if step == 100:
                writer.flush()
                server.stop()
            if step == 200:
                with pytest.raises(LoggingError):
                    writer.flush()
                wait_until(lambda: writer.stats().write_errors >= 3)
                server.start()
        assert writer.flush(30) or writer.flush(30)
    assert steps(download(server, tmp_path / "here"), "loss") == list(range(300))
    assert len(server.uploads) == len(set(server.uploads))
    assert server.uploads == sorted(server.uploads)


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Slow Down", "403 Forbidden"])
def test_errors_of_the_server(server: Server, tmp_path: Path, status: str) -> None:
    """Refused uploads are told by the next barrier, and made again."""
    with writer_to(server, interval=0.01) as writer:
        server.status = status
        writer.add_scalar("loss", 1.0, 0)
        with pytest.raises(LoggingError, match="not in 's3://bucket/run'"):
            writer.flush()
        server.status = None
        writer.add_scalar("loss", 1.0, 1)
        assert writer.flush() is True
    assert steps(download(server, tmp_path / "here"), "loss") == [0, 1]


def test_no_such_bucket(server: Server) -> None:
    """It is said by the first barrier; when somebody makes the bucket, what was logged is there."""
    options = {"endpoint_url": server.url}
    writer = SummaryWriter("s3://other/run", storage_options=options, interval=0.01)
    writer.add_scalar("loss", 1.0, 0)
    with pytest.raises(LoggingError, match="bucket"):
        writer.flush()
    bucket(server).mkdir("other")
    assert writer.close(30) is True
    assert len(bucket(server).find("other")) == 1
    bucket(server).rm("other", recursive=True)


def test_a_slow_server(server: Server, tmp_path: Path) -> None:
    """flush() returns False in time; the loop goes on; nothing goes up twice."""
    server.delay = 0.5
    with writer_to(server, interval=0.01) as writer:
        writer.add_scalar("loss", 1.0, 0)
        start = time.monotonic()
        assert writer.flush(0.1) is False
        for step in range(1, 1_000):
            writer.add_scalar("loss", 1.0, step)
        assert time.monotonic() - start < 0.5
        assert writer.flush() is True
    assert steps(download(server, tmp_path / "here"), "loss") == list(range(1_000))
    assert len(server.uploads) == len(set(server.uploads)) <= 3


def test_away_for_good(server: Server, tmp_path: Path) -> None:
    """A bounded spool, exact counts, and an end within the time given."""
    (tmp_path / "spools").mkdir()
    writer = writer_to(
        server, interval=0.01, spool_bytes=30_000, max_items=200, spool_dir=tmp_path / "spools"
    )
    server.stop()
    for step in range(3_000):
        writer.add_scalar("loss", 1.0, step)
        if step % 50 == 0:
            time.sleep(0.001)
    wait_until(lambda: writer.stats().dropped)
    start = time.monotonic()
    with pytest.raises(LoggingError, match="are lost"):
        writer.close(1)
    assert time.monotonic() - start < 10
    assert accounted_for(writer)
    stats = writer.stats()
    assert stats.pushed == 3_000
    (spooled,) = (tmp_path / "spools").rglob("*tfevents*")
    assert spooled.stat().st_size <= 30_000
    assert len(steps(spooled.parent, "loss")) == stats.unsent == stats.written
    server.start()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_fork(server: Server, tmp_path: Path) -> None:
    """A child of a process whose client is in use makes a client of its own."""
    with writer_to(server) as writer:
        writer.add_scalar("parent", 1.0, 0)
        writer.flush()
        for number in range(3):
            child = os.fork()
            if not child:
                code = 1
                try:
                    writer.add_scalar("child", 1.0, number)
                    code = int(not writer.close(30))
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
        writer.add_scalar("parent", 1.0, 1)
    here = download(server, tmp_path / "here")
    assert steps(here, "parent") == [0, 1]
    assert sorted(steps(here, "child")) == [0, 1, 2]


def test_reading_by_url(server: Server) -> None:
    """`tbasync.read` takes the URL, also when the store has more since the last time."""
    options = {"endpoint_url": server.url}
    with writer_to(server) as writer:
        for step in range(3):
            writer.add_scalar("loss", 1.0, step)
            writer.flush()
            found = read("s3://bucket/run", storage_options=options)
            assert found["loss"].steps.tolist() == list(range(step + 1))


@pytest.mark.parametrize("known", [False, True])
def test_the_end_of_a_program_that_closes_nothing(server: Server, tmp_path: Path, known: bool) -> None:
    """Everything is uploaded, though asyncio's threads end before exit handlers run, and a name is to be resolved."""
    script = f"""
from tbasync import SummaryWriter
options = {{"endpoint_url": {server.url.replace("127.0.0.1", "localhost")!r}}}
writer = SummaryWriter("s3://bucket/run", storage_options=options, interval=5, spool_dir={str(tmp_path)!r})
writer.add_scalar("loss", 1.0, 0)
if {known}:
    writer.flush()
writer.add_scalar("loss", 1.0, 1)
"""
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert steps(download(server, tmp_path / "here"), "loss") == [0, 1]
    assert list(tmp_path.glob("tbasync-spool-*")) == []

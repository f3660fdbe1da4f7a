"""What third parties reach for in a SummaryWriter: attributes, file writers, closing and going on, purging."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import Any

import pytest

from tbasync import SummaryWriter, proto

from ..support.plain_reader import event_files, events, scalars


def summary_of(module: Any, tag: str, value: float) -> Any:
    """A Summary of one scalar in somebody's own classes."""
    summary = module.Summary()
    summary.value.add(tag=tag, simple_value=value)
    return summary


@pytest.fixture(params=["tbasync.proto", "tensorboard.compat.proto", "tensorboardX.proto"])
def protos(request: pytest.FixtureRequest) -> Any:
    """The Event, Summary and GraphDef classes of a package."""
    if request.param == "tbasync.proto":
        return proto

    class Classes:
        Event = pytest.importorskip(f"{request.param}.event_pb2").Event
        Summary = pytest.importorskip(f"{request.param}.summary_pb2").Summary
        GraphDef = pytest.importorskip(f"{request.param}.graph_pb2").GraphDef

    return Classes


def test_a_file_writer_takes_anybodys_messages(tmp_path: Path, protos: Any) -> None:
    """Events, summaries and graphs, with their own step and time or the call's; the messages stay as they are."""
    writer = SummaryWriter(tmp_path)
    files = writer.file_writer
    assert files is not None
    event = protos.Event(step=3, wall_time=12.5, summary=summary_of(protos, "own", 1.5))
    before = event.SerializeToString()
    files.add_event(event)
    files.add_event(event, 4)
    files.add_event(event, 5, 1.25)
    assert event.SerializeToString() == before
    files.add_summary(summary_of(protos, "summary", 2.5), 6)
    files.add_summary(summary_of(protos, "summary", 3.5), global_step=7, walltime=2.25)
    graph = protos.GraphDef()
    graph.node.add(name="node", op="op")
    files.add_onnx_graph(graph, 3.25)
    files.add_graph((graph, proto.RunMetadata()), 4.25)
    files.flush()
    found = [e for e in events(tmp_path) if e.HasField("summary")]
    assert [(e.step, e.summary.value[0].tag, e.summary.value[0].simple_value) for e in found] == [
        (3, "own", 1.5),
        (4, "own", 1.5),
        (5, "own", 1.5),
        (6, "summary", 2.5),
        (7, "summary", 3.5),
    ]
    assert found[2].wall_time == 1.25
    assert found[4].wall_time == 2.25
    assert abs(found[0].wall_time - time.time()) < 100, "no time given is now, as in torch's writer"
    graphs = [proto.GraphDef.FromString(e.graph_def) for e in events(tmp_path) if e.HasField("graph_def")]
    assert {graph.node[0].name for graph in graphs} == {"node"}
    files.close()
    assert writer.file_writer is None


def test_an_event_may_be_used_again_at_once(tmp_path: Path) -> None:
    """It is serialized at the call: Lightning and others reuse one object."""
    event = proto.Event()
    with SummaryWriter(tmp_path) as writer:
        for step in range(100):
            event.step = step
            event.summary.CopyFrom(summary_of(proto, "t", float(step)))
            files = writer.file_writer
            assert files is not None
            files.add_event(event)
    assert scalars(tmp_path) == {"t": [(step, float(step)) for step in range(100)]}


def test_where_it_logs(tmp_path: Path) -> None:
    """`log_dir`, `logdir`, `get_logdir()`, for the writer and its file writer."""
    with SummaryWriter(str(tmp_path)) as writer:
        files = writer.file_writer
        assert files is not None
        assert writer.log_dir == writer.logdir == writer.get_logdir() == files.get_logdir() == str(tmp_path)
    with SummaryWriter(logdir=tmp_path / "x") as writer:
        assert writer.log_dir == str(tmp_path / "x")


def test_the_default_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`runs/<date>_<time>_<host><comment>` below the current directory."""
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_mine") as writer:
        assert writer.log_dir.startswith("runs/")
        assert writer.log_dir.endswith("_mine")
    assert len(event_files(tmp_path / writer.log_dir)) == 1


def test_options_are_there_as_given(tmp_path: Path) -> None:
    """Positional, in torch's order."""
    with SummaryWriter(tmp_path, "", 5, 20, 60, ".suffix") as writer:
        assert (writer.max_queue, writer.flush_secs, writer.filename_suffix) == (20, 60, ".suffix")
        assert event_files(tmp_path)[0].name.endswith(".suffix")


def test_the_signature_is_torchs() -> None:
    """The same names in the same order, then tbasync's own, by keyword alone."""
    torch = pytest.importorskip("torch.utils.tensorboard")
    theirs = list(inspect.signature(torch.SummaryWriter.__init__).parameters)
    ours = inspect.signature(SummaryWriter.__init__).parameters
    assert list(ours)[: len(theirs)] == theirs
    assert all(p.kind is p.KEYWORD_ONLY for name, p in ours.items() if name not in [*theirs, "write_to_disk"])


def test_default_bins_are_torchs(tmp_path: Path) -> None:
    """Edge for edge."""
    torch = pytest.importorskip("torch.utils.tensorboard")
    with SummaryWriter(tmp_path / "ours") as ours, torch.SummaryWriter(tmp_path / "theirs") as theirs:
        assert list(ours.default_bins) == list(theirs.default_bins)


def test_all_writers(tmp_path: Path) -> None:
    """The run's and the sub-runs' by directory, as `add_scalars` makes them; None when closed."""
    writer = SummaryWriter(tmp_path)
    writer.add_scalars("a/b", {"x": 1.0, "y": 2.0}, 1)
    found = writer.all_writers
    assert found is not None
    assert set(found) == {str(tmp_path), f"{tmp_path}/a_b_x", f"{tmp_path}/a_b_y"}
    found[f"{tmp_path}/a_b_x"].add_summary(summary_of(proto, "third", 1.0), 1)
    assert found[str(tmp_path)].get_logdir() == str(tmp_path)
    writer.close()
    assert writer.all_writers is None
    assert set(scalars(tmp_path / "a_b_x")) == {"a/b", "third"}


def test_after_close_the_next_call_goes_on(tmp_path: Path) -> None:
    """In a new file of the same directory, sub-runs too, any number of times."""
    writer = SummaryWriter(tmp_path)
    for round in range(4):
        writer.add_scalar("t", 1.0, round)
        writer.add_scalars("m", {"s": 1.0}, round)
        assert writer.file_writer is not None
        writer.close()
        assert writer.file_writer is None
        writer.close()
    assert len(event_files(tmp_path)) == len(event_files(tmp_path / "m_s")) == 4
    assert [point.step for point in scalars(tmp_path)["t"]] == [0, 1, 2, 3]
    assert [point.step for point in scalars(tmp_path / "m_s")["m"]] == [0, 1, 2, 3]


def test_closing_twice_leaves_no_empty_file(tmp_path: Path) -> None:
    """Nothing is opened again by flushing, asking or closing."""
    writer = SummaryWriter(tmp_path)
    writer.close()
    writer.flush()
    writer.stats()
    writer.close()
    assert len(event_files(tmp_path)) == 1


def test_getting_the_file_writer_reopens(tmp_path: Path) -> None:
    """Lightning and accelerate call `_get_file_writer()`, also of a writer that was closed."""
    writer = SummaryWriter(tmp_path)
    writer.close()
    files = writer._get_file_writer()
    assert writer.file_writer is files
    files.add_summary(summary_of(proto, "t", 1.0), 1)
    writer.close()
    assert scalars(tmp_path) == {"t": [(1, 1.0)]}
    assert len(event_files(tmp_path)) == 2


def test_a_file_writer_outlives_its_writer(tmp_path: Path) -> None:
    """Who keeps only `file_writer` may go on with it."""
    files = SummaryWriter(tmp_path).file_writer
    assert files is not None
    files.reopen()
    files.add_summary(summary_of(proto, "t", 1.0), 1)
    files.close()
    assert scalars(tmp_path) == {"t": [(1, 1.0)]}


def test_use_metadata_is_tensorboardxs(tmp_path: Path) -> None:
    """Calls without a step or time take the context's; contexts nest; afterwards all is as before."""
    tensorboardx = pytest.importorskip("tensorboardX")
    for name, make in (("theirs", tensorboardx.SummaryWriter), ("ours", SummaryWriter)):
        writer = make(str(tmp_path / name))
        with writer.use_metadata(global_step=10, walltime=12.5) as same:
            assert same is writer
            writer.add_scalar("t", 1.0)
            writer.add_scalar("t", 2.0, 3)
            writer.add_scalar("t", 3.0, walltime=1.5)
            writer.add_text("text", "x")
        writer.add_scalar("t", 4.0, 5, 2.5)
        writer.close()

    def read(name: str) -> list[Any]:
        found = [event for event in events(tmp_path / name) if event.HasField("summary")]
        return [(event.step, event.wall_time, event.summary.value[0].tag) for event in found]

    assert read("ours") == read("theirs")


@pytest.mark.parametrize("step", [5, 0])
def test_purge_step_as_tensorboard_applies_it(tmp_path: Path, step: int) -> None:
    """What earlier files hold from that step on is gone; what comes after is there."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with SummaryWriter(tmp_path) as writer:
        for k in range(10):
            writer.add_scalar("t", float(k), k)
    with SummaryWriter(tmp_path, purge_step=step) as writer:
        assert writer.purge_step is None
        for k in range(step, step + 3):
            writer.add_scalar("t", 100.0 + k, k)
    loaded = accumulator.EventAccumulator(str(tmp_path)).Reload()
    expected = [(k, float(k)) for k in range(step)] + [(k, 100.0 + k) for k in range(step, step + 3)]
    assert [(e.step, e.value) for e in loaded.Scalars("t")] == expected


def test_purge_is_written_once(tmp_path: Path) -> None:
    """Closing and going on does not hide what has been logged since: there are no more than its two starts."""
    writer = SummaryWriter(tmp_path, purge_step=5)
    for round in range(3):
        writer.add_scalar("t", 1.0, round)
        writer.close()
    assert sum(event.HasField("session_log") for event in events(tmp_path)) == 2


def test_two_writers_of_one_second(tmp_path: Path) -> None:
    """They do not write over one another."""
    writers = [SummaryWriter(tmp_path) for _ in range(20)]
    for k, writer in enumerate(writers):
        writer.add_scalar(f"writer {k}", 1.0, 1)
    for writer in writers:
        writer.close()
    assert len(event_files(tmp_path)) == 20
    assert set(scalars(tmp_path)) == {f"writer {k}" for k in range(20)}

"""`wrap()` of torch's and tensorboardX's writers: nothing is lost, and both sides go on working."""

from __future__ import annotations

import abc
import glob
import json
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tbasync
from tbasync import SummaryWriter
from tbasync.encode.projector import EmbeddingEntry

pytest.importorskip("torch.utils.tensorboard")
pytest.importorskip("tensorboardX")

import tensorboardX
import torch.utils.tensorboard

from . import runs

ORIGINALS = [torch.utils.tensorboard.SummaryWriter, tensorboardX.SummaryWriter]
either = pytest.mark.parametrize("original", ORIGINALS, ids=["torch", "tensorboardX"])


@either
def test_what_the_writer_held_is_written_first(original: type, tmp_path: Path) -> None:
    """When `wrap` returns, all that was logged before is in the files, though nobody has flushed."""
    writer = original(str(tmp_path))
    for step in range(3000):
        writer.add_scalar("loss", step, step)
    writer.add_scalars("both", {"a": 1.0, "b": 2.0}, 0)
    wrapped = tbasync.wrap(writer)
    assert runs.scalars(tmp_path)["loss"] == [(step, float(step)) for step in range(3000)]
    assert {"both", "loss"} <= {series.split("/")[-1] for series in runs.scalars(tmp_path)}
    wrapped.close()


@either
def test_the_original_is_usable_afterwards(original: type, tmp_path: Path) -> None:
    """Original and wrapped writer may be used in turn, also within one second; no file loses anything."""
    writer = original(str(tmp_path))
    for turn in range(4):
        writer.add_scalar("loss", 0.0, 2 * turn)
        wrapped = tbasync.wrap(writer)
        wrapped.add_scalar("loss", 1.0, 2 * turn + 1)
        wrapped.close()
    writer.add_scalar("loss", 0.0, 8)
    writer.close()
    assert sorted(runs.scalars(tmp_path)["loss"]) == [(step, float(step % 2)) for step in range(9)]


@either
def test_a_fraction_of_a_step_ends_no_script(original: Any, tmp_path: Path) -> None:
    """Steps of all kinds come out as the original's, which cuts fractions off; that is said once for each line."""

    def log(writer: Any) -> None:
        for step in (0.25, 2.75, np.float64(-1.5), np.float32(7)):
            writer.add_scalar("float", 0.5, step)
            writer.add_scalar("int", 1, step)
            writer.add_histogram("histogram", np.ones(3), step)
            writer.add_scalars("both", {"a": 1.0}, step)

    with original(str(tmp_path / "theirs")) as theirs:
        log(theirs)
    with tbasync.wrap(original(str(tmp_path / "ours"))) as ours, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        log(ours)
    assert runs.scalars(tmp_path / "ours") == runs.scalars(tmp_path / "theirs")
    assert {step for step, _ in runs.scalars(tmp_path / "ours")["float"]} == {0, 2, -1, 7}
    assert [warning.filename for warning in told] == [__file__] * 4
    with pytest.raises(TypeError, match="global_step must be an integer"):
        ours.add_scalar("float", 0.5, float("nan"))


@either
def test_tensorboard_goes_on_to_the_wrapped_writers_file(original: type, tmp_path: Path) -> None:
    """TensorBoard reads a run's files by name, and never goes back: the original's must come first."""
    writer = original(str(tmp_path))
    before = {path.name for path in tmp_path.iterdir()}
    tbasync.wrap(writer).close()
    (ours,) = {path.name for path in tmp_path.iterdir()} - before
    assert max(before) < ours


@either
def test_a_purge_is_not_repeated(original: type, tmp_path: Path) -> None:
    """An original that was made with `purge_step` does not hide what was logged through its stand-in."""
    writer = original(str(tmp_path), purge_step=5)
    with tbasync.wrap(writer) as wrapped:
        wrapped.add_scalar("loss", 1.0, 6)
    writer.add_scalar("loss", 2.0, 7)
    writer.close()
    purges = [step for step, tag, _ in runs.read(tmp_path)["."] if tag == "session_log"]
    assert purges == [5]


@either
def test_a_closed_writer_is_taken_too(original: type, tmp_path: Path) -> None:
    """As with the original, what is logged after its `close()` goes to a new file."""
    writer = original(str(tmp_path))
    writer.add_scalar("loss", 1.0, 1)
    writer.close()
    with tbasync.wrap(writer) as wrapped:
        wrapped.add_scalar("loss", 2.0, 2)
    assert runs.scalars(tmp_path)["loss"] == [(1, 1.0), (2, 2.0)]


@either
def test_it_is_an_instance_of_both(original: Any, tmp_path: Path) -> None:
    """Frameworks that test for the original's class find it, and the directory and the file writer."""
    wrapped: Any = tbasync.wrap(original(str(tmp_path)))
    assert isinstance(wrapped, original)
    assert isinstance(wrapped, SummaryWriter)
    file_writer: Any = wrapped.file_writer
    assert wrapped.logdir == wrapped.get_logdir() == file_writer.get_logdir() == str(tmp_path)
    wrapped.close()


@either
def test_settings_are_taken_over(original: type, tmp_path: Path) -> None:
    """The suffix of file names and the accepted settings are the original's; options are tbasync's."""
    writer = original(str(tmp_path), max_queue=7, flush_secs=3, filename_suffix=".mine")
    with tbasync.wrap(writer, interval=0.125) as wrapped:
        assert (wrapped.max_queue, wrapped.flush_secs) == (7, 3)
        assert wrapped._pipeline.options.interval == 0.125
        wrapped.add_scalar("loss", 1.0, 1)
    newest = max(glob.glob(f"{tmp_path}/*"), key=os.path.getmtime)
    assert newest.endswith(".mine")


WRONG_OPTIONS: list[tuple[dict[str, Any], str]] = [
    (
        {"no_such_option": 1},
        r"wrap\(\) of a SummaryWriter takes no option 'no_such_option', but .*interval, .*ranks",
    ),
    ({"log_dir": "elsewhere"}, "takes no option 'log_dir'"),
    ({"logdir": "elsewhere"}, "takes no option 'logdir'"),
    ({"interval": "soon"}, "interval must be a number"),
    ({"interval": -1}, "interval must be 0 to"),
    ({"capacity": 1.5}, "capacity must be an int"),
    ({"on_full": "explode"}, "on_full must be one of"),
    ({"on_error": 3}, "on_error must be"),
    ({"ranks": "first"}, "ranks"),
    ({"reduce": "median"}, "reduce"),
    ({"keep_scalars": -1}, "keep_scalars"),
    ({"purge_step": "x"}, "purge_step must be"),
    ({"filename_suffix": "a/b"}, "filename_suffix must be"),
    ({"max_queue": "x"}, "max_queue must be"),
]


@either
@pytest.mark.parametrize(("options", "complaint"), WRONG_OPTIONS, ids=lambda value: str(value)[:24])
def test_a_wrong_option_leaves_the_original_alone(
    original: Any, options: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    """The error names the option; the original has been neither flushed nor closed, and goes on in its file."""
    writer = original(str(tmp_path))
    files, handle = list(tmp_path.iterdir()), writer.file_writer
    told: list[str] = []
    flush, close = writer.flush, writer.close
    writer.flush, writer.close = lambda: told.append("flush"), lambda: told.append("close")
    with pytest.raises((TypeError, ValueError), match=complaint):
        tbasync.wrap(writer, **options)
    assert (told, writer.file_writer) == ([], handle)
    assert list(tmp_path.iterdir()) == files
    writer.flush, writer.close = flush, close
    writer.add_scalar("loss", 1.0, 1)
    writer.close()
    assert list(tmp_path.iterdir()) == files
    assert runs.scalars(tmp_path) == {"loss": [(1, 1.0)]}


@either
def test_a_file_writer_taken_before(original: Any, tmp_path: Path) -> None:
    """What it is given afterwards is in the wrapped writer's file, in its place, with the time it was given."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    if original is tensorboardX.SummaryWriter:
        from tensorboardX.proto.event_pb2 import Event  # type: ignore[no-redef]
        from tensorboardX.proto.summary_pb2 import Summary  # type: ignore[no-redef]
    summary = Summary(value=[Summary.Value(tag="loss", simple_value=2)])
    writer = original(str(tmp_path))
    handle = writer.file_writer
    wrapped = tbasync.wrap(writer)
    wrapped.add_scalar("loss", 1.0, 1)
    handle.add_summary(summary, 2, walltime=5.0)
    handle.add_event(Event(summary=summary), 3, walltime=6.0)
    assert handle.get_logdir() == str(tmp_path)
    handle.flush()
    points = tbasync.read(max(map(str, tmp_path.iterdir())))["loss"]
    assert points.steps.tolist() == [1, 2, 3]
    assert points.wall_times.tolist()[1:] == [5.0, 6.0]
    handle.reopen() if hasattr(handle, "reopen") else None
    handle.close()
    assert wrapped.file_writer is None
    handle.add_summary(summary, 4)
    wrapped.close()
    assert [step for step, _ in runs.scalars(tmp_path)["loss"]] == [1, 2, 3, 4]


@either
def test_a_file_writer_of_one_that_becomes_null(original: Any, tmp_path: Path) -> None:
    """On a rank that does not write it takes everything, and writes nothing."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    writer = original(str(tmp_path))
    handle = writer.file_writer
    wrapped = tbasync.wrap(writer, ranks=0, rank=1)
    files = {path: path.stat().st_size for path in tmp_path.iterdir()}
    if original is torch.utils.tensorboard.SummaryWriter:
        handle.add_summary(Summary(value=[Summary.Value(tag="loss", simple_value=2)]), 2)
    handle.flush()
    wrapped.close()
    assert {path: path.stat().st_size for path in tmp_path.iterdir()} == files


def test_the_wrapped_is_returned_as_it_is(tmp_path: Path) -> None:
    """Wrapping twice, or tbasync's own writer, changes nothing."""
    with SummaryWriter(tmp_path) as own:
        assert tbasync.wrap(own) is own
    with tbasync.wrap(torch.utils.tensorboard.SummaryWriter(str(tmp_path))) as wrapped:
        assert tbasync.wrap(wrapped) is wrapped


@pytest.mark.parametrize("thing", [None, 3, "runs", object(), Path("runs"), {"add_scalar": print}])
def test_what_is_no_writer_is_refused(thing: Any) -> None:
    """A TypeError that says what is missing and what was given."""
    with pytest.raises(TypeError, match=rf"must have add_\* methods.*got {type(thing).__name__}"):
        tbasync.wrap(thing)


@either
def test_a_class_is_refused(original: type) -> None:
    """The class in the place of a writer is a TypeError that says so."""
    with pytest.raises(TypeError, match="not a class of writers, got the class SummaryWriter"):
        tbasync.wrap(original)


@either
def test_a_subclass_keeps_its_own(original: Any, tmp_path: Path) -> None:
    """Methods and attributes that a user's subclass adds or overrides work on, with tbasync below them."""

    class Prefixing(original):  # type: ignore[misc]
        def __init__(self, *arguments: Any, prefix: str) -> None:
            super().__init__(*arguments)
            self.prefix = prefix

        def add_scalar(self, tag: str, *arguments: Any) -> None:
            super().add_scalar(self.prefix + tag, *arguments)

        def both(self, step: int) -> None:
            self.add_scalar("a", 1.0, step)
            original.add_scalar(self, "b", 2.0, step)

    with tbasync.wrap(Prefixing(str(tmp_path), prefix="mine/")) as wrapped:
        assert isinstance(wrapped, Prefixing)
        wrapped.both(3)
    assert runs.scalars(tmp_path) == {"mine/a": [(3, 1.0)], "b": [(3, 2.0)]}


@either
def test_subclasses_of_every_sort(original: Any, tmp_path: Path) -> None:
    """With slots, with a metaclass, with a mixin before the writer: all can be stood in for."""

    class Mixin:
        def twice(self, tag: str, value: float, step: int) -> None:
            self.add_scalar(tag, value, step)  # type: ignore[attr-defined]
            self.add_scalar(tag, value, step + 1)  # type: ignore[attr-defined]

    class Slotted(original):  # type: ignore[misc]
        __slots__ = ("extra",)

    class Abstract(Mixin, original, metaclass=abc.ABCMeta):  # type: ignore[misc]
        pass

    classes: list[Any] = [Slotted, Abstract]
    for number, cls in enumerate(classes):
        with tbasync.wrap(cls(str(tmp_path / str(number)))) as wrapped:
            wrapped.extra = number
            wrapped.add_scalar("loss", 1.0, 1)
            assert isinstance(wrapped, cls)
        assert runs.scalars(tmp_path / str(number)) == {"loss": [(1, 1.0)]}
    with tbasync.wrap(Abstract(str(tmp_path / "mixin"))) as wrapped:
        wrapped.twice("loss", 1.0, 1)
    assert runs.scalars(tmp_path / "mixin") == {"loss": [(1, 1.0), (2, 1.0)]}


@either
def test_a_method_that_tbasync_lacks_is_the_originals(original: Any, tmp_path: Path) -> None:
    """A future kind of summary works through the original's method and tbasync's file."""

    class Newer(original):  # type: ignore[misc]
        pass

    from tensorboard.compat.proto.summary_pb2 import Summary

    def add_smell(self: Any, tag: str, step: int) -> None:
        self._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, simple_value=9)]), step)

    Newer.add_smell = add_smell
    with tbasync.wrap(Newer(str(tmp_path))) as wrapped:
        wrapped.add_scalar("before", 1.0, 1)
        wrapped.add_smell("rose", 2)
    assert runs.scalars(tmp_path) == {"before": [(1, 1.0)], "rose": [(2, 9.0)]}


@either
def test_an_unwritable_directory_is_said_at_once(original: type, tmp_path: Path) -> None:
    """`wrap` raises OSError when the new event file cannot be made."""
    writer = original(str(tmp_path / "run"))
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    (tmp_path / "run").rmdir()
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(OSError, match="run"):
        tbasync.wrap(writer)


@either
def test_a_stand_in_can_be_pickled(original: Any, tmp_path: Path) -> None:
    """The copy is a stand-in for the same class, and writes a file of its own in the same directory."""
    with tbasync.wrap(original(str(tmp_path / "run"))) as wrapped:
        wrapped.add_scalar("loss", 1.0, 1)
        with pickle.loads(pickle.dumps(wrapped)) as copy:
            assert type(copy) is type(wrapped)
            copy.add_scalar("loss", 2.0, 2)
    assert sorted(runs.scalars(tmp_path / "run")["loss"]) == [(1, 1.0), (2, 2.0)]


@either
def test_a_null_stand_in_can_be_pickled(original: Any, tmp_path: Path) -> None:
    """On a rank that does not write the stand-in writes nothing, and neither does its copy."""
    wrapped = tbasync.wrap(original(str(tmp_path)), ranks=0, rank=1)
    files = len(list(tmp_path.iterdir()))
    for writer in (wrapped, pickle.loads(pickle.dumps(wrapped))):
        assert isinstance(writer, original)
        writer.add_scalar("loss", 1.0, 1)
        writer.add_text("text", "x")
        writer.close()
    assert len(list(tmp_path.iterdir())) == files


@either
def test_embeddings_are_listed_on(original: Any, tmp_path: Path) -> None:
    """The projector's list has those of the original and those of its stand-in; torch drops older ones."""
    (tmp_path / "projector_config.pbtxt").write_text('embeddings { tensor_name: "older:00001" }\n')
    points = torch.eye(4)
    writer = original(str(tmp_path))
    writer.add_embedding(points, ["a"] * 4, torch.rand(4, 3, 2, 2), 1, "first/one")
    with tbasync.wrap(writer) as wrapped:
        wrapped.add_embedding(points, tag="second")
    content = (tmp_path / "projector_config.pbtxt").read_text()
    listed = [EmbeddingEntry("first/one", 1, True, (2, 2)), EmbeddingEntry("second", 0)]
    assert content.endswith("".join(entry.text().decode() for entry in listed))
    assert content.count("embeddings {") == (2 if original is torch.utils.tensorboard.SummaryWriter else 3)
    assert ("older" in content) == (original is not torch.utils.tensorboard.SummaryWriter)
    assert (tmp_path / "00001" / "first%2fone" / "tensors.tsv").exists()


def test_points_for_the_export_are_taken_over(tmp_path: Path) -> None:
    """What `export_scalars_to_json` writes begins with what the original has kept, which keeps its own."""
    originals = tensorboardX.SummaryWriter(str(tmp_path / "run"))
    originals.add_scalars("m", {"a": 1.0, "b": 2.0}, 1, walltime=5.0)
    with tbasync.wrap(originals) as wrapped:
        wrapped.add_scalars("m", {"a": 3.0}, 2, walltime=6.0)
        wrapped.export_scalars_to_json(str(tmp_path / "all.json"))
        assert wrapped.scalar_dict == {}
    expected = {"a": [[5.0, 1, 1.0], [6.0, 2, 3.0]], "b": [[5.0, 1, 2.0]]}
    found = json.loads((tmp_path / "all.json").read_text())
    assert found == {f"{tmp_path}/run/m/{key}": points for key, points in expected.items()}
    assert {len(points) for points in originals.scalar_dict.values()} == {1}
    with tbasync.wrap(originals, keep_scalars=0) as wrapped:
        wrapped.add_scalars("m", {"a": 3.0}, 3)


def test_the_bound_holds_for_points_that_are_taken_over(tmp_path: Path) -> None:
    """A bound that is lower than what the original has kept is told of, and the first points are kept."""
    original = tensorboardX.SummaryWriter(str(tmp_path))
    for step in range(3):
        original.add_scalars("m", {"a": 1.0, "b": 2.0}, step)
    with pytest.warns(tbasync.TbasyncWarning, match="scalar_dict has 4 points") as told:
        wrapped: Any = tbasync.wrap(original, keep_scalars=4)
    assert told[0].filename == __file__
    assert [len(points) for points in wrapped.scalar_dict.values()] == [3, 1]
    wrapped.close()

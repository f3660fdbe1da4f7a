"""The writer of a process that does not write."""

from __future__ import annotations

import copy
import dis
import inspect
import os
import pickle
import threading

import numpy as np
import pytest

from tbasync import Stats, SummaryWriter
from tbasync.file_writer import FileWriter


class Untouchable:
    """A value that fails as soon as anything is done with it."""

    def __getattribute__(self, name):
        raise AssertionError(f"{name} was looked up")

    def __float__(self):
        raise AssertionError("the value was read")

    __array__ = __bool__ = __len__ = __iter__ = __index__ = __str__ = __repr__ = __hash__ = __float__
    __eq__ = None


class Mine(SummaryWriter):
    """A user's writer: another constructor, an override, a method of its own."""

    def __init__(self, directory, **options):
        super().__init__(directory, **options)
        self.calls = 0

    def add_scalar(self, tag, value, step=None, *, extra):
        self.calls += 1
        super().add_scalar(f"mine/{tag}", float(value), step)

    def own(self, value):
        self.calls += 1
        super().add_scalar("own", value)
        return self.calls


class Plain(SummaryWriter):
    """A user's writer that changes nothing."""


def null(directory, kind=SummaryWriter):
    """A null writer for a directory that does not exist."""
    return kind(str(directory / "run"), ranks=0, rank=1)


KINDS = pytest.mark.parametrize("kind", [SummaryWriter, Plain, Mine])


def public_methods(kind):
    """The names of the public methods of a class."""
    return [name for name, member in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"]


def arguments_of(method):
    """Untouchable values for everything that a method must be given."""
    parameters = list(inspect.signature(method).parameters.values())
    required = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD,)]
    return [Untouchable() for _ in required]


@KINDS
def test_every_public_method_works_and_reads_nothing(tmp_path, kind):
    """Each method, found by introspection, takes values that cannot be read, and writes nothing."""
    threads = threading.active_count()
    writer = null(tmp_path, kind)
    for name in public_methods(SummaryWriter):
        bound = getattr(writer, name)
        if name == "use_metadata":
            continue
        answer = bound(*arguments_of(bound))
        returns_nothing = getattr(SummaryWriter, name).__annotations__["return"] == "None"
        assert (answer is None) == returns_nothing, name
    assert os.listdir(tmp_path) == []
    assert threading.active_count() == threads


@KINDS
def test_a_null_writer_is_a_writer(tmp_path, kind):
    """It is an instance of its class, and what frameworks look at is there."""
    writer = null(tmp_path, kind)
    assert isinstance(writer, kind)
    assert writer.log_dir == writer.logdir == writer.get_logdir() == str(tmp_path / "run")
    assert writer.stats() == Stats()
    assert writer.flush() is True
    assert writer.flush(timeout=0, fsync=True) is True
    assert writer.close() is True
    assert (writer.max_queue, writer.flush_secs, writer.filename_suffix, writer.purge_step) == (
        10,
        120,
        "",
        None,
    )
    assert len(writer.default_bins) == 1549
    with writer as entered, writer.use_metadata(global_step=3) as within:
        assert entered is within is writer


@KINDS
def test_the_null_file_writer(tmp_path, kind):
    """`file_writer` and its like take events without serializing them."""
    writer = null(tmp_path, kind)
    assert writer.all_writers.keys() == {writer.log_dir}
    for file_writer in (writer.file_writer, writer._get_file_writer(), *writer.all_writers.values()):
        assert isinstance(file_writer, FileWriter)
        assert file_writer.get_logdir() == writer.log_dir
        for name in set(public_methods(FileWriter)) - {"get_logdir", "use_metadata"}:
            method = getattr(file_writer, name)
            assert method(*arguments_of(method)) is None
        with file_writer.use_metadata(global_step=3) as within:
            assert within is file_writer


def test_methods_of_a_later_version(tmp_path, monkeypatch):
    """A method that a later version adds is empty in null writers without being listed."""
    monkeypatch.setattr("tbasync.ranks.null._made", {})

    def add_smell(self, tag: str, smell: object, *, strength: float) -> None:
        raise AssertionError("not empty")

    monkeypatch.setattr(SummaryWriter, "add_smell", add_smell, raising=False)
    writer = null(tmp_path)
    assert writer.add_smell("a", Untouchable()) is None
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'smell'"):
        writer.add_smell("a")


def test_subclasses(tmp_path):
    """A user's constructor and own methods run; overrides are empty; `super()` finds empty methods."""
    writer = null(tmp_path, Mine)
    writer.add_scalar("a", Untouchable(), extra=Untouchable())
    assert writer.calls == 0
    assert writer.own(Untouchable()) == 1
    assert type(writer).__name__ == "NullMine"
    real = Mine(tmp_path / "real", ranks=1, rank=1)
    assert type(real) is Mine
    real.add_scalar("a", 1, extra=0)
    real.close()
    assert real.stats().written == 1


@KINDS
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))])
def test_copies_are_null_writers(tmp_path, kind, again):
    """A null writer can be pickled to spawned workers, and copied."""
    writer = null(tmp_path, kind)
    writer.note = [1]
    other = again(writer)
    assert type(other) is type(writer)
    assert vars(other) == vars(writer)
    other.add_scalar("a", Untouchable(), **({"extra": 0} if kind is Mine else {}))


def test_write_to_disk(tmp_path):
    """tensorboardX's `write_to_disk=False`, by keyword and in its seventh place, makes a null writer."""
    run = str(tmp_path / "run")
    for writer in (
        SummaryWriter(run, write_to_disk=False),
        SummaryWriter(run, "", None, 10, 120, "", False),
        Mine(run, write_to_disk=False),
        SummaryWriter(run, write_to_disk=False, ranks=0, rank=0),
    ):
        writer.own(1) if isinstance(writer, Mine) else writer.add_scalar("a", Untouchable())
        writer.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("ranks", "writing"),
    [(None, [0, 1, 2, 3]), (0, [0]), (3, [3]), ([2], [2]), ({1, 3}, [1, 3]), (range(4), [0, 1, 2, 3])],
)
@pytest.mark.parametrize("kind", [Plain, Mine])
def test_who_writes(tmp_path, monkeypatch, ranks, writing, kind):
    """The chosen ranks write, into sub-runs of their own where there are several; the others do not."""
    monkeypatch.setenv("WORLD_SIZE", "4")
    several = ranks is not None and len(writing) > 1
    for rank in range(4):
        monkeypatch.setenv("RANK", str(rank))
        run = tmp_path / f"of{rank}"
        with kind(run, ranks=ranks) as writer:
            writer.own(1) if kind is Mine else writer.add_scalar("a", 1.0)
        expected = run / f"rank{rank}" if several else run
        assert writer.log_dir == str(expected)
        assert run.exists() == (rank in writing)
        if rank in writing:
            assert writer.stats().written == 1
            assert len(os.listdir(expected)) == 1


@pytest.mark.parametrize(
    ("ranks", "error", "message"),
    [
        (4, ValueError, "ranks=4 is outside the world of 4 ranks"),
        ([0, 9], ValueError, "ranks=9 is outside the world of 4 ranks"),
        (-1, ValueError, "ranks must not be negative"),
        ((), ValueError, "ranks is empty"),
        ("0", TypeError, "ranks must be an integer, got str: '0'"),
        (0.0, TypeError, "ranks must be an integer, got float"),
        (False, TypeError, "ranks must be an integer, got the bool False"),
        ([0, None], TypeError, "each of ranks must be an integer, got NoneType"),
    ],
)
@pytest.mark.parametrize("kind", [SummaryWriter, Mine])
def test_ranks_that_cannot_be(tmp_path, monkeypatch, ranks, error, message, kind):
    """Ranks that are none, or outside the world, are refused at construction, on every rank."""
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(error, match=message):
        kind(tmp_path / "run", ranks=ranks)
    assert os.listdir(tmp_path) == []


def test_the_signature_is_the_constructors():
    """`inspect.signature(SummaryWriter)` shows the constructor's arguments, not those of `__new__`."""
    parameters = list(inspect.signature(SummaryWriter).parameters)
    assert parameters[:7] == [
        "log_dir",
        "comment",
        "purge_step",
        "max_queue",
        "flush_secs",
        "filename_suffix",
        "write_to_disk",
    ]


def test_numpy_ranks(tmp_path):
    """Ranks may be numpy's integers."""
    assert SummaryWriter(tmp_path / "run", ranks=np.int64(0), rank=np.int32(1)).stats() == Stats()


class Empty:
    """What a null writer's cost is measured against."""

    def add_scalar(self, tag, value, step):
        """Does nothing."""


@pytest.mark.slow
def test_a_null_call_is_an_empty_method(tmp_path):
    """It runs no more byte code than a method without a body; benchmarks/null_writer has the times."""

    def empty(self, *arguments, **options):
        pass

    called = type(null(tmp_path)).add_scalar
    assert [i.opname for i in dis.get_instructions(called)] == [i.opname for i in dis.get_instructions(empty)]
    assert not called.__defaults__ or called.__code__.co_names == ()

"""Where a process stands in its job, from each source and in their order."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest

from tbasync.ranks.detect import find_place

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
SLURM = {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "16"}
OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "6"}
PMI = {"PMI_RANK": "1", "PMI_SIZE": "2"}


@pytest.fixture(autouse=True)
def no_framework(monkeypatch):
    """No framework is imported as far as the code under test can see."""
    for name in ("torch.distributed", "jax", "jax._src.distributed", "jax._src.xla_bridge"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def fake_torch(monkeypatch, rank, world, *, available=True, initialized=True):
    """Puts a process group into `sys.modules`."""
    module = SimpleNamespace(
        is_available=lambda: available,
        is_initialized=lambda: initialized,
        get_rank=lambda: rank,
        get_world_size=lambda: world,
    )
    monkeypatch.setitem(sys.modules, "torch.distributed", module)


@pytest.mark.parametrize(
    ("environment", "rank", "world"),
    [
        ({}, 0, 1),
        (TORCHRUN, 5, 8),
        (SLURM, 3, 4),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "16"}, 3, 16),
        (OPEN_MPI, 2, 6),
        (PMI, 1, 2),
        (PMI | OPEN_MPI | SLURM | TORCHRUN, 5, 8),
        (PMI | OPEN_MPI | SLURM, 3, 4),
        (PMI | OPEN_MPI, 2, 6),
    ],
)
def test_each_launcher_and_their_order(environment, rank, world):
    """Each launcher's variables are understood; torchrun's win, for it may run within the others."""
    place = find_place(environment=environment)
    assert (place.rank, place.world) == (rank, world)


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "5"},
        {"RANK": "5", "WORLD_SIZE": ""},
        {"RANK": "first", "WORLD_SIZE": "8"},
        {"RANK": "-1", "WORLD_SIZE": "8"},
        {"RANK": "8", "WORLD_SIZE": "8"},
        {"RANK": "1.0", "WORLD_SIZE": "8"},
        {"RANK": "²", "WORLD_SIZE": "8"},
    ],
)
def test_variables_that_make_no_sense_are_passed_over(environment):
    """Half of a pair, or nonsense, is somebody else's variable: the next launcher is asked."""
    assert find_place(environment=environment).world == 1
    assert find_place(environment=environment | PMI).rank == 1


def test_the_process_group_wins_over_the_launcher(monkeypatch):
    """What torch.distributed says counts, once it is initialised."""
    fake_torch(monkeypatch, 7, 9)
    assert find_place(environment=TORCHRUN) == find_place(environment={})
    assert find_place(environment=TORCHRUN).source == "torch.distributed"


@pytest.mark.parametrize("state", [{"available": False}, {"initialized": False}])
def test_a_process_group_that_is_not_there(monkeypatch, state):
    """An import of torch alone says nothing about ranks."""
    fake_torch(monkeypatch, 7, 9, **state)
    assert find_place(environment=TORCHRUN).rank == 5


def test_jax_is_read_and_never_initialised(monkeypatch):
    """JAX's index counts when JAX knows it already; asking must not start its devices."""
    started = []

    def process_index():
        started.append(True)
        return 4

    bridge = SimpleNamespace(_backends={})
    distributed = SimpleNamespace(global_state=SimpleNamespace(client=None, process_id=0, num_processes=1))
    monkeypatch.setitem(
        sys.modules, "jax", SimpleNamespace(process_index=process_index, process_count=lambda: 6)
    )
    monkeypatch.setitem(sys.modules, "jax._src.xla_bridge", bridge)
    monkeypatch.setitem(sys.modules, "jax._src.distributed", distributed)
    assert find_place(environment={}).source == "nothing says otherwise"
    assert started == []
    bridge._backends["cpu"] = object()
    assert (find_place(environment={}).rank, find_place(environment={}).world) == (4, 6)
    distributed.global_state = SimpleNamespace(client=object(), process_id=2, num_processes=3)
    assert (find_place(environment={}).rank, find_place(environment={}).world) == (2, 3)
    assert find_place(environment=PMI).rank == 1


def test_a_given_rank_wins():
    """`rank=` overrides every source; the world is still what the sources know."""
    place = find_place(3, TORCHRUN)
    assert (place.rank, place.world, place.source) == (3, 8, "rank=")
    assert find_place(3, {}).world is None


@pytest.mark.parametrize(
    ("rank", "error", "message"),
    [
        (-1, ValueError, "rank must not be negative, got -1"),
        (8, ValueError, "rank=8 is outside the world of 8 ranks"),
        (1.0, TypeError, "rank must be an integer, got float: 1.0"),
        ("1", TypeError, "rank must be an integer, got str: '1'"),
        (True, TypeError, "rank must be an integer, got the bool True"),
    ],
)
def test_ranks_that_are_none(rank, error, message):
    """A rank that cannot be one is refused, with what is accepted."""
    with pytest.raises(error, match=message):
        find_place(rank, TORCHRUN)


def test_the_choice_is_logged(caplog):
    """The rank and who said so are logged at debug level."""
    with caplog.at_level(logging.DEBUG, "tbasync.ranks"):
        find_place(environment=SLURM)
    assert caplog.messages == ["rank 3 of 4: SLURM's environment (SLURM_PROCID, SLURM_STEP_NUM_TASKS)"]

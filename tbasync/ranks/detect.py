"""Which process of how many this one is, asked of whoever knows, most certain first.

No framework is imported and none is initialised: a process group exists only where its module is in
`sys.modules` already, and JAX's own index is read only once JAX knows it (asking earlier would start its
devices, which must not happen before `jax.distributed.initialize`).
"""

from __future__ import annotations

import logging
import operator
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_log = logging.getLogger("tbasync.ranks")

# What a launcher tells its processes: its name, and the variables of the rank and of the number of ranks.
# Both must be there and make sense: the names are short, and other programs use some of them.
_LAUNCHERS = (
    ("torchrun's environment (RANK, WORLD_SIZE)", "RANK", "WORLD_SIZE"),
    ("SLURM's environment (SLURM_PROCID, SLURM_STEP_NUM_TASKS)", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("SLURM's environment (SLURM_PROCID, SLURM_NTASKS)", "SLURM_PROCID", "SLURM_NTASKS"),
    ("Open MPI's environment", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI's environment (MPICH, Intel MPI)", "PMI_RANK", "PMI_SIZE"),
)


@dataclass(frozen=True)
class Place:
    """Where this process stands in its job.

    Attributes:
        rank: its number, 0 <= rank < world.
        world: how many processes there are; None where only the rank is known.
        source: who said so, for people.
    """

    rank: int
    world: int | None
    source: str


def find_place(rank: int | None = None, environment: Mapping[str, str] = os.environ) -> Place:
    """This process's rank: as given, else as the process group, the launcher or JAX say; else 0 of 1.

    The result and its source are logged at debug level by the logger `tbasync.ranks`.

    Args:
        rank: overrides what would be found.
        environment: where launchers leave their variables.

    Raises:
        TypeError: `rank` is no integer.
        ValueError: `rank` is negative, or beyond a world whose size is known.
    """
    found = _find(environment)
    place = found or Place(0, 1, "nothing says otherwise")
    if rank is not None:
        place = _overridden(found, check_rank(rank, "rank"))
    _log.debug("rank %d of %s: %s", place.rank, place.world or "an unknown number", place.source)
    return place


def _overridden(found: Place | None, rank: int) -> Place:
    world = None if found is None else found.world
    if world is not None and rank >= world:
        raise ValueError(f"rank={rank} is outside the world of {world} ranks (0 to {world - 1})")
    return Place(rank, world, "rank=")


def check_rank(rank: object, name: str) -> int:
    """`rank` as an int; TypeError or ValueError naming the argument `name` unless it is an integer >= 0."""
    if isinstance(rank, bool):
        raise TypeError(f"{name} must be an integer, got the bool {rank}")
    try:
        number = operator.index(rank)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {type(rank).__name__}: {rank!r}") from None
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {number}")
    return number


def _find(environment: Mapping[str, str]) -> Place | None:
    sources: tuple[Callable[[], Place | None], ...] = (
        _from_torch,
        lambda: _from_launcher(environment),
        _from_jax,
    )
    return next(filter(None, (source() for source in sources)), None)


def _from_torch() -> Place | None:
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return Place(distributed.get_rank(), distributed.get_world_size(), "torch.distributed")


def _from_launcher(environment: Mapping[str, str]) -> Place | None:
    for source, rank_name, size_name in _LAUNCHERS:
        texts = environment.get(rank_name, ""), environment.get(size_name, "")
        if not all(text.isdecimal() for text in texts):
            continue
        rank, size = map(int, texts)
        if rank < size:
            return Place(rank, size, source)
        _log.debug("%s=%d is beyond %s=%d: passed over", rank_name, rank, size_name, size)
    return None


def _from_jax() -> Place | None:
    """JAX's process index, if `jax.distributed` is initialised or the devices are up."""
    jax = sys.modules.get("jax")
    distributed = sys.modules.get("jax._src.distributed")
    state = getattr(distributed, "global_state", None)
    if getattr(state, "client", None) is not None:
        return Place(state.process_id, state.num_processes, "jax.distributed")  # type: ignore[union-attr]
    bridge = sys.modules.get("jax._src.xla_bridge")
    if jax is None or not getattr(bridge, "_backends", None):
        return None
    return Place(jax.process_index(), jax.process_count(), "JAX's devices")

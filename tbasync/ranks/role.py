"""What this process does in its job: it writes, it sends its scalars to the rank that does, or neither."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import TbasyncWarning
from .detect import Place, check_rank, find_place
from .group import find_team
from .team import Reduce, Team, check_reduce, check_timeout

Ranks: TypeAlias = "int | Collection[int] | None"

REDUCE_TIMEOUT = 30.0


@dataclass(frozen=True)
class Role:
    """What a writer constructed here is to be.

    Attributes:
        writes: whether it has a file of its own.
        sub_run: the directory below `log_dir` where it writes; empty for `log_dir` itself.
        team: the ranks whose scalars are reduced, if they are and this one takes part.
    """

    writes: bool = True
    sub_run: str = ""
    team: Team | None = None


def choose_role(
    ranks: Ranks,
    rank: int | None,
    write_to_disk: bool = True,
    reduce: Reduce = None,
    reduce_timeout: float = REDUCE_TIMEOUT,
) -> Role:
    """Decides once what a writer is.

    Args:
        ranks: the ranks that write; None is every process that asks, or rank 0 with `reduce`.
        rank: this process's rank, if it is not to be found out.
        write_to_disk: False writes nothing, whatever the rank.
        reduce: reductions; None for none, empty for those only that calls ask for.
        reduce_timeout: seconds that a group waits for its ranks.

    Raises:
        TypeError: an argument is of a wrong type.
        ValueError: a rank is negative or outside the world, `ranks` is empty, a reduction is unknown.
    """
    if not isinstance(write_to_disk, (bool, int, np.bool_)):
        raise TypeError(
            f"write_to_disk must be a bool, got {type(write_to_disk).__name__}: {write_to_disk!r:.80}"
        )
    reductions = None if reduce is None else check_reduce(reduce)
    timeout = check_timeout(reduce_timeout)
    if ranks is None and reductions is not None:
        ranks = 0
    writers = None if ranks is None else check_ranks(ranks)
    if writers is None and rank is None:
        return Role(writes=bool(write_to_disk))
    place = find_place(rank)
    if writers is None:
        return Role(writes=bool(write_to_disk))
    _check_world(writers, place)
    writes = bool(write_to_disk) and place.rank in writers
    sub_run = f"rank{place.rank}" if len(writers) > 1 else ""
    if reductions is None:
        return Role(writes, sub_run)
    # Also by who writes nothing: its next writer belongs to the next one of the others.
    team = find_team(place, writers[0], reductions, timeout)
    if not write_to_disk:
        return Role(writes, sub_run)
    if team.world == 1:
        _warn_if_alone(place)
        return Role(writes, sub_run, team if writes else None)
    return Role(writes, sub_run, team)


def role_of_call(args: Sequence[Any], options: Mapping[str, Any]) -> Role:
    """`choose_role` for the arguments of a call of `SummaryWriter`, whose seventh is `write_to_disk`."""
    return choose_role(
        options.get("ranks"),
        options.get("rank"),
        args[6] if len(args) > 6 else options.get("write_to_disk", True),
        options.get("reduce"),
        options.get("reduce_timeout", REDUCE_TIMEOUT),
    )


def check_ranks(ranks: Ranks) -> tuple[int, ...]:
    """The ranks that write, in order, each once; TypeError or ValueError if they are no ranks."""
    if isinstance(ranks, Iterable) and not isinstance(ranks, (str, bytes)):
        chosen = tuple(sorted({check_rank(rank, "each of ranks") for rank in ranks}))
        if not chosen:
            raise ValueError("ranks is empty: no process would write; give the ranks that are to, or None")
        return chosen
    return (check_rank(ranks, "ranks"),)


def _check_world(writers: tuple[int, ...], place: Place) -> None:
    if place.world is not None and writers[-1] >= place.world:
        raise ValueError(
            f"ranks={writers[-1]} is outside the world of {place.world} ranks (0 to {place.world - 1}; "
            f"says: {place.source}), so that nobody would write there"
        )


def _warn_if_alone(place: Place) -> None:
    if place.world is not None and place.world > 1:
        warnings.warn(
            f"reduce= has no process group to reduce over, although this is rank {place.rank} of "
            f"{place.world} ({place.source}): only this process's values are written; construct the writer "
            "after torch.distributed.init_process_group()",
            TbasyncWarning,
            stacklevel=5,
        )

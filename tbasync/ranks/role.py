"""What this process does in its job: it writes, or it does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .detect import Place, check_rank, find_place

Ranks: TypeAlias = "int | Collection[int] | None"


@dataclass(frozen=True)
class Role:
    """What a writer constructed here is to be.

    Attributes:
        writes: whether it has a file of its own.
        sub_run: the directory below `log_dir` where it writes; empty for `log_dir` itself.
    """

    writes: bool = True
    sub_run: str = ""


def choose_role(ranks: Ranks, rank: int | None, write_to_disk: bool = True) -> Role:
    """Decides once what a writer is.

    Args:
        ranks: the ranks that write; None is every process that asks.
        rank: this process's rank, if it is not to be found out.
        write_to_disk: False writes nothing, whatever the rank.

    Raises:
        TypeError: `ranks` or `rank` is no integer (or, for `ranks`, no collection of integers).
        ValueError: a rank is negative or outside the world, or `ranks` is empty.
    """
    writers = None if ranks is None else check_ranks(ranks)
    if writers is None and rank is None:
        return Role(writes=bool(write_to_disk))
    place = find_place(rank)
    if writers is None:
        return Role(writes=bool(write_to_disk))
    _check_world(writers, place)
    writes = bool(write_to_disk) and place.rank in writers
    return Role(writes, f"rank{place.rank}" if len(writers) > 1 else "")


def role_of_call(args: Sequence[Any], options: Mapping[str, Any]) -> Role:
    """`choose_role` for the arguments of a call of `SummaryWriter`, whose seventh is `write_to_disk`."""
    write_to_disk = args[6] if len(args) > 6 else options.get("write_to_disk", True)
    return choose_role(options.get("ranks"), options.get("rank"), write_to_disk)


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

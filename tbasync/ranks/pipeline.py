"""What a writer needs of this package: its pipeline, and a tag's own reduction."""

from __future__ import annotations

from typing import Any

from ..pipeline.options import Options
from ..pipeline.pipeline import Pipeline
from .base import ReducingPipeline
from .sending import SendingPipeline
from .team import Team, check_reduce
from .writing import WritingPipeline


def reducing_pipeline(options: Options, purge_step: int | None, team: Team, *, writes: bool) -> Pipeline:
    """The pipeline of this process's rank.

    Args:
        options: the writer's.
        purge_step: as `SummaryWriter` takes it.
        team: the ranks.
        writes: whether this rank has a file of its own.

    Raises:
        OSError: the directory or file cannot be made.
    """
    if team.rank == team.writer:
        return WritingPipeline(options, purge_step, team)
    return SendingPipeline(options, purge_step, team, writes=writes)


def reduce_tag(pipeline: Pipeline, tag: str, reduce: Any) -> None:
    """Has a tag reduced in a way of its own from now on.

    Raises:
        TypeError, ValueError: `reduce` names no reductions, or the writer was made without `reduce=`.
    """
    names = check_reduce(reduce)
    if not isinstance(pipeline, ReducingPipeline):
        raise ValueError(
            f"reduce={reduce!r} was given for the tag {tag!r}, but the writer was constructed without "
            "reduce=; reduce=() there reduces only the tags that ask for it"
        )
    pipeline.overrides[tag] = names

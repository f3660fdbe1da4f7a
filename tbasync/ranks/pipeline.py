"""What a writer needs of this package: its pipeline, and a tag's own reduction."""

from __future__ import annotations

from typing import Any

from ..pipeline.options import Options
from ..pipeline.pipeline import Pipeline
from .base import ReducingPipeline
from .role import Role
from .sending import SendingPipeline
from .team import check_reduce
from .writing import WritingPipeline


def pipeline_of(options: Options, purge_step: int | None, role: Role) -> Pipeline:
    """The pipeline of a writer in this process; one that is neither to write nor to reduce has none.

    Args:
        options: the writer's.
        purge_step: as `SummaryWriter` takes it.
        role: what the writer is to be.

    Raises:
        OSError: the directory or file cannot be made.
    """
    if role.team is None:
        return Pipeline(options, purge_step)
    if role.team.rank == role.team.writer:
        return WritingPipeline(options, purge_step, role.team)
    return SendingPipeline(options, purge_step, role.team, writes=role.writes)


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

"""What a question of the benchmark consists of: a measurement of one writer, its figures, and how much work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple

from .peers import PEERS

Figures = dict[str, float]
Plan = Literal["alone", "bench", "quick"]


class Amount(NamedTuple):
    """How much of something is done: alone (a folder of `benchmarks/`), in `tbasync bench`, and in its quick form."""

    alone: Any
    bench: Any
    quick: Any
    meaning: str


@dataclass(frozen=True)
class Unit:
    """One question.

    Attributes:
        name: in figures' names and in the command line.
        question: what is asked, in a line.
        measure: (name of the peer, log directory, **amounts) -> the figures of that peer in this process. A
            figure that this peer cannot have is left out. Raises whatever goes wrong.
        figures: name -> unit of the figures that tables show, in their order.
        amounts: keyword arguments of `measure`.
        of_calls: about calls alone: floors and wrapped writers have it too.
        of_floor: the floor has it too.
        needs: packages without which nobody can be asked, by the names that are imported.
        base: the peer that the others' ratios are of.
    """

    name: str
    question: str
    measure: Callable[..., Figures]
    figures: Mapping[str, str]
    amounts: Mapping[str, Amount]
    of_calls: bool = False
    of_floor: bool = False
    needs: tuple[str, ...] = ()
    base: str = "torch"

    def asks(self, peer: str) -> bool:
        """Whether this peer has an answer."""
        if not all(find_spec(package) for package in self.needs):
            return False
        return self.of_calls or PEERS[peer].everything or (self.of_floor and peer == "floor")

    def amounts_of(self, plan: Plan) -> dict[str, Any]:
        """The keyword arguments for `measure` in a plan."""
        return {name: getattr(amount, plan) for name, amount in self.amounts.items()}

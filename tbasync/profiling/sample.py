"""A sample of a script's logging calls: some of each method's, spread over the run, bounded in size."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

from ..compat.freeze_call import FrozenCall

_MOST_CALLS = 256
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Sampled:
    """One call.

    Attributes:
        order: grows from call to call, over all methods.
        name: the method's.
        call: its arguments.
    """

    order: int
    name: str
    call: FrozenCall


class _Thinned:
    """Every n-th call of one method, where n doubles whenever there are too many."""

    def __init__(self) -> None:
        self.calls: list[Sampled] = []
        self._seen = 0
        self._stride = 1
        self._nbytes = 0

    def wants_next(self) -> bool:
        self._seen += 1
        return (self._seen - 1) % self._stride == 0

    def add(self, sampled: Sampled) -> None:
        self.calls.append(sampled)
        self._nbytes += sampled.call.nbytes
        while len(self.calls) > 1 and (len(self.calls) > _MOST_CALLS or self._nbytes > _MOST_BYTES):
            del self.calls[1::2]
            self._stride *= 2
            self._nbytes = sum(kept.call.nbytes for kept in self.calls)


class Sample:
    """Takes what it wants of the calls that it is offered."""

    def __init__(self) -> None:
        self._methods: dict[str, _Thinned] = {}
        self._order = itertools.count()

    def offer(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """A call that is about to be made; its arguments are copied if it is taken."""
        thinned = self._methods.get(name) or self._methods.setdefault(name, _Thinned())
        if thinned.wants_next():
            # What there is no memory to copy is missing in the sample; the script must not notice.
            with contextlib.suppress(MemoryError):
                thinned.add(Sampled(next(self._order), name, FrozenCall(arguments, options)))

    @property
    def calls(self) -> list[Sampled]:
        """Those taken, in their order."""
        methods = tuple(self._methods.values())
        return sorted((call for thinned in methods for call in thinned.calls), key=lambda call: call.order)

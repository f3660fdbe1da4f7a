"""A stand-in for an accelerator: CPU tensors whose copies arrive late, in the order of their streams.

What a real device does at its own pace this does on a thread of its own, only when the test lets it go on:
a copy is filled with garbage until its stream has come to it. So code that reads before it has waited for the
right event reads garbage, every time and not only when it is unlucky.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch

from tbasync.pipeline import frameworks

GARBAGE = 0xAB


class _Mark:
    def __init__(self) -> None:
        self.come = threading.Event()

    def synchronize(self) -> None:
        assert threading.current_thread().name == "tbasync-writer", "a synchronisation on a pushing thread"
        assert self.come.wait(30), "the device never came to this place"


class _Stream:
    """Does what it is given in order, on a thread of its own, when the gate is open."""

    def __init__(self, gate: threading.Event) -> None:
        self._gate = gate
        self._work: deque[tuple[tuple[_Mark, ...], Callable[[], None], _Mark]] = deque()
        self._given = threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()

    def give(self, after: Iterable[_Mark], work: Callable[[], None]) -> _Mark:
        mark = _Mark()
        self._work.append((tuple(after), work, mark))
        self._given.release()
        return mark

    def _run(self) -> None:
        while True:
            self._given.acquire()
            after, work, mark = self._work.popleft()
            self._gate.wait()
            for earlier in after:
                earlier.come.wait()
            work()
            mark.come.set()


class DelayedDevice:
    """Streams for `tbasync.pipeline.device`; `gate` holds the device up while it is not set."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.captured = False
        self.copied_bytes = 0
        self._callers = _Stream(self.gate)
        self._writers = _Stream(self.gate)
        self._staging = torch.full((4 << 20,), GARBAGE, dtype=torch.uint8)

    @classmethod
    def everywhere(cls, monkeypatch: pytest.MonkeyPatch) -> DelayedDevice:
        """A stand-in on which every torch tensor lies from now on."""
        device = cls()
        monkeypatch.setattr(frameworks, "streams_of", lambda kind: device)
        for module in ("frameworks", "freeze"):
            monkeypatch.setattr(f"tbasync.pipeline.{module}.on_device", lambda tensor: True)
        return device

    def capturing(self, device: Any) -> bool:
        return self.captured

    def freeze(self, tensor: Any, dtype: Any, copy: bool) -> tuple[Any, _Mark]:
        value = tensor.detach().to(dtype=dtype, memory_format=torch.contiguous_format, copy=True)
        late = torch.empty_like(value)
        late.reshape(-1).view(torch.uint8).fill_(GARBAGE)
        self.copied_bytes += value.numel() * value.element_size()
        return late, self._callers.give((), lambda: late.copy_(value))

    def run(self, device: Any, after: Iterable[_Mark], work: Callable[[], None]) -> _Mark:
        return self._writers.give(after, work)

    def staging(self, device: Any) -> Any:
        self._staging.fill_(GARBAGE)
        return self._staging

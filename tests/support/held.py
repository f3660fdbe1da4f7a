"""Encoders for tests: functions given to a writer that hold, fail or report on the writer thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tbasync import SummaryWriter
from tbasync.encode.result import Encoded
from tbasync.wire.scalars import scalar_summary


class Gate:
    """Holds the writer thread in the midst of encoding, for as long as a test wants."""

    def __init__(self, writer: SummaryWriter, tag: str = "gate") -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.thread: int | None = None
        writer._push(tag, 0, None, self.encode, ())

    def encode(self, tag: str) -> Encoded:
        """Waits for the gate to be opened."""
        self.thread = threading.get_ident()
        self.entered.set()
        assert self.open.wait(60)
        return Encoded(scalar_summary(tag, 1.0))

    def wait(self) -> None:
        """Returns when the writer thread is held."""
        assert self.entered.wait(60)

    def __enter__(self) -> Gate:
        self.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self.open.set()


def on_worker(writer: SummaryWriter, call: Callable[[], Any], tag: str = "call") -> None:
    """Has the writer thread call something while it encodes."""

    def encode(tag: str) -> Encoded:
        call()
        return Encoded(scalar_summary(tag, 1.0))

    writer._push(tag, 0, None, encode, ())


def answer_on_worker(writer: SummaryWriter, call: Callable[[], Any]) -> Any:
    """What `call` returns on the writer thread, or the exception that it raises there."""
    answers: list[Any] = []

    def answer() -> None:
        try:
            answers.append(call())
        except BaseException as error:
            answers.append(error)

    on_worker(writer, answer)
    assert writer.flush(60)
    return answers[0]

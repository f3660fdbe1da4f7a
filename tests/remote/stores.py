"""A store that does what a test wants: uploads are recorded, held, refused, or lost after they were taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tbasync.files.store import Store


class Watched:
    """Watches, and meddles with, every upload of this process.

    Attributes:
        puts: path of each upload that succeeded, in order.
        tried: how many were begun.
        error: what uploads raise; None lets them through.
        lose_answers: whether uploads succeed and raise all the same.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.puts: list[str] = []
        self.tried = 0
        self.error: Exception | None = None
        self.lose_answers = False
        self._open = threading.Event()
        self._open.set()
        self.held = threading.Event()
        real = Store.put

        def put(store: Store, source: str, path: str, *, again: bool = False) -> None:
            self.tried += 1
            assert threading.current_thread().name == "tbasync-writer"
            if not self._open.is_set():
                self.held.set()
                assert self._open.wait(60)
            if self.error is not None and not self.lose_answers:
                raise self.error
            real(store, source, path, again=again)
            self.puts.append(path)
            if self.error is not None:
                raise self.error

        monkeypatch.setattr(Store, "put", put)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Uploads do not return within it."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The uploads of this test's writers."""
    return Watched(monkeypatch)

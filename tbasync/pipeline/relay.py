"""Brings messages from other processes to the one that made the relay: forked ones and spawned ones.

A message is cut into pieces that fit PIPE_BUF, each of which is one `write` to a pipe that all processes share.
POSIX has such a write go through as a whole or not at all: no lock is needed that a killed process would keep,
and its last message, if it is torn, is torn between pieces. The pipe's order is the order of all.

    other processes ── pieces ──► pipe ──► a thread of the owner ──► take(message), one at a time
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import select
import struct
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

_PIECE = getattr(select, "PIPE_BUF", 512)  # bytes; POSIX promises 512
_HEAD = struct.Struct("<HIIB")  # bytes that follow, sender's process, its message's number, flags
_FIRST, _LAST = 1, 2
_AT_ONCE = 1 << 16  # bytes read at a time
_MOST_IN_PIPE = 1 << 20  # bytes; what Linux lets a pipe hold, and more than others do
_SEND_SECONDS = 60.0  # an owner that takes nothing for this long is stopped or hangs
_MOST_TORN = 256  # messages begun and not ended: more than that are of processes that have been killed

_relays: weakref.WeakSet[Relay] = weakref.WeakSet()


class Relay:
    """The owner's end, with its thread; `sender` is what other processes need."""

    def __init__(self, take: Callable[[Any], object]) -> None:
        """Starts the thread.

        Args:
            take: called with each message, in the thread. What it raises is not said anywhere.
        """
        self._take = take
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(write, False)
        self.sender = Sender(write)
        self._bell, self._ring = os.pipe()
        os.set_blocking(self._ring, False)
        self._asked: deque[threading.Event] = deque()
        self._ended = False
        self._torn: dict[tuple[int, int], list[bytes]] = {}
        self._rest = b""
        self._thread = threading.Thread(target=self._run, name="tbasync-relay", daemon=True)
        _relays.add(self)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until all that was sent before has been taken; False if the timeout passed, or it has ended."""
        taken = threading.Event()
        self._asked.append(taken)
        self._wake()
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._thread.is_alive():
            left = 0.1 if deadline is None else min(0.1, deadline - time.monotonic())
            if taken.wait(max(left, 0)) or (deadline is not None and time.monotonic() >= deadline):
                break
        return taken.is_set()

    def end(self) -> None:
        """Takes what has been sent, and ends: who sends later is told that nobody listens."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        # It may be full of rings, each of which wakes; or the relay has ended, or lives in another process.
        with contextlib.suppress(OSError):
            os.write(self._ring, b"\0")

    def _run(self) -> None:
        waker = select.poll()
        for fd in (self._read, self._bell):
            waker.register(fd, select.POLLIN)
        ended = False
        while not ended:
            if self._bell in dict(waker.poll()):
                os.read(self._bell, _AT_ONCE)
            # In this order: what was in the pipe before the question, or before the end, is taken now.
            ended = self._ended
            asked = len(self._asked)
            self._drain()
            for _ in range(asked):
                self._asked.popleft().set()
        self._close()
        self.sender.close()

    def _drain(self) -> None:
        """Takes what is in the pipe. Not for ever, if others keep it full: no more than it can hold at once."""
        for _ in range(_MOST_IN_PIPE // _AT_ONCE):
            try:
                data = os.read(self._read, _AT_ONCE)
            except BlockingIOError:
                return
            for message in self._messages(self._rest + data):
                # Whatever is wrong with one message, this thread must live, or all senders would wait.
                with contextlib.suppress(Exception):
                    self._take(pickle.loads(message))

    def _messages(self, data: bytes) -> Iterator[bytes]:
        start = 0
        while start + _HEAD.size <= len(data):
            length, process, number, flags = _HEAD.unpack_from(data, start)
            end = start + _HEAD.size + length
            if end > len(data):
                break
            pieces = [] if flags & _FIRST else self._torn.pop((process, number), [])
            pieces.append(data[start + _HEAD.size : end])
            start = end
            if flags & _LAST:
                yield b"".join(pieces)
            else:
                self._torn[process, number] = pieces
                while len(self._torn) > _MOST_TORN:
                    del self._torn[next(iter(self._torn))]
        self._rest = data[start:]

    def close_in_child(self) -> None:
        """After a fork: a read end open in a child would let others send to an owner that is gone."""
        if not self._ended:
            self._close()

    def _close(self) -> None:
        fds = self._read, self._bell, self._ring
        self._read = self._bell = self._ring = -1  # first: the numbers may soon be those of other files
        for fd in fds:
            os.close(fd)


class Sender:
    """The other processes' end. Can be given to a spawned process as an argument, like a lock."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._numbers = itertools.count()

    def send(self, message: Any) -> None:
        """Sends a message; waits for room while the pipe is full.

        Raises:
            BrokenPipeError: the owner is gone, or its relay has ended.
            TimeoutError: the owner takes nothing for a minute.
        """
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        process, number = os.getpid() & 0xFFFF_FFFF, next(self._numbers) & 0xFFFF_FFFF
        room = _PIECE - _HEAD.size
        for start in range(0, len(data), room):
            piece = data[start : start + room]
            flags = (start == 0) * _FIRST | (start + room >= len(data)) * _LAST
            self._write(_HEAD.pack(len(piece), process, number, flags) + piece)

    def _write(self, piece: bytes) -> None:
        deadline = time.monotonic() + _SEND_SECONDS
        while True:
            try:
                os.write(self._fd, piece)
                return
            except BlockingIOError:
                room = select.poll()
                room.register(self._fd, select.POLLOUT)
                room.poll(1000)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the process that owns the writer takes nothing for {_SEND_SECONDS:g} s")

    def close(self) -> None:
        """Closes this process's end."""
        os.close(self._fd)

    def __reduce__(self) -> tuple[Any, ...]:
        from multiprocessing import context, reduction

        context.assert_spawning(self)
        return _received, (reduction.DupFd(self._fd),)


def _received(duplicate: Any) -> Sender:
    return Sender(duplicate.detach())


def _after_fork_in_child() -> None:
    for relay in tuple(_relays):
        relay.close_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

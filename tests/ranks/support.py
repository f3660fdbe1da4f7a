"""A job of several ranks in one process: a store in memory, and writers that think they are its ranks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tbasync import SummaryWriter
from tbasync.ranks import role
from tbasync.ranks.team import Team


class MemoryStore:
    """torch.distributed's store as far as it is used, shared by threads; it can be made to fail.

    Attributes:
        keys: what it holds.
        most_bytes: of a value; a TCPStore ends the connection of who sends more.
        broken: what every request raises, if anything.
        requests: the requests served, by name.
    """

    def __init__(self):
        self.keys = {}
        self.most_bytes = 8 << 20
        self.broken = None
        self.requests = []
        self._lock = threading.Lock()

    def _serve(self, name):
        self.requests.append(name)
        if self.broken is not None:
            raise self.broken

    def set(self, key, value):
        with self._lock:
            self._serve("set")
            if len(value) > self.most_bytes:
                raise ConnectionResetError("torch's store would end the connection")
            self.keys[key] = value if isinstance(value, bytes) else value.encode()

    def get(self, key):
        return self.multi_get([key])[0]

    def add(self, key, amount):
        with self._lock:
            self._serve("add")
            total = int(self.keys.get(key, b"0")) + amount
            self.keys[key] = b"%d" % total
            return total

    def check(self, keys):
        with self._lock:
            self._serve("check")
            return all(key in self.keys for key in keys)

    def multi_get(self, keys):
        with self._lock:
            self._serve("multi_get")
            missing = [key for key in keys if key not in self.keys]
            assert not missing, f"torch's store would wait for {missing}"
            return [self.keys[key] for key in keys]

    def delete_key(self, key):
        with self._lock:
            self._serve("delete_key")
            return self.keys.pop(key, None) is not None

    def compare_set(self, key, expected, desired):
        with self._lock:
            self._serve("compare_set")
            if self.keys.get(key, b"") == expected.encode():
                self.keys[key] = desired.encode()
            return self.keys.get(key, expected.encode())

    @property
    def blocks(self):
        """The keys that hold blocks."""
        return [key for key in self.keys if key.rsplit("/", 1)[1].isdecimal()]


class Job:
    """Ranks of one job.

    Attributes:
        store: the job's store.
        run: the run's directory.
    """

    def __init__(self, monkeypatch, run, world, nodes: Callable[[int], str | None]):
        self.store = MemoryStore()
        self.run = run
        self.writers = {}
        self._world = world
        self._nodes = nodes
        self._ordinals = dict.fromkeys(range(world), 0)
        monkeypatch.setattr(role, "find_team", self._team)

    def _team(self, place, writer, reduce, timeout):
        ordinal = self._ordinals[place.rank]
        self._ordinals[place.rank] += 1
        connect = self._connect if self._world > 1 else None
        nodes = self._nodes(place.rank)
        return Team(place.rank, self._world, writer, reduce, timeout, connect, f"t/{ordinal}", nodes)

    def _connect(self, seconds):
        self.store._serve("connect")
        return self.store

    def start(self, *ranks, kind=SummaryWriter, reduce="mean", **options):
        """The writers of some ranks, of all if none is named."""
        options = {"ranks": 0, "interval": 0.02} | options
        for rank in ranks or range(self._world):
            self.writers[rank] = kind(self.run, rank=rank, reduce=reduce, **options)
        return [self.writers[rank] for rank in ranks or range(self._world)]

    def flush(self, *ranks):
        """Flushes the given ranks, or all, the writing one last."""
        for rank in sorted(ranks or self.writers, reverse=True):
            assert self.writers[rank].flush(10)

    def start_and_close_the_first(self):
        """Starts all ranks, has each log one scalar, and closes the writing one behind them; returns all writers."""
        writers = self.start()
        for writer in writers:
            writer.add_scalar("a", 1.0, 0)
        self.flush(1)
        writers[0].close()
        return writers

    def close(self):
        """Closes all writers, the writing one meanwhile."""
        threads = [
            threading.Thread(target=writer.close) for rank, writer in self.writers.items() if rank != 0
        ]
        for thread in threads:
            thread.start()
        if 0 in self.writers:
            self.writers[0].close()
        for thread in threads:
            thread.join(30)


def exchanges():
    """The threads that talk to the store."""
    return [thread for thread in threading.enumerate() if thread.name == "tbasync-ranks"]


def wait_until(condition, seconds=20.0):
    """Returns when `condition()` holds; fails if it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.005)


def read_scalars(run, kind=None):
    """Every point of a run's directory, in the file's order: tag -> list of (step, value).

    With `kind`, only those of that plugin.
    """
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    points = {}
    for path in sorted(run.glob("events.*")):
        for event in loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                tensor = value.tensor
                if kind not in (None, value.metadata.plugin_data.plugin_name):
                    continue
                number = tensor.float_val[0] if tensor.float_val else tensor.double_val[0]
                points.setdefault(value.tag, []).append((event.step, number))
    return points

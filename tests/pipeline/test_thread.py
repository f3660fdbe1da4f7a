"""Who is the writer thread: at most one at any time, and never none while something waits.

Signal handlers and destructors are played by functions that are called in the midst of a start or an end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tbasync.pipeline import process
from tbasync.pipeline.queue import PushQueue
from tbasync.pipeline.thread import WriterThread

from .test_queue import Host, push


class Job:
    """A worker's job that the test looks into: how often it was begun, by whom, and how many were at it at once."""

    def __init__(self) -> None:
        self.host = Host()
        self.queue = PushQueue(1 << 20, 1 << 20, 100, "block", self.host)
        self.thread = WriterThread(self.queue, self.begin, self.work, self.work_here)
        self.host.on_ring = self.thread.ring
        self.begun = 0
        self.here = 0
        self.taken: list[Any] = []
        self.at_work = 0
        self.most_at_work = 0
        self.when_begun: Callable[[], object] = lambda: None
        self.before_resigning: Callable[[], object] = lambda: None
        self.idle = threading.Event()

    def begin(self) -> None:
        self.begun += 1
        self.when_begun()

    def work(self) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        while True:
            self.queue.pop(1000, self.taken)
            self.before_resigning()
            self.at_work -= 1
            if self.thread.resign():
                break
            self.at_work += 1
        self.idle.set()

    def work_here(self) -> None:
        self.here += 1
        self.work()


EARLIER: list[threading.Thread] = []


@pytest.fixture(autouse=True)
def earlier_threads() -> None:
    """Threads of other tests' writers are not waited for."""
    EARLIER[:] = threading.enumerate()


def join_all() -> None:
    """Waits for the threads that a test has started."""
    for thread in threading.enumerate():
        if thread.name == "tbasync-writer" and thread not in EARLIER:
            thread.join(60)
            assert not thread.is_alive()


def test_one_ring_starts_one_thread() -> None:
    """It is a daemon with a name, and it is gone when it has resigned."""
    job = Job()
    seen: list[threading.Thread] = []
    job.before_resigning = lambda: seen.append(threading.current_thread())
    push(job.queue, 1)
    job.idle.wait(60)
    join_all()
    assert [(thread.name, thread.daemon) for thread in seen] == [("tbasync-writer", True)]
    assert not job.thread.busy
    assert not job.thread.is_me()
    assert len(job.taken) == 1


def test_threads_that_push_at_once_start_one_worker() -> None:
    """Sixteen threads find no worker at the same moment, two hundred times over."""
    job = Job()
    start = threading.Barrier(16)

    def pusher() -> None:
        for step in range(200):
            start.wait()
            push(job.queue, step)

    threads = [threading.Thread(target=pusher) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    join_all()
    assert job.most_at_work == 1
    assert len(job.taken) == 3200


def test_a_signal_handler_that_pushes_while_its_thread_starts_the_worker() -> None:
    """The claim is taken already: the handler's push rings and starts no second thread."""
    job = Job()
    job.when_begun = lambda: push(job.queue, 2) if job.begun == 1 else None
    push(job.queue, 1)
    job.idle.wait(60)
    join_all()
    assert job.most_at_work == 1
    assert [item[2] for item in job.taken] == [1, 2]


@pytest.mark.parametrize("step", ["_worker", "_claim"])
def test_a_push_in_the_midst_of_resigning_is_not_left_behind(step: str) -> None:
    """A destructor that logs while the worker resigns, before or after the claim is free."""
    job = Job()
    queue, thread = job.queue, job.thread
    pushed: list[bool] = []

    def push_once() -> None:
        if not pushed:
            pushed.append(True)
            push(queue, 2)

    class Claim(dict[int, Any]):
        """The claim, with a push just before or just after it is released."""

        def pop(self, key: int, default: Any = None) -> Any:
            if step == "_worker":
                push_once()
            ticket = super().pop(key, default)
            if step == "_claim":
                push_once()
            return ticket

    thread._claim = Claim()
    push(queue, 1)
    job.idle.wait(60)
    join_all()
    assert sorted(item[2] for item in job.taken) == [1, 2]
    assert not thread.busy


def test_the_next_worker_may_begin_while_the_last_one_is_still_leaving() -> None:
    """Who loses the race for the claim after resigning has resigned for good."""
    job = Job()
    empty = job.queue.empty

    def another_takes_it() -> bool:
        seen = empty()
        if not seen and threading.current_thread().name == "tbasync-writer" and job.begun == 1:
            job.thread.ring()  # starts the second worker between the look and the attempt to take the claim
        return seen

    job.queue.empty = another_takes_it  # type: ignore[method-assign]
    items = [("t", 0.0, 2, 0.0)]

    def push_quietly() -> None:
        if items:
            job.queue.append(items.pop())

    job.before_resigning = push_quietly
    push(job.queue, 1)
    join_all()
    assert job.begun == 2
    assert job.most_at_work == 1
    assert sorted(item[2] for item in job.taken) == [1, 2]


def test_work_is_done_here_when_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit of threads, or at interpreter shutdown, the pusher does it."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    job = Job()
    monkeypatch.setattr(threading.Thread, "start", start)
    push(job.queue, 1)
    assert job.here == 1
    assert len(job.taken) == 1
    assert not job.thread.busy


@pytest.mark.parametrize("started", [False, True])
def test_an_interrupt_in_the_midst_of_the_start(monkeypatch: pytest.MonkeyPatch, started: bool) -> None:
    """Ctrl-C before the thread exists gives the claim back; after it, the thread works as if nothing was."""
    job = Job()
    start = threading.Thread.start
    interrupts = [KeyboardInterrupt()]

    def interrupted(thread: threading.Thread) -> None:
        if interrupts:
            if started:
                start(thread)
                job.idle.wait(60)
            raise interrupts.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        push(job.queue, 1)
    join_all()
    assert not job.thread.busy
    assert len(job.taken) == (1 if started else 0)
    push(job.queue, 2)
    join_all()
    assert len(job.taken) == 2
    assert job.most_at_work == 1


def test_after_the_programs_end_the_main_thread_alone_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon thread that logs then leaves its item to it: it may be stopped at any moment."""
    job = Job()
    monkeypatch.setattr(process, "exiting", lambda: True)
    daemon = threading.Thread(target=push, args=(job.queue, 1))
    daemon.start()
    daemon.join()
    assert not job.thread.busy
    assert not job.taken
    push(job.queue, 2)
    assert job.here == 1
    assert [item[2] for item in job.taken] == [1, 2]


def test_a_bell_that_is_rung_twice_is_heard_once() -> None:
    """Ringing never waits and never raises."""
    job = Job()
    heard: list[bool] = []

    def ring_twice() -> None:
        job.before_resigning = lambda: None
        heard.append(job.thread.wait(0.0))
        job.thread.ring()
        job.thread.ring()
        heard.extend(job.thread.wait(0.0) for _ in range(2))
        heard.append(job.thread.is_me())

    job.before_resigning = ring_twice
    push(job.queue, 1)
    job.idle.wait(60)
    join_all()
    assert heard == [False, True, False, True]


def test_a_signal_handler_that_waits_while_its_thread_starts_the_worker() -> None:
    """Nobody else would start it before the handler returns: who waits does, and one thread works in the end."""
    job = Job()

    def wait_for_the_worker() -> None:
        if job.begun == 1:
            job.thread.assist()
            assert job.idle.wait(60)
            job.thread.assist()

    job.when_begun = wait_for_the_worker
    push(job.queue, 1)
    join_all()
    assert job.most_at_work == 1
    assert [item[2] for item in job.taken] == [1]
    assert not job.thread.busy


def test_a_job_that_fails_gives_the_claim_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever gets out of the worker, the next push finds the place free."""
    job = Job()
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda *_: died.set())

    def fail() -> None:
        job.before_resigning = lambda: None
        job.at_work = 0
        raise SystemError("a bug")

    job.before_resigning = fail
    push(job.queue, 1)
    died.wait(60)
    join_all()
    assert not job.thread.busy
    push(job.queue, 2)
    join_all()
    assert len(job.taken) == 2

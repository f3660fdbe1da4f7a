"""Fixtures of the tests of ranks."""

from __future__ import annotations

import pytest

from .support import Job, exchanges, wait_until


@pytest.fixture
def make_job(monkeypatch, tmp_path):
    """Makes a job of so many ranks; `nodes` tells the place where a rank's node meets, if any."""
    jobs = []

    def make(world, nodes=lambda rank: None):
        jobs.append(Job(monkeypatch, tmp_path / f"run{len(jobs)}", world, nodes))
        return jobs[-1]

    yield make
    for job in jobs:
        job.store.broken = None
        job.close()


@pytest.fixture(autouse=True)
def no_exchange_is_left():
    """Every exchange ends with its writer."""
    yield
    wait_until(lambda: not exchanges())

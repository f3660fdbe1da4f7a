"""The benchmarks of ranks run: what they use of the package is not public, and moves."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

many = pytest.importorskip("benchmarks.ranks.many", reason="the benchmarks are not beside the tests")
scale = pytest.importorskip("benchmarks.ranks.scale", reason="the benchmarks are not beside the tests")
distributed = pytest.importorskip("torch.distributed")
pytestmark = pytest.mark.torch


@pytest.mark.parametrize("node", [1, 2])
def test_many(tmp_path, monkeypatch, node):
    """Two ranks of its job, in one process, make all points complete."""
    monkeypatch.setattr(many, "RANKS", 2)
    monkeypatch.setattr(many, "STEPS", 3)
    store = distributed.TCPStore("127.0.0.1", 0, None, True, timedelta(seconds=10), wait_for_workers=False)
    writer, other = (many._pipeline(rank, store.port, str(tmp_path), node) for rank in (0, 1))
    many._drive([writer, other], time.time())
    assert other.flush(20)
    many._until_complete(writer)
    closing = threading.Thread(target=other.close)
    closing.start()
    writer.close()
    closing.join()
    assert writer.stats().reductions.groups == {2: 3 * many.METRICS}


def test_scale(capsys):
    """A line of its table, and of what a speaker pays."""
    scale._print_world(8, 1e-5)
    assert capsys.readouterr().out.split()[0] == "8"

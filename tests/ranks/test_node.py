"""The ranks of a node: who lives, who speaks."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest

from tbasync.ranks import node as module
from tbasync.ranks.node import Node, place_for_nodes

from .support import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files cannot be locked like this")


@pytest.fixture
def join(tmp_path):
    """Has ranks join one node."""
    joined = []

    def join(rank, job="job", writes=False, place=tmp_path):
        joined.append(Node(str(place), job, rank, writes=writes))
        return joined[-1]

    yield join
    for node in joined:
        node.leave()
    assert os.listdir(tmp_path) == [], "the last one removes the directory"


def test_one_speaks_for_all(join):
    """One speaks until it leaves, then another does; all know each other."""
    nodes = [join(rank) for rank in (4, 5, 6)]
    assert len({node.name for node in nodes}) == 1
    assert [node.speaks() for node in nodes] == [True, False, False]
    assert [node.living() for node in nodes] == [[4, 5, 6]] * 3
    nodes[0].leave()
    assert [node.speaks() for node in nodes[1:]] == [True, False]
    assert nodes[1].living() == [5, 6]
    assert nodes[1].newly_dead([5, 6]) == []


def test_nobody_speaks_beside_the_writer(join):
    """Where the writing rank is all send to it; when it goes somebody speaks again."""
    early = join(1)
    assert early.speaks()
    writer = join(0, writes=True)
    late = join(2)
    assert [node.speaks() for node in (early, writer, late)] == [False, True, False]
    assert early.has_writer()
    assert writer.has_writer()
    writer.leave()
    assert not early.has_writer()
    assert [node.speaks() for node in (late, early)] == [True, False]


def test_jobs_and_users_do_not_meet(join):
    """Each job has a directory of its own, for this user alone."""
    one, other = join(0), join(0, job="another")
    assert one.speaks()
    assert other.speaks()
    assert one.name != other.name
    assert stat.S_IMODE(os.stat(one._directory).st_mode) == 0o700


def test_directories_that_are_not_ours(join, tmp_path):
    """A directory that others may enter, or that is a link, is not used."""
    path = join(0)._directory
    join(0).leave()
    for make in (lambda: os.mkdir(path, 0o755), lambda: os.symlink(tmp_path, path)):
        make()
        os.path.islink(path) or os.chmod(path, 0o755)
        with pytest.raises(PermissionError, match="is not a directory of this user alone"):
            join(0)
        os.unlink(path) if os.path.islink(path) else os.rmdir(path)


CHILD = """
import sys, time
from tbasync.ranks.node import Node
node = Node(sys.argv[1], "job", 3, writes=False)
print(node.speaks(), flush=True)
time.sleep(60)
"""


def test_a_killed_rank_is_known_at_once(join, tmp_path):
    """Its locks are gone in the instant in which it is; its death is told once, and who speaks changes."""
    arguments = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "True\n"
        node = join(5)
        assert not node.speaks()
        assert node.living() == [3, 5]
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert node.speaks()
    assert node.living() == [5]
    assert node.newly_dead([5]) == [3]
    assert node.newly_dead([5]) == []


def test_a_directory_that_vanishes(join, tmp_path):
    """A rank whose place was removed under it takes a new one."""
    node = join(1)
    assert node.speaks()
    module.shutil.rmtree(node._directory)
    assert node.speaks()
    other = join(2)
    assert other.name == node.name
    assert not other.speaks()
    assert node.living() == [1, 2]


def test_what_killed_jobs_leave_is_swept_away(join, tmp_path):
    """Directories of this user without a living rank go after an hour; those in use and of others stay."""
    left = tmp_path / f"tbasync-{os.getuid()}-left"
    fresh = tmp_path / f"tbasync-{os.getuid()}-fresh"
    foreign = tmp_path / "tbasync-0123456-left"
    used = join(7, job="long running")
    for directory in (left, fresh, foreign):
        directory.mkdir()
        (directory / "3.alive").touch()
    for directory in (left, foreign, used._directory):
        os.utime(directory, (0, 0))
    join(1)
    assert not left.exists()
    assert fresh.exists()
    assert foreign.exists()
    assert used.living() == [7]
    for directory in (fresh, foreign):
        module.shutil.rmtree(directory)


def test_a_forked_child_holds_no_locks(join):
    """Where a child that was forked lives on, its parent's death is known all the same."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    node = join(1)
    child = os.fork()
    if child == 0:
        node.forget()
        signal.pause()
        os._exit(0)
    try:
        other = join(2)
        wait_until(lambda: not other.speaks())
        node._release_all()
        wait_until(lambda: other.living() == [2])
        assert other.speaks()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_there_is_a_place_for_nodes():
    """On this system ranks can find each other."""
    place = place_for_nodes()
    assert place is not None
    assert os.path.isdir(place)


def test_a_place_that_several_machines_share(join, monkeypatch):
    """Ranks whose kernels differ do not meet, even where they see each other's locks: nobody would read for them."""
    one = join(1)
    monkeypatch.setattr(module, "_boot", lambda: "another machine")
    other = join(2)
    assert one.speaks()
    assert other.speaks()
    assert one.name != other.name
    assert one.living() == [1]

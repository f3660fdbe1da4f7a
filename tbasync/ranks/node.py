"""The ranks of one node: which of them live, and which one speaks for all.

They meet in a directory of empty files that they hold locks on (`flock`), in memory where the system has
such a place. The kernel gives up a process's locks in the instant in which it dies, however it dies: so who
can lock a file knows that its owner is gone, and whoever gets hold of `speaker` is the only one.

    <rank>.alive   locked by each rank
    speaker        locked by the rank that sends the others' blocks on
    writer         locked by the writing rank: on its node everybody sends to it, and nobody speaks
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterable

if sys.platform != "win32":
    import fcntl

_SUFFIX = ".alive"
_PREFIX = "tbasync-"
# A directory that nobody holds a lock in is left over from a job that was killed, if it is older than this.
_LEFT_OVER_SECONDS = 3600.0


def place_for_nodes() -> str | None:
    """Where the ranks of a node can meet; None where files cannot be locked."""
    if sys.platform == "win32":
        return None
    return next(filter(_is_writable, ("/dev/shm", tempfile.gettempdir())), None)


def _is_writable(directory: str) -> bool:
    return os.path.isdir(directory) and os.access(directory, os.W_OK | os.X_OK)


class Node:
    """One rank's place among those of its node. For one thread at a time.

    Attributes:
        name: the same for all ranks of the node, and different on every other one. It may change when the
            rank comes back after all the others have gone.
    """

    def __init__(self, place: str, job: str, rank: int, *, writes: bool) -> None:
        """Joins the others.

        Args:
            place: the directory in which all jobs of the node meet.
            job: what tells this job's writer from all others.
            rank: this rank.
            writes: whether it is the writing one.

        Raises:
            OSError: the directory cannot be made, belongs to somebody else, or does not support locks.
        """
        self._rank = rank
        self._own = f"{rank}{_SUFFIX}"
        self._writes = writes
        # Machines may share the place: whoever speaks reads the mailbox of its own.
        digest = hashlib.blake2b(f"{job} {_boot()}".encode(), digest_size=16).hexdigest()
        self._directory = os.path.join(place, f"{_PREFIX}{os.getuid()}-{digest}")
        self._locks: dict[str, int] = {}
        _sweep(place)
        self._appear()
        self.speaks()

    def _appear(self) -> None:
        """Takes a place in the directory, made anew if the last one of others has just removed it."""
        for _ in range(10):
            _make_private(self._directory)
            with contextlib.suppress(FileNotFoundError):
                self._take_place()
                break
        about = os.stat(self._directory)
        identity = f"{_boot()} {about.st_dev} {about.st_ino}"
        self.name = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()

    def _take_place(self) -> None:
        # Locked before it has its name: nobody can find it unlocked and think that its owner has died.
        unnamed = self._path(f"{self._rank}.{os.getpid()}.{time.monotonic_ns()}")
        descriptor = os.open(unnamed, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(unnamed, self._path(self._own))
        self._locks[self._own] = descriptor

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def speaks(self) -> bool:
        """Whether this rank sends on, or reads if it is the writing one, what those of its node post."""
        if not self._holds(self._own):
            self._release_all()
            self._appear()
        if self._writes:
            return self._hold("writer")
        if self.has_writer():
            self._release("speaker")
            return False
        return self._hold("speaker")

    def has_writer(self) -> bool:
        """Whether the writing rank lives on this node."""
        return self._writes or not self._is_free("writer")

    def living(self) -> list[int]:
        """The ranks of this node that live, this one included."""
        return [rank for rank in self._ranks() if rank == self._rank or not self._is_free(f"{rank}{_SUFFIX}")]

    def newly_dead(self, living: Iterable[int]) -> list[int]:
        """Ranks that have died, by those that live; each is named once, to one of the others."""
        dead = sorted(set(self._ranks()).difference(living))
        for rank in dead:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(f"{rank}{_SUFFIX}"))
        return dead

    def leave(self) -> None:
        """Goes; the last one removes the directory."""
        with contextlib.suppress(OSError):
            os.unlink(self._path(self._own))
        self._release_all()
        if not self._ranks():
            shutil.rmtree(self._directory, ignore_errors=True)

    def forget(self) -> None:
        """In a forked child: the locks are the parent's, and last for as long as it lives."""
        self._release_all()

    def _ranks(self) -> list[int]:
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        return sorted(int(name[: -len(_SUFFIX)]) for name in names if name.endswith(_SUFFIX))

    def _hold(self, name: str) -> bool:
        """Takes a lock for good, unless somebody else has it."""
        if not self._holds(name):
            self._release(name)
            descriptor = _lock(self._path(name), fcntl.LOCK_EX)
            if descriptor is None:
                return False
            self._locks[name] = descriptor
        return True

    def _holds(self, name: str) -> bool:
        """Whether a lock is held, on the file of that name and not on one that was removed."""
        descriptor = self._locks.get(name)
        try:
            return descriptor is not None and os.path.samestat(
                os.fstat(descriptor), os.stat(self._path(name))
            )
        except FileNotFoundError:
            return False

    def _release(self, name: str) -> None:
        descriptor = self._locks.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def _release_all(self) -> None:
        for name in tuple(self._locks):
            self._release(name)

    def _is_free(self, name: str) -> bool:
        return _is_free(self._path(name))


def _lock(path: str, how: int) -> int | None:
    """A descriptor that holds a lock on a file, or None if somebody else has it."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_free(path: str) -> bool:
    """Whether nobody holds a lock on a file. Two who look at once do not see each other: they share."""
    try:
        descriptor = _lock(path, fcntl.LOCK_SH)
    except FileNotFoundError:  # with its directory
        return True
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def _make_private(directory: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)
    about = os.lstat(directory)
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise PermissionError(f"{directory!r} is not a directory of this user alone")


def _boot() -> str:
    """What tells this running system from all others."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return socket.gethostname()


def _sweep(place: str) -> None:
    """Removes what killed jobs of this user have left."""
    before = time.time() - _LEFT_OVER_SECONDS
    with contextlib.suppress(OSError):
        for entry in os.scandir(place):
            ours = entry.name.startswith(f"{_PREFIX}{os.getuid()}-") and entry.is_dir(follow_symlinks=False)
            if ours and entry.stat(follow_symlinks=False).st_mtime < before and _is_deserted(entry.path):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_deserted(directory: str) -> bool:
    return all(_is_free(os.path.join(directory, name)) for name in os.listdir(directory))

"""Where the files of a writer live: what `pipeline/` asks of the local file system and of remote stores alike."""

from __future__ import annotations

from typing import Protocol


class StoreError(OSError):
    """A remote store did not take a file: it is away, refuses, or fails. The store's own error is chained."""


class SpoolFullError(OSError):
    """What waits for a remote store has reached its bound: no run can be written before the store takes some."""


class Files(Protocol):
    """Run directory -> event file. Used by one thread at a time.

    Attributes:
        log_dir: the writer's own directory or URL, as given.
        chunk_bytes: how much of a run is worth an append at once; more of it in one has no use.
        bytes_written: bytes of whole records handed to the operating system, in all files.
        unsent: summaries that the operating system has and the store has not; 0 of local files.
        spool: the directory that holds those; None while there is none.
    """

    log_dir: str
    chunk_bytes: int

    @property
    def bytes_written(self) -> int: ...

    @property
    def unsent(self) -> int: ...

    @property
    def spool(self) -> str | None: ...

    def open_main(self, purge_step: int | None = None) -> None:
        """Creates what is to be there from the start."""

    def append(self, run: str | None, records: bytes, summaries: int = 0) -> None:
        """Appends whole records, worth so many summaries; raises OSError when nothing of them was written."""

    def write_beside(self, run: str | None, path: str, content: bytes) -> None:
        """Writes a further file of a run, whole or not at all."""

    def read_beside(self, run: str | None, path: str) -> tuple[bytes, object]:
        """A further file of a run, and what changes when it is written anew; empty and None if there is none."""

    def deliver(self, *, everything: bool) -> bool:
        """Has the store take what is due, or everything that was written; raises StoreError.

        Returns whether nothing is left of what is due; something is while a failed upload is not tried again yet.
        """

    def due_in(self) -> float | None:
        """Seconds until something is to be delivered; None if nothing waits for that."""

    def fsync(self) -> None:
        """Returns when what was appended is on the disk."""

    def end(self, run: str) -> None:
        """The run is complete for now."""

    def close(self) -> None:
        """Closes and forgets every file: the next append creates new ones."""

    def take_close_error(self) -> OSError | None:
        """What closing a file has met since the last call."""

    def take_vanished(self) -> list[str]:
        """Paths of files that were found removed since the last call."""

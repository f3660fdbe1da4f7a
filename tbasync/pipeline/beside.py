"""Files of a run beside its event file, on their way to the disk."""

from __future__ import annotations

from ..encode.result import Encoded
from ..files.interface import Files


class Beside:
    """The files of one summary that are not written yet; used by the writer thread.

    Attributes:
        name: what they belong to, for people.
        left: whether any is not written yet.
    """

    __slots__ = ("_files", "_shared", "name")

    def __init__(self, name: str, encoded: Encoded) -> None:
        self.name = name
        self._files = dict(encoded.files)
        self._shared = dict(encoded.shared)

    @property
    def left(self) -> bool:
        return bool(self._files or self._shared)

    @property
    def nbytes(self) -> int:
        """Bytes that they hold."""
        return sum(map(len, self._files.values()))

    def write(self, files: Files, run: str | None) -> None:
        """Writes what is left, the shared files last: these tell readers of the others.

        Raises:
            OSError, ValueError: as `Files.write_beside`; what was not written is still left.
        """
        for path, content in tuple(self._files.items()):
            files.write_beside(run, path, content)
            del self._files[path]
        for path, (shared, addition) in tuple(self._shared.items()):
            content = shared.extended(addition, *files.read_beside(run, path))
            files.write_beside(run, path, content)
            shared.written(content)
            del self._shared[path]

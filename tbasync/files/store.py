"""A remote store, by way of fsspec: the only place that knows it. Nothing is imported before a URL is given."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Mapping
from typing import Any

# Where a file comes into being while it is written, and a rename puts a whole one in its place. Everything else
# is taken for an object store, where an object is there when its upload has ended, and a rename is a copy.
_GROWING = frozenset(("file", "local", "sftp", "ssh", "ftp", "hdfs", "arrow_hdfs", "webhdfs", "smb", "dask"))

# boto tries five times, and s3fs that five times: for minutes the thread would neither write nor answer.
_ONCE = {"config_kwargs": {"retries": {"max_attempts": 0}}}
_DEFAULTS = {"s3": _ONCE, "s3a": _ONCE}


def load_fsspec(url: str) -> Any:
    """The fsspec package; raises ImportError, with the extra that brings it, if it is not installed."""
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(f"{url!r} is a URL, which needs fsspec: pip install 'tbasync[remote]'") from error
    return fsspec


class Store:
    """The tree below one URL. Constructing it touches no network."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        """Finds out whether the store's package is there.

        Args:
            url: where the tree's root is.
            options: what the file system is to be made with, such as credentials.

        Raises:
            ImportError: fsspec, or the package for this kind of store, is not installed.
            ValueError: fsspec does not know this kind of store.
        """
        fsspec = load_fsspec(url)
        self.url = url.rstrip("/")
        self._options = dict(options or {})
        self._protocol = url.partition("://")[0].rpartition("::")[2]
        fsspec.get_filesystem_class(url.partition("://")[0].partition("::")[0])
        self._file_system: Any = None
        self._root = ""

    def put(self, source: str, path: str, *, again: bool = False) -> None:
        """Uploads a file, whole or not at all.

        Args:
            source: the local file.
            path: where to, relative to the root; directories are made where the store has such.
            again: whether an earlier try may have succeeded after all.

        Raises:
            Exception: the store has not taken it. Stores raise errors of many kinds.
        """
        store = self._connect()
        target = posixpath.join(self._root, path)
        if self._protocol not in _GROWING:
            store.put_file(source, target)
            return
        if again and self._has(target, os.path.getsize(source)):
            return
        directory, name = posixpath.split(target)
        store.makedirs(directory, exist_ok=True)
        # TensorBoard takes no file of this name for an event file.
        unfinished = posixpath.join(directory, f".unfinished-{name.replace('tfevents', '')}")
        try:
            store.put_file(source, unfinished)
            store.mv(unfinished, target)
        except BaseException:
            with contextlib.suppress(Exception):
                store.rm_file(unfinished)
            raise

    def _has(self, path: str, size: int) -> bool:
        try:
            return bool(self._file_system.size(path) == size)
        except FileNotFoundError:
            return False

    def _connect(self) -> Any:
        # Here, on the writer thread: fsspec's file systems are made for one process, and some for one thread.
        if self._file_system is None:
            import fsspec

            # Not one that fsspec gives to others too, for it is to try once: we try again ourselves.
            defaults = {} if "::" in self.url else _DEFAULTS.get(self._protocol, {})
            options = {**defaults, **self._options, "skip_instance_cache": True}
            store, self._root = fsspec.core.url_to_fs(self.url, **options)
            if isinstance(getattr(store, "retries", None), int):
                store.retries = 1
            self._file_system = store
        return self._file_system

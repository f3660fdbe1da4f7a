"""A run in a remote store, copied here to be read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .store import load_fsspec
from .tree import is_event_file_name


@contextmanager
def fetched(url: str, options: Mapping[str, Any]) -> Iterator[Path]:
    """A temporary directory with the event files of one run, or with the one file that the URL names.

    Args:
        url: the run, or an event file.
        options: what fsspec's file system is to be made with.

    Raises:
        ImportError, ValueError: as `Store`.
        FileNotFoundError: there is nothing.
    """
    store, root = load_fsspec(url).core.url_to_fs(url, **options)
    # A store may list a directory as an object of its own, and one that it has listed before from memory.
    is_file = store.info(root)["type"] == "file"
    items = [{"name": root, "type": "file"}] if is_file else store.ls(root, detail=True, refresh=True)
    listed = [item["name"] for item in items if item["type"] == "file"]
    found = {name: path for path in listed if is_event_file_name(name := posixpath.basename(path))}
    if not found:
        raise FileNotFoundError(f"no event files in {url}")
    with TemporaryDirectory(prefix="tbasync-read-") as directory:
        for name, path in found.items():
            store.get_file(path, str(Path(directory, name)))
        yield Path(directory)

"""Where runs lie: default directories, and sub-runs that cannot leave their parent."""

from __future__ import annotations

import os
import re
import socket
from datetime import datetime

# Two letters and more: one is a drive. A prefix such as "simplecache::" chains file systems.
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*::)*[A-Za-z][A-Za-z0-9+.-]+://")
_PATH_OF_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")


def is_url(log_dir: str) -> bool:
    """Whether it names a place in a store, and no local directory."""
    return _URL.match(log_dir) is not None


def check_no_url(log_dir: os.PathLike[str]) -> None:
    """Raises ValueError if a path was made from a URL: it has lost a slash, and leads elsewhere."""
    if _PATH_OF_URL.match(os.fspath(log_dir)):
        raise ValueError(f"log_dir must be a str where it is a URL, got {log_dir!r}")


def default_log_dir(comment: str) -> str:
    """`runs/<date>_<time>_<host><comment>`, as torch's and tensorboardX's writers name it."""
    return os.path.join("runs", f"{datetime.now():%b%d_%H-%M-%S}_{socket.gethostname()}{comment}")


def sub_run(log_dir: str, name: str) -> str:
    """The directory of the sub-run `name`, below `log_dir`.

    Raises:
        ValueError: the name would lead out of `log_dir`, or be `log_dir` itself, or be none for a directory.
    """
    path = f"{log_dir}/{name}"
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        raise ValueError(f"{name!r} cannot name a run: no directory can have such a name") from None
    inside = os.path.normpath(name)
    if "\0" in name or os.path.isabs(name) or inside.split(os.sep)[0] in (os.pardir, os.curdir):
        raise ValueError(f"{name!r} cannot name a run: it leads out of the run's directory {log_dir!r}")
    return path

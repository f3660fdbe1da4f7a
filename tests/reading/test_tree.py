"""Which files are event files, and where they are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tbasync.files.tree import event_files, is_event_file_name, run_files


def listed(top: Path, follow_links: bool = True) -> list[str]:
    """What `event_files` finds below `top`, relative to it; no errors."""

    def fail(error: OSError) -> None:
        raise error

    return [str(path.relative_to(top)) for path in event_files(top, follow_links=follow_links, on_error=fail)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A log directory with runs, other files, and links: into itself, to another tree, and to nothing."""
    outside = tmp_path / "outside"
    for name in (
        "logs/b.tfevents",
        "logs/a.tfevents",
        "logs/run/x.tfevents.1",
        "logs/run/notes.txt",
        "outside/o.tfevents",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    logs = tmp_path / "logs"
    (logs / "run" / "circle").symlink_to(logs)
    (logs / "self").symlink_to(logs / "self")
    (logs / "other").symlink_to(outside)
    (logs / "link.tfevents").symlink_to(outside / "o.tfevents")
    (logs / "broken.tfevents").symlink_to(outside / "missing")
    return logs


def test_links_are_followed_once(tree: Path) -> None:
    """Links lead to other trees, as TensorBoard follows them; circles come to an end."""
    assert listed(tree) == [
        "a.tfevents",
        "b.tfevents",
        "broken.tfevents",
        "link.tfevents",
        os.path.join("other", "o.tfevents"),
        os.path.join("run", "x.tfevents.1"),
    ]


def test_links_are_not_followed_where_files_are_changed(tree: Path) -> None:
    """Without following links, nothing outside the tree is found, be it a file or a directory."""
    assert listed(tree, follow_links=False) == [
        "a.tfevents",
        "b.tfevents",
        os.path.join("run", "x.tfevents.1"),
    ]


def test_directories_that_cannot_be_listed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without permission, or that vanishes, is one error, and the others are still listed."""
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.tfevents").write_bytes(b"")
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    errors = list[OSError]()
    assert [path.name for path in event_files(tmp_path, follow_links=True, on_error=errors.append)] == [
        "a.tfevents"
    ]
    assert [error.errno for error in errors] == [13]


def test_a_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    """A tree deeper than Python's recursion limit is walked."""
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(400):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("e.tfevents", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    finally:
        os.close(here)
    assert len(list(event_files(tmp_path, follow_links=True, on_error=print))) == 1


def test_names_are_tensorboards() -> None:
    """The rules for names are those of TensorBoard."""
    wrapper = pytest.importorskip("tensorboard.backend.event_processing.io_wrapper")
    for name in (
        "events.out.tfevents.1.host",
        "tfevents",
        "x.tfevents.profile-empty",
        "tf-events",
        "events",
        "A.TFEVENTS",
    ):
        assert is_event_file_name(name) == wrapper.IsTensorFlowEventsFile(f"/some/where/{name}")


def test_a_runs_files(tree: Path) -> None:
    """A run's files are those directly in its directory that are files, by name."""
    assert [path.name for path in run_files(tree)] == ["a.tfevents", "b.tfevents", "link.tfevents"]

"""`tbasync verify` and `tbasync repair`: what they print, and their exit status."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tbasync.cli import _event_files, main, repair, verify

from .event_bytes import header, record, scalar, version

GOOD = record(version()) + b"".join(record(scalar("loss", step / 3, step)) for step in range(1, 9))
TORN = GOOD + header(500) + b"unfinished"


def call(command: ModuleType, *arguments: object) -> int:
    """Run a command through the program's own command line; its exit status."""
    return main([command.__name__.rpartition(".")[2], *map(str, arguments)])


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log directory with a good and a torn event file."""
    (tmp_path / "run").mkdir()
    (tmp_path / "good.tfevents").write_bytes(GOOD)
    (tmp_path / "run" / "torn.tfevents").write_bytes(TORN)
    return tmp_path


def test_verify_says_what_is_wrong_and_where(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each finding is a line of file, offset and cause; the status says that there is one."""
    assert call(verify, logs) == 1
    printed, errors = capsys.readouterr()
    torn = logs / "run" / "torn.tfevents"
    assert printed.splitlines() == [
        f"{logs / 'good.tfevents'}: ok, 9 records, {len(GOOD)} bytes",
        f"{torn}:{len(GOOD)}: a record of 500 bytes is cut short",
        f"{torn}: 22 bytes damaged, 9 records, {len(TORN)} bytes",
        f"2 files, 18 records, {len(GOOD + TORN)} bytes: 1 damaged",
    ]
    assert errors == ""


def test_verify_of_good_files(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Good files have status 0; quiet, nothing is printed for them."""
    assert call(verify, logs / "good.tfevents") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"1 file, 9 records, {len(GOOD)} bytes: no damage"
    assert call(verify, "--quiet", logs / "good.tfevents") == 0
    assert capsys.readouterr().out == ""
    assert call(verify, "--quiet", logs) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_verify_notes_do_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps that go backwards are noted, with status 0; quiet, they are not mentioned."""
    path = tmp_path / "x.tfevents"
    path.write_bytes(
        record(version()) + b"".join(record(scalar("a", 1.0, step)) for step in range(100, 0, -1))
    )
    assert call(verify, path) == 0
    printed = capsys.readouterr().out
    second = len(record(version())) + len(record(scalar("a", 1.0, 100)))
    assert f"{path}:{second}: note: the step of 'a' goes back from 100 to 99" in printed
    assert "and 79 more of kind step-backwards" in printed
    assert call(verify, "--quiet", path) == 0
    assert capsys.readouterr().out == ""


def test_verify_as_json(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, the whole report is one JSON document."""
    assert call(verify, "--json", logs) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert [(Path(file["path"]).name, file["ok"], file["records"]) for file in told["files"]] == [
        ("good.tfevents", True, 9),
        ("torn.tfevents", False, 9),
    ]
    (finding,) = told["files"][1]["findings"]
    assert (finding["offset"], finding["length"], finding["kind"], finding["error"]) == (
        len(GOOD),
        22,
        "torn",
        True,
    )


@pytest.mark.parametrize("command", [verify, repair])
def test_nothing_to_do_is_a_usage_error(
    command: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path that is not there, or without event files, has status 2 and is named; no path at all is too."""
    assert call(command, tmp_path / "mis\nsing") == 2
    assert "mis\\nsing" in capsys.readouterr().err
    assert call(command, tmp_path) == 2
    assert "no event files in or below" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        call(command)
    assert caught.value.code == 2


@pytest.mark.parametrize("command", [verify, repair])
def test_unlistable_directories_fail(
    command: ModuleType, logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that cannot be listed is told and makes the status 1, also when all else is well."""
    (logs / "run" / "torn.tfevents").write_bytes(GOOD)
    real = _event_files.os.scandir

    def scandir(path: str) -> object:
        if path.endswith("run"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(_event_files.os, "scandir", scandir)
    assert call(command, logs) == 1
    assert "Permission denied" in capsys.readouterr().err


def test_names_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file name that would act on a terminal is printed escaped."""
    path = tmp_path / "evil\x1b[2J\n.tfevents"
    path.write_bytes(TORN)
    call(verify, path)
    call(repair, path)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "evil\\x1b[2J\\n.tfevents:" in printed


def test_repair(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Damaged files are made whole and said to be, good ones left alone; then all verifies clean."""
    assert call(repair, logs) == 0
    printed = capsys.readouterr().out.splitlines()
    torn = logs / "run" / "torn.tfevents"
    assert printed == [
        f"{logs / 'good.tfevents'}: nothing to repair, 9 records",
        f"{torn}: kept 9 records, left out 22 bytes; the original is {logs / 'run' / 'torn.damaged.bak'}",
    ]
    assert torn.read_bytes() == GOOD
    assert call(verify, logs) == 0
    assert call(repair, "--quiet", logs) == 0


def test_repair_as_json(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, what was done to each file is one JSON document, failures too."""
    (logs / "no.tfevents").write_bytes(b"no event file at all, not by far")
    assert call(repair, "--json", logs) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    by_name = {Path(file["path"]).name: file for file in told["files"]}
    assert by_name["good.tfevents"]["written"] is None
    assert by_name["torn.tfevents"]["dropped"] == 22
    assert "no whole event" in by_name["no.tfevents"]["error"]


def test_repair_failures_do_not_stop_the_rest(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be repaired is told on standard error, and the others are repaired."""
    (logs / "a.tfevents").write_bytes(b"no event file at all, not by far")
    assert call(repair, logs) == 1
    assert "is it an event file" in capsys.readouterr().err
    assert (logs / "run" / "torn.tfevents").read_bytes() == GOOD


def test_repair_into_another_file(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --output the original stays; it takes one file, and writes over none."""
    torn, out = logs / "run" / "torn.tfevents", logs / "whole"
    assert call(repair, torn, "--output", out) == 0
    assert f"in {out}" in capsys.readouterr().out
    assert (torn.read_bytes(), out.read_bytes()) == (TORN, GOOD)
    assert call(repair, torn, "--output", out) == 1
    assert "exist" in capsys.readouterr().err
    assert call(repair, logs, "--output", logs / "other") == 2


def test_repair_does_not_leave_the_tree(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Links within a tree are not followed to files elsewhere; a link that is named is."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "x.tfevents"
    elsewhere.write_bytes(TORN)
    (logs / "link.tfevents").symlink_to(elsewhere)
    (logs / "way").symlink_to(elsewhere.parent)
    assert call(repair, logs) == 0
    assert elsewhere.read_bytes() == TORN
    assert call(repair, logs / "link.tfevents") == 0
    assert elsewhere.read_bytes() == GOOD


class Terminal:
    """Standard error that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def test_a_progress_bar_on_a_terminal_only(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar is drawn where standard error is a terminal, not when quiet, and not without rich."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    drawn = dict[str, str]()
    for name, arguments in (("bar", []), ("quiet", ["--quiet"])):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        call(verify, *arguments, logs)
        drawn[name] = terminal.text
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    call(verify, logs)
    assert "verify" in drawn["bar"]
    assert drawn["quiet"] == terminal.text == ""


def test_help_says_what_it_is_for() -> None:
    """The first line of each command's docstring is a sentence, and options have help."""
    for command in (verify, repair):
        assert command.__doc__
        assert command.__doc__.splitlines()[0].endswith(".")
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        assert "PATH" in parser.format_help()

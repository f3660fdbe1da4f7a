"""docs/compatibility.md against the packages themselves: nothing missing, nothing invented, every link whole."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tbasync

from .originals import CLASSES, PACKAGES, members

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
STATUS = re.compile(r"(same|and more|as for|without effect|different|absent)\b")
CLASS_KEYS = pytest.mark.parametrize("key", list(CLASSES), ids=".".join)


class Row(NamedTuple):
    """A row of one of the page's tables."""

    section: str
    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def names(self, column: str) -> list[str]:
        """The names in a column, which are in code style."""
        return re.findall(r"`([^`]+)`", self.cells[self.columns.index(column)])

    def packages(self) -> list[str]:
        """Whose the row is."""
        of = self.cells[self.columns.index("of")]
        return list(PACKAGES) if of == "both" else [of]


def _rows() -> Iterator[Row]:
    section, columns = "", None
    for line in PAGE.splitlines():
        cells = tuple(cell.strip() for cell in line.strip("|").split(" | ")) if line.startswith("|") else ()
        if line.startswith("## "):
            section = line[3:]
        if not cells:
            columns = None
        elif columns is None:
            columns = cells
        elif not set(line) <= set("|- "):
            yield Row(section, columns, cells)


ROWS = list(_rows())
DIFFERENCES = dict(re.findall(r"^#### ([^\n]*)\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))


@CLASS_KEYS
def test_every_method_and_argument_is_there(key: tuple[str, str]) -> None:
    """Each once, in the table of its class, and no other; so a new version's arguments are found missing."""
    package, name = key
    rows = [row for row in ROWS if row.section == name and "method" in row.columns]
    listed: dict[str, list[str]] = {}
    for row in rows:
        if package in row.packages():
            (method,) = row.names("method")
            listed.setdefault(method, []).extend(row.names("arguments"))
    expected = members(CLASSES[key])
    assert listed.keys() == expected.keys()
    for method, arguments in listed.items():
        assert sorted(arguments) == sorted(expected[method]), method


@CLASS_KEYS
def test_every_attribute_is_there(key: tuple[str, str], tmp_path: Path) -> None:
    """Those that an object of the class has, each once, and no other."""
    package, name = key
    listed = [
        attribute
        for row in ROWS
        if row.section == name and "attribute" in row.columns and package in row.packages()
        for attribute in row.names("attribute")
    ]
    original = CLASSES[key](str(tmp_path))
    assert sorted(listed) == sorted(name for name in vars(original) if not name.startswith("_"))
    original.close()


def test_every_name_of_the_packages_is_there() -> None:
    """What one imports from the packages; modules aside."""
    for package, module in PACKAGES.items():
        rows = [row for row in ROWS if "name" in row.columns and package in row.packages()]
        classes = {name for name, member in vars(module).items() if inspect.isclass(member)}
        assert {name for row in rows for name in row.names("name")} == classes


def test_every_row_says_what_becomes_of_it() -> None:
    """In one of the page's words; and what is different says how."""
    for row in ROWS:
        here = row.cells[-1]
        if "name" not in row.columns:
            assert STATUS.match(here), here
        assert not here.startswith("different:") or "](#" in here, here


def test_every_link_leads_somewhere() -> None:
    """To a heading of the page; and to each difference there is a link."""
    headings = re.findall(r"^#+ (.*)", PAGE, re.MULTILINE)
    anchors = set(map(_anchor, headings))
    linked = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert linked <= anchors
    assert set() < set(map(_anchor, DIFFERENCES)) <= linked
    assert all((ROOT / "docs" / path).exists() for path in re.findall(r"\]\(([^#)]+)\)", PAGE))


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_every_difference_has_a_test(difference: str) -> None:
    """At least one, and each that is named exists."""
    named = re.findall(r"`(tests/[^`]*)::(\w+)`", DIFFERENCES[difference])
    assert named
    for path, name in named:
        assert name in _tests(ROOT / path), f"{path}::{name}"


@cache
def _tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_of_a_difference_is_named() -> None:
    """The two modules of differences are of those on the page, and of no others."""
    for name in ("test_differences.py", "test_differences_to_tensorboardx.py"):
        path = f"tests/parity/{name}"
        tests = {test for test in _tests(ROOT / path) if test.startswith("test_")}
        assert tests == set(re.findall(rf"`{path}::(\w+)`", PAGE))


def test_own_options_are_there() -> None:
    """Every argument that is by keyword alone is named as tbasync's own, or is tensorboardX's."""
    text = PAGE.partition("## tbasync's own options")[2].partition("## Deliberate")[0]
    theirs = {
        argument
        for arguments in members(CLASSES["tensorboardX", "SummaryWriter"]).values()
        for argument in arguments
    }
    methods = [tbasync.SummaryWriter.__init__, *_public(tbasync.SummaryWriter)]
    own = {
        name
        for method in methods
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in theirs
    }
    assert own <= set(re.findall(r"`(\w+)`", text))


def _public(cls: type) -> list[Any]:
    return [member for name, member in inspect.getmembers(cls, callable) if not name.startswith("_")]

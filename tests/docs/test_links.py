"""Links within the documentation lead somewhere, and the pages that Sphinx is given are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tbasync

from .pages import DOCS, PAGES, ROOT, anchors, links

FILES = ["README.md", "CHANGELOG.md", *(f"docs/{page}" for page in PAGES)]


def leads_somewhere(source: Path, target: str) -> bool:
    """Whether the file that `target` names is there, and the heading in it."""
    name, _, anchor = target.partition("#")
    path = (source.parent / name).resolve() if name else source
    if path.is_relative_to(ROOT / "tbasync") and not (ROOT / "tbasync").is_dir():
        return True  # the tests run on an installed wheel, without the source
    return path.exists() and (not anchor or anchor in anchors(path))


@pytest.mark.parametrize("name", FILES)
def test_relative_links_lead_somewhere(name: str) -> None:
    """Pages, pictures, scripts, and the headings of pages."""
    broken = [target for target in links(ROOT / name) if not leads_somewhere(ROOT / name, target)]
    assert broken == []


@pytest.mark.parametrize(
    "target", ["nowhere.md", "start.md#nowhere", "#nowhere", "images/nowhere.png", "../nowhere"]
)
def test_a_broken_link_is_found(target: str) -> None:
    """The check is one: files and headings that do not exist are told."""
    assert not leads_somewhere(DOCS / "index.md", target)
    assert links(DOCS / "index.md")


@pytest.mark.parametrize("page", PAGES)
def test_anchors_are_unique(page: str) -> None:
    """No two headings of a page have one anchor, or links to the second would lead to the first."""
    found = anchors(DOCS / page)
    assert len(found) == len(set(found))


def test_every_page_is_in_the_contents() -> None:
    """Each stands in one table of contents of docs/index.md."""
    tables = re.findall(r"^```\{toctree\}\n(.*?)^```$", (DOCS / "index.md").read_text(), re.M | re.S)
    listed = [f"{name}.md" for table in tables for name in re.findall(r"^(\w\S*)$", table, re.MULTILINE)]
    assert sorted(["index.md", *listed]) == PAGES


def test_every_public_name_is_in_the_reference() -> None:
    """What `tbasync` exports has its entry, and so has each integration."""
    text = (DOCS / "reference.md").read_text()
    entries = set(re.findall(r"^\.\. auto\w+:: tbasync\.([\w.]+)", text, re.MULTILINE))
    assert set(tbasync.__all__) - {"__version__"} <= entries
    integrations = {"lightning", "transformers", "accelerate", "keras", "keras_hparams"}
    assert integrations == {name.split(".")[1] for name in entries if name.startswith("integrations.")}

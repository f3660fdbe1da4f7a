"""Text summaries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbasync.encode.text import check_text, text
from tbasync.proto import Summary

_UTF8 = st.text(st.characters(exclude_categories=["Cs"]))


@given(tag=_UTF8, value=_UTF8)
def test_equals_torch(torch_summary: Any, tag: str, value: str) -> None:
    """Any text under any tag gives the bytes that torch's message serializes to."""
    assert text(tag, value).summary == torch_summary.text(tag, value).SerializeToString()


@given(value=_UTF8)
def test_equals_tensorboardx(tensorboardx_summary: Any, value: str) -> None:
    """tensorboardX writes the same."""
    theirs = tensorboardx_summary.text("t", value)
    assert text("t", value).summary == theirs.SerializeToString()


@given(value=st.text())
def test_any_str_can_be_written(value: str) -> None:
    """No str raises: what UTF-8 cannot hold is escaped, all else comes back as it was."""
    read = Summary.FromString(text("t", value).summary).value[0]
    assert (read.tag, read.metadata.plugin_data.plugin_name) == ("t/text_summary", "text")
    assert read.tensor.string_val[0].decode() == value.encode("utf-8", "backslashreplace").decode()


def test_large_text() -> None:
    """A text of several megabytes comes back whole."""
    value = "ü" * 3_000_000
    read = Summary.FromString(text("t", value).summary).value[0].tensor
    assert read.string_val[0].decode() == value


@pytest.mark.parametrize("value", [b"bytes", 3, None, ["a"]])
def test_check_names_what_is_wrong(value: object) -> None:
    """Anything but a str is refused, by argument and type."""
    with pytest.raises(TypeError, match=f"text_string must be a str, not {type(value).__name__}"):
        check_text(value)


def test_check_accepts_str() -> None:
    """A str, and a subclass of it, passes."""

    class Name(str):
        __slots__ = ()

    check_text("")
    check_text(Name("x"))

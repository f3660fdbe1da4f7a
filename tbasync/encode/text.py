"""Text: one string, shown by TensorBoard's Text dashboard as Markdown."""

from __future__ import annotations

from ..proto import DataType, TextPluginData
from .result import Encoded
from .tensor_value import strings, tensor_value

_CONTENT = TextPluginData(version=0).SerializeToString()


def check_text(text_string: object) -> None:
    """Raises TypeError unless `text_string` is a str."""
    if not isinstance(text_string, str):
        raise TypeError(f"text_string must be a str, not {type(text_string).__name__}")


def text(tag: str, text_string: str) -> Encoded:
    """A text under `tag` + "/text_summary", as torch names it.

    Lone surrogates, which UTF-8 cannot hold (file names of unknown encoding have them), are written as
    backslash escapes; torch's writer raises UnicodeEncodeError.
    """
    value = text_string.encode("utf-8", "backslashreplace")
    summary = tensor_value(
        f"{tag}/text_summary",
        "text",
        dtype=DataType.DT_STRING,
        shape=(1,),
        elements=strings([value]),
        content=_CONTENT,
    )
    return Encoded(b"".join(summary))

"""The same calls through tf.summary and tbasync.summary."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

pytest.importorskip("tensorflow")
pytest.importorskip("tensorboard")

import tensorflow as tf

import tbasync.summary
from tests.summary.reading import logged

__all__ = ["assert_same", "left_by", "outcome", "plain", "tf"]

Log = Callable[[Any], Any]


def left_by(summary: ModuleType | Any, log: Log) -> tuple[Any, list[Any]]:
    """What `log`, given the module, returns with a writer of it as default; and what is in the file then."""
    with tempfile.TemporaryDirectory() as directory:
        writer = summary.create_file_writer(directory)
        with writer.as_default():
            answer = log(summary)
        writer.close()
        return plain(answer), logged(Path(directory))


def assert_same(log: Log) -> None:
    """Both answer the same and leave the same."""
    ours, theirs = left_by(tbasync.summary, log), left_by(tf.summary, log)
    assert ours == theirs
    assert ours[1], "nothing was logged"


def outcome(summary: ModuleType | Any, log: Log) -> Any:
    """What `log` returns, or the type of what it raises."""
    try:
        return plain(log(summary))
    except Exception as error:
        return type(error)


def plain(answer: Any) -> Any:
    """TensorFlow's answers as Python's."""
    if isinstance(answer, (list, tuple)):
        return type(answer)(map(plain, answer))
    return answer.numpy().item() if hasattr(answer, "numpy") else answer

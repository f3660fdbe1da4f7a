"""Every method of torch's writer: the same calls leave the same runs, events and files."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tbasync

from . import calls
from .calls import FEW, TorchWriter, make, public_methods
from .reading import read
from .scripts import CHECKS, unused_arguments

CALLS = calls.torch_calls()

# What tbasync answers where torch answers nothing.
ANSWERS = {"flush": True, "close": True}


def test_every_method_is_in_the_table() -> None:
    """No public method of torch's writer is missing, and none is in it that is there no more."""
    assert set(CALLS) == public_methods(TorchWriter)


@pytest.mark.parametrize("method", sorted(CALLS))
def test_every_argument_is_in_the_table(method: str) -> None:
    """The calls of a method make use of each of its arguments."""
    assert unused_arguments(CALLS[method], getattr(TorchWriter, method)) == set()


@pytest.mark.parametrize("method", sorted(set(CALLS) - FEW))
@settings(CHECKS, max_examples=20)
@given(data=st.data())
def test_same_as_torch(method: str, data: st.DataObject) -> None:
    """What is left after any calls of a method, and what they answer, equals torch's."""
    _check(method, data)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(FEW))
@settings(CHECKS, max_examples=4)
@given(data=st.data())
def test_same_as_torch_slowly(method: str, data: st.DataObject) -> None:
    """So it is for methods that take their time."""
    _check(method, data)


@settings(CHECKS, max_examples=10)
@given(script=st.lists(st.one_of([CALLS[m] for m in sorted(set(CALLS) - FEW)]), min_size=5, max_size=15))
def test_calls_of_all_methods_in_one_run(script: list[calls.Call]) -> None:
    """Calls of several methods, mixed, stand in the file in the order in which they were made."""
    _compare(script)


def _check(method: str, data: st.DataObject) -> None:
    _compare(data.draw(st.lists(CALLS[method], min_size=1, max_size=4)))


def _compare(script: list[calls.Call]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        theirs = make(script, TorchWriter(f"{folder}/theirs"))
        ours = make(script, tbasync.SummaryWriter(f"{folder}/ours"))
        assert read(f"{folder}/ours") == read(f"{folder}/theirs")
    for call, our, their in zip(script, ours, theirs, strict=True):
        if call.method == "get_logdir":
            assert os.path.dirname(our) == os.path.dirname(their)
        else:
            assert (our, their) == (ANSWERS.get(call.method), None)

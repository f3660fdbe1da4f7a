"""What all tests share: hypothesis is deterministic, and the originals are imported once, Ctrl-C works."""

from __future__ import annotations

import signal
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# Deterministic, and without a deadline: a shared machine may stall for longer than any example takes.
settings.register_profile("tbasync", deadline=None, derandomize=True)
settings.load_profile("tbasync")

# A shell's background jobs ignore the keyboard's signals, and what `nohup` starts ignores SIGHUP: so would the
# processes that tests start. A handler is not passed on to those, and the tests themselves do outlive a SIGHUP.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGQUIT") and signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        type=Path,
        metavar="DIR",
        help="where the browser tests leave pictures of what they saw",
    )


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """The torch package, or the test is skipped."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def torch_summary(torch: ModuleType) -> ModuleType:
    """torch's functions that make summaries."""
    return pytest.importorskip("torch.utils.tensorboard.summary")


@pytest.fixture(scope="session")
def tensorboardx_summary() -> ModuleType:
    """tensorboardX's functions that make summaries."""
    return pytest.importorskip("tensorboardX.summary")

"""Each public method under each fault: it returns in time, with the right error, and the writer recovers.

The methods are found by looking, so a new one is in the matrix from its first day.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tbasync import LoggingError, SummaryWriter, TbasyncError
from tbasync.file_writer import FileWriter

from ..support.calls import BARRIERS, call_of, public_methods
from ..support.faults import FAULTS, Fault, outcome
from ..support.plain_reader import steps

# No call may take longer, whatever has gone wrong. Most take microseconds; a stall is told after 0.1 s here.
BOUND_SECONDS = 20.0
A_MOMENT = 0.05

pytestmark = pytest.mark.filterwarnings("ignore::tbasync.TbasyncWarning")


@pytest.fixture(params=FAULTS, ids=lambda kind: kind.__name__)
def fault(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fault:
    """A writer in use, about to be struck."""
    kind: type[Fault] = request.param
    if kind.remote:
        pytest.importorskip("fsspec")
    log_dir = f"file://{tmp_path}/run" if kind.remote else str(tmp_path / "run")
    writer = SummaryWriter(log_dir, interval=0.01, keep_scalars=100, **kind.options)
    writer.add_scalar("before", 1.0, 1)
    return kind(writer, monkeypatch)


def check_recovery(fault: Fault) -> None:
    """After the fault everything works, the file is whole, and every summary is accounted for."""
    fault.heal()
    writer = fault.writer
    outcome(lambda: writer.flush(60))  # may tell of what was lost
    outcome(lambda: writer.close(60))
    writer.add_scalar("after", 1.0, 7)
    assert writer.flush(60) is True
    assert writer.close(60) is True
    assert steps(writer.log_dir.removeprefix("file://"), "after") == [7]
    stats = writer.stats()
    assert stats.waiting == 0
    assert stats.pushed == stats.written + stats.dropped + stats.failed
    assert stats.queue_bytes == stats.unsent == 0


@pytest.mark.parametrize("name", [name for name in public_methods(SummaryWriter) if name not in BARRIERS])
def test_methods_of_a_writer(fault: Fault, name: str) -> None:
    """What pushes, and what asks, returns as if nothing was."""
    call = call_of(fault.writer, name)
    fault.strike()
    start = time.monotonic()
    for _ in range(3):
        call()
    assert time.monotonic() - start < BOUND_SECONDS
    check_recovery(fault)


@pytest.mark.parametrize("name", [name for name in public_methods(FileWriter) if name not in BARRIERS])
def test_methods_of_a_file_writer(fault: Fault, name: str) -> None:
    """The same for those who log ready-made events."""
    call = call_of(fault.writer._get_file_writer(), name)
    fault.strike()
    start = time.monotonic()
    for _ in range(3):
        call()
    assert time.monotonic() - start < BOUND_SECONDS
    check_recovery(fault)


@pytest.mark.parametrize("name", sorted(BARRIERS))
@pytest.mark.parametrize("target", ["writer", "file_writer"])
def test_barriers(fault: Fault, name: str, target: str) -> None:
    """Without a timeout they wait for as long as there is hope, and say whose fault it is."""
    # Closing or asking must not be what heals a closed writer.
    owner = fault.writer if target == "writer" else fault.writer._get_file_writer()
    fault.strike()
    start = time.monotonic()
    found = outcome(getattr(owner, name))
    assert time.monotonic() - start < BOUND_SECONDS
    if fault.waiting is True:
        assert found in (True, None), found
    else:
        assert isinstance(fault.waiting, type)
        assert isinstance(found, fault.waiting), found
        assert isinstance(found, TbasyncError)
    check_recovery(fault)


@pytest.mark.parametrize("name", sorted(BARRIERS))
def test_barriers_in_haste(fault: Fault, name: str) -> None:
    """With a timeout they return within it."""
    fault.strike()
    start = time.monotonic()
    found = outcome(lambda: getattr(fault.writer, name)(A_MOMENT))
    assert time.monotonic() - start < BOUND_SECONDS
    kinds = tuple(kind for kind in fault.in_haste if isinstance(kind, type))
    assert found in fault.in_haste or (kinds and isinstance(found, kinds)), found
    check_recovery(fault)


def test_leaving_a_with_block(fault: Fault) -> None:
    """The block's end is a close."""
    fault.strike()
    start = time.monotonic()

    def leave() -> bool:
        with fault.writer:
            pass
        return True

    found = outcome(leave)
    assert time.monotonic() - start < BOUND_SECONDS
    assert found is True if fault.waiting is True else isinstance(found, TbasyncError)
    check_recovery(fault)


@pytest.mark.parametrize("name", ["add_scalar", "log_metrics", "add_image", "flush"])
def test_errors_name_their_cause(fault: Fault, name: str) -> None:
    """What a barrier raises is chained to what went wrong, and says what became of the values."""
    call = call_of(fault.writer, name)
    fault.strike()
    outcome(call)
    found = outcome(fault.writer.close)
    if isinstance(found, LoggingError):
        assert isinstance(found.__cause__, BaseException)
        assert found.failures >= 1 or "may not be on the disk" in str(found)
    check_recovery(fault)

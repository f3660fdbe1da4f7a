"""A compiled step that logs: the graph breaks at the call, and nothing of tbasync is traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tbasync
from tests.support.events import scalars


@pytest.mark.parametrize("self_report", [False, True])
def test_a_compiled_step_breaks_its_graph_at_the_call_only(self_report: bool, tmp_path: Path) -> None:
    """Three graphs for two calls that log in a step, no recompilation, and every value of the call."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("tensorboard")
    from torch._dynamo.testing import CompileCounter

    writer = tbasync.SummaryWriter(tmp_path, self_report=self_report)

    def step(x: Any, number: int) -> Any:
        loss = (x * x).sum()
        writer.add_scalar("loss", loss, number)
        doubled = loss * 2
        writer.log_metrics({"doubled": doubled, "one": 1.0}, number)
        return doubled + 1

    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(step, backend=counter, dynamic=False)
    for number in range(3):
        assert float(compiled(torch.full((4,), 2.0), number)) == 33
    graphs_of_three_numbers = counter.frame_count
    compiled(torch.full((4,), 3.0), 2)
    writer.close()
    assert counter.frame_count == graphs_of_three_numbers
    assert [point.value for point in scalars(tmp_path)["loss"]] == [16, 16, 16, 36]
    assert [point.value for point in scalars(tmp_path)["doubled"]] == [32, 32, 32, 72]
    reasons = torch._dynamo.utils.counters["graph_break"]
    assert reasons
    assert all("Skip inlining" in reason for reason in reasons), list(reasons)

"""A compiled step that logs: the graph breaks at the call, and nothing of tbasync is traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tbasync
from tests.summary.reading import numbers
from tests.support.events import scalars


def test_functions_of_a_default_writer_are_not_traced_either(tmp_path: Path) -> None:
    """In the style of tf.summary, too, the graph breaks at the call, and every value is that of the call."""
    torch = pytest.importorskip("torch")
    from torch._dynamo.testing import CompileCounter

    def step(x: Any, number: int) -> Any:
        loss = (x * x).sum()
        tbasync.summary.scalar("loss", loss, number)
        tbasync.summary.histogram("x", x, number)
        return loss + 1

    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    counter = CompileCounter()
    compiled = torch.compile(step, backend=counter, dynamic=False)
    with tbasync.summary.create_file_writer(tmp_path).as_default() as writer:
        for number in range(3):
            assert float(compiled(torch.full((4,), 2.0), number)) == 17
        graphs_of_three_numbers = counter.frame_count
        compiled(torch.full((4,), 3.0), 2)
    writer.close()
    assert counter.frame_count == graphs_of_three_numbers
    assert numbers(tmp_path) == [("loss", 0, 16), ("loss", 1, 16), ("loss", 2, 16), ("loss", 2, 36)]
    reasons = torch._dynamo.utils.counters["graph_break"]
    assert reasons
    assert all("Skip inlining" in reason for reason in reasons), list(reasons)


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

"""The demo's run, as the real TensorBoard serves it, against what the demo logged: value for value.

The demo runs twice as a process of its own: once through the command line with a real writer, once with a
writer that only notes what it is given. The same seed gives the same values, to the last bit.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.record_demo import Call, recorded
from tests.support.tensorboard_server import Bucket, TensorBoard, needs_tensorboard, tensorboard

pytest.importorskip("sklearn", reason="the demo's data comes with scikit-learn")

EPOCHS, SEED = 2, 3
ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.slow, needs_tensorboard]


@dataclass(frozen=True)
class Shown:
    """A run of the demo: what was logged, what the command printed, and the TensorBoard that shows it."""

    calls: list[Call]
    output: str
    log_dir: Path
    board: TensorBoard

    def logged(self, method: str) -> dict[str, list[Call]]:
        """Tag -> the calls of `method` with it, in order."""
        by_tag: dict[str, list[Call]] = {}
        for call in self.calls:
            if call.method == method:
                by_tag.setdefault(call.arguments[0], []).append(call)
        return by_tag


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("tbasync", "torch", True), marks=pytest.mark.torch, id="tbasync-torch-fast"),
        pytest.param(("tbasync", "numpy", False), id="tbasync-numpy-slow"),
        pytest.param(("torch", "torch", False), marks=pytest.mark.torch, id="torch-torch-slow"),
    ],
)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The demo's run for (writer, network, TensorBoard's fast reader or its slow one)."""
    writer, network, fast = request.param
    if "torch" in (writer, network) and find_spec("torch") is None:
        pytest.skip("torch is not installed")
    folder = tmp_path_factory.mktemp("demo")
    calls, run = folder / "calls", folder / "run"
    options = ["--writer", writer, "--network", network, "--epochs", EPOCHS, "--seed", SEED]
    python("tests.support.record_demo", calls, network, EPOCHS, SEED)
    output = python("tbasync", "demo", *options, "--log-dir", run)
    with tensorboard(run, fast=fast) as board:
        board.wait_for(lambda: board.scalars("hparams", "final/test_accuracy"))  # logged last, read last
        yield Shown(recorded(calls), output, run, board)


def python(module: str, *arguments: object) -> str:
    """What `python -m module` prints; it must end well and say nothing on stderr."""
    command = [sys.executable, "-W", "error", "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_report_says_where_the_run_is_and_what_logging_cost(shown: Shown) -> None:
    """The last lines name the folder, the command that opens it and the share of time that logging took."""
    assert f"--logdir {shown.log_dir}" in shown.output
    assert f"test accuracy {final_metrics(shown)['final/test_accuracy']:.1%}" in shown.output
    assert "Logging: " in shown.output


def test_every_scalar(shown: Shown) -> None:
    """Each scalar's curve has every step and value that was logged, as float32, and there are no others."""
    logged = shown.logged("add_scalar")
    assert set(shown.board.tags("scalars")["."]) == set(logged)
    for tag, calls in logged.items():
        points = [(step, single(value)) for _, value, step in (call.arguments for call in calls)]
        assert shown.board.scalars(".", tag) == points


def single(value: float) -> float:
    """`value` with the 24 bits of a float32: what an event file keeps of a scalar."""
    return float(np.float32(value))


def test_every_histogram(shown: Shown) -> None:
    """Each histogram, of every parameter and gradient, counts the very values that were logged."""
    logged = shown.logged("add_histogram")
    assert set(shown.board.tags("histograms")["."]) == set(logged)
    for tag, calls in logged.items():
        histograms = shown.board.histograms(".", tag)
        assert [step for step, _ in histograms] == [call.arguments[2] for call in calls]
        for (_, buckets), call in zip(histograms, calls, strict=True):
            assert_counts(buckets, call.arguments[1])


def assert_counts(buckets: list[Bucket], values: NDArray[np.float32]) -> None:
    """`buckets` reach from the least of `values` to the greatest and each counts those up to its right end.

    Left ends tell nothing beyond that: TensorBoard's fast reader may give an empty first bucket the wrong way
    round.
    """
    assert (buckets[0].left, buckets[-1].right) == (values.min(), values.max())
    ends = [bucket.right for bucket in buckets[:-1]]
    counts, _ = np.histogram(values, [-np.inf, *ends, np.inf])
    assert [bucket.number for bucket in buckets] == counts.tolist()


def test_every_image(shown: Shown) -> None:
    """The samples, the misclassified digits and the confusion matrix arrive pixel for pixel."""
    logged = {**shown.logged("add_image"), **shown.logged("add_images")}
    assert set(shown.board.tags("images")["."]) == set(logged)
    for tag, calls in logged.items():
        for (step, seen), call in zip(shown.board.images(".", tag), calls, strict=True):
            image = call.arguments[1] if call.method == "add_image" else grid(call.arguments[1])
            assert step == call.arguments[2]
            assert np.array_equal(seen, np.broadcast_to(eight_bits(image)[..., np.newaxis], seen.shape))


def grid(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N, 1, H, W] -> one image: rows of eight, read like text, the rest black."""
    count, _, height, width = images.shape
    columns = min(count, 8)
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width), np.float32)
    cells[:count] = images[:, 0]
    return cells.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)


def eight_bits(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0 to 1 -> 0 to 255, cut off like an integer cast."""
    return (image * 255).astype(np.uint8)


def test_every_text(shown: Shown) -> None:
    """Each text is shown as TensorBoard's own Markdown renders it."""
    markdown = pytest.importorskip("tensorboard.plugin_util").markdown_to_safe_html
    for tag, calls in shown.logged("add_text").items():
        seen = shown.board.texts(".", f"{tag}/text_summary")
        assert [step for step, _ in seen] == [call.arguments[2] for call in calls]
        for (_, html), call in zip(seen, calls, strict=True):
            assert markdown(call.arguments[1]) in html


def test_the_hparams(shown: Shown) -> None:
    """The HParams table has one session with every hyperparameter and the final metrics."""
    (call,) = (call for call in shown.calls if call.method == "add_hparams")
    (session,) = shown.board.sessions()
    assert session["hparams"] == call.arguments[0]
    assert session["metrics"] == {tag: single(value) for tag, value in final_metrics(shown).items()}


def final_metrics(shown: Shown) -> dict[str, float]:
    (call,) = (call for call in shown.calls if call.method == "add_hparams")
    metrics: dict[str, float] = call.arguments[1]
    return metrics

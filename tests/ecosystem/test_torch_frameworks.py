"""Lightning, Transformers and Accelerate train, untouched under `install()` and through tbasync's own loggers.

Each training is run three times in one process: with the framework's own logging alone, with it under
`tbasync.install()`, and with tbasync's integration.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

pytest.importorskip("torch.utils.tensorboard")

from ..support.tensorboard_server import tensorboard
from .support import Trained, comparable, needs, series, trained

pytestmark = [pytest.mark.slow, pytest.mark.ecosystem]


class Framework(NamedTuple):
    """What there is to know of a framework's runs.

    Attributes:
        run: the main run's path below a training's log directory.
        logged: tags that must be there at least, so that two empty runs are not taken for equal ones.
        varying: beginnings of the tags whose values differ from one training to the next.
    """

    run: str
    logged: set[str]
    varying: tuple[str, ...] = ()


FRAMEWORKS = {
    "lightning": Framework(
        ".",
        {
            "loss_step",
            "loss_epoch",
            "hp_metric",
            "after",
            "both",
            "_hparams_/session_start_info",
            "graph_def",
        },
    ),
    "transformers": Framework(
        ".",
        {"train/loss", "eval/loss", "args/text_summary", "model_config/text_summary"},
        # Times and speeds, and what is called otherwise in the arguments of the two.
        ("train/train_runtime", "train/train_s", "eval/runtime", "eval/s", "args/text_summary"),
    ),
    "accelerate": Framework(
        "project", {"loss", "both", "text/text_summary", "pictures", "_hparams_/session_start_info"}
    ),
}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def training(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Framework, Trained]:
    """A framework and what its training has left; skipped where it is not installed."""
    needs(request.param)
    return FRAMEWORKS[request.param], trained(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("kind", ["installed", "ours"])
def test_a_training_logs_the_same(training: tuple[Framework, Trained], kind: str) -> None:
    """The runs are equal, message for message, to those that the framework logs by itself."""
    framework, (log_dir, _) = training
    logged = comparable(log_dir / kind, framework.varying)
    assert {value.tag for values in logged.values() for value in values} >= framework.logged
    assert logged == comparable(log_dir / "plain", framework.varying)


@pytest.mark.parametrize("kind", ["installed", "ours"])
def test_tensorboard_reads_it(training: tuple[Framework, Trained], kind: str) -> None:
    """Every number that the training itself has noted comes out of TensorBoard's HTTP API, by step and value."""
    framework, (log_dir, expected) = training
    noted = series(expected[kind]["scalars"])
    with tensorboard(log_dir / kind) as board:
        board.wait_for(lambda: framework.run in board.runs())
        for tag, points in noted.items():
            assert board.wait_for(lambda tag=tag: board.scalars(framework.run, tag)) == points  # type: ignore[misc]
        if "hparams" in expected[kind]:
            (trial,) = board.wait_for(board.sessions)
            assert trial["hparams"] == expected[kind]["hparams"]


@pytest.mark.parametrize("kind", ["installed", "ours"])
def test_files_beside_the_events(training: tuple[Framework, Trained], kind: str) -> None:
    """Hyperparameters are kept as YAML, as the framework keeps them."""
    _, (log_dir, expected) = training
    for name, content in expected[kind].get("files", {}).items():
        assert (log_dir / kind / name).read_text() == content
    found, plain = (
        sorted(path.read_text() for path in (log_dir / run).rglob("*.y*ml")) for run in (kind, "plain")
    )
    assert found == plain

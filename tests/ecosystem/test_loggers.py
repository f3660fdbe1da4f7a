"""The loggers' edges, called as the frameworks call them: bad values, other ranks, trials, pictures, pickles."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import tbasync
from tbasync import SummaryWriter, TbasyncWarning

from ..support.plain_reader import events, scalars
from .support import needs, python

# Importing a framework warns of this and that.
pytestmark = [pytest.mark.slow, pytest.mark.ecosystem, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def lightning_logger() -> type:
    """tbasync's logger for Lightning."""
    needs("lightning")
    from tbasync.integrations.lightning import AsyncTensorBoardLogger

    return AsyncTensorBoardLogger


@pytest.fixture
def callback() -> type:
    """tbasync's callback for Transformers."""
    needs("transformers")
    from tbasync.integrations.transformers import AsyncTensorBoardCallback

    return AsyncTensorBoardCallback


@pytest.fixture
def tracker() -> type:
    """tbasync's tracker for Accelerate."""
    needs("accelerate")
    from tbasync.integrations.accelerate import AsyncTensorBoardTracker

    return AsyncTensorBoardTracker


# -- Lightning -----------------------------------------------------------------------------------------------


def test_names_and_directories_are_lightnings(tmp_path: Path, lightning_logger: Callable[..., Any]) -> None:
    """As the stock logger makes them, whatever it is given."""
    from lightning.pytorch.loggers import TensorBoardLogger

    for arguments in ({}, {"name": "n", "version": 3}, {"name": "", "version": "v"}, {"sub_dir": "s"}):
        ours, stock = (cls(tmp_path, **arguments) for cls in (lightning_logger, TensorBoardLogger))
        for name in ("name", "version", "log_dir", "root_dir", "save_dir", "sub_dir"):
            assert getattr(ours, name) == getattr(stock, name)
        assert isinstance(ours, TensorBoardLogger)
    assert not list(tmp_path.iterdir()), "a logger that was not used has made a directory"


def test_lightnings_metrics(tmp_path: Path, lightning_logger: Callable[..., Any]) -> None:
    """With the prefix, in one push; a dict is a chart; what is no number raises as it does with Lightning's own."""
    import torch

    logger = lightning_logger(tmp_path, name="", version="", prefix="p", interval=30)
    logger.log_metrics({"a": 1, "b": torch.tensor(2.0), "c": np.float32(3), "both": {"x": 4.0}}, step=5)
    with pytest.raises(ValueError, match="'p-no'"):
        logger.log_metrics({"no": "text", "a": 1.0}, step=6)
    logger.save()
    assert not scalars(tmp_path), "save() is a barrier"
    logger.finalize("success")
    assert scalars(tmp_path) == {"p-a": [(5, 1.0)], "p-b": [(5, 2.0)], "p-c": [(5, 3.0)]}
    assert scalars(tmp_path / "p-both_x") == {"p-both": [(5, 4.0)]}


def test_a_lightning_logger_goes_on_after_its_end(
    tmp_path: Path, lightning_logger: Callable[..., Any]
) -> None:
    """A second fit or test with the same logger adds to the same run."""
    logger = lightning_logger(tmp_path, name="", version="")
    for step in range(3):
        logger.log_metrics({"a": float(step)}, step)
        logger.finalize("success")
    assert scalars(tmp_path)["a"] == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_a_lightning_logger_on_another_rank(
    tmp_path: Path, lightning_logger: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No writer, no directory, and every call does nothing."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = lightning_logger(tmp_path / "run", name="", version="")
    logger.experiment.add_scalar("a", 1.0, 1)
    logger.log_metrics({"a": 1.0}, 1)
    logger.log_hyperparams({"rate": 1.0})
    logger.save()
    logger.finalize("success")
    assert not (tmp_path / "run").exists()


def test_a_lightning_logger_is_pickled_without_its_writer(
    tmp_path: Path, lightning_logger: Callable[..., Any]
) -> None:
    """The copy makes one of its own, with the same options, in the same directory."""
    logger = lightning_logger(tmp_path, name="n", on_full="drop_oldest")
    logger.log_metrics({"a": 1.0}, 1)
    copy = pickle.loads(pickle.dumps(logger))
    assert copy._experiment is None
    copy.log_metrics({"a": 2.0}, 2)
    assert copy.log_dir == logger.log_dir
    assert copy.experiment is not logger.experiment
    for each in (logger, copy):
        each.finalize("success")
    assert scalars(logger.log_dir)["a"] == [(1, 1.0), (2, 2.0)]


def test_pytorch_lightning_has_a_logger_of_its_own_kind(tmp_path: Path) -> None:
    """Where that package is imported first: its classes and those of `lightning` do not mix."""
    needs("pytorch_lightning")
    script = """
import pytorch_lightning, torch
from tbasync.integrations.lightning import AsyncTensorBoardLogger

class Line(pytorch_lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
    def training_step(self, batch, index):
        loss = self.layer(batch).sum()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

logger = AsyncTensorBoardLogger(".", name="", version="run")
assert isinstance(logger, pytorch_lightning.loggers.TensorBoardLogger)
trainer = pytorch_lightning.Trainer(logger=logger, max_steps=3, log_every_n_steps=1, accelerator="cpu")
trainer.fit(Line(), torch.utils.data.DataLoader(torch.ones(3, 1)))
"""
    python("-W", "ignore", "-c", script, within=tmp_path)
    assert [step for step, _ in scalars(tmp_path / "run")["loss"]] == [0, 1, 2]


def test_ranks_are_refused(
    tmp_path: Path,
    lightning_logger: Callable[..., Any],
    callback: Callable[..., Any],
    tracker: Callable[..., Any],
) -> None:
    """Where only rank zero is asked to log, a writer that waits for the others would wait in vain."""
    for make in (lightning_logger, callback, lambda path, **options: tracker("name", path, **options)):
        for options in ({"reduce": "mean"}, {"ranks": 0}):
            with pytest.raises(ValueError, match="logs on rank zero alone"):
                make(tmp_path, **options)


# -- Transformers --------------------------------------------------------------------------------------------

ARGUMENTS = SimpleNamespace(output_dir="out", to_json_string=lambda: "{}")


def state(step: int = 0, *, zero: bool = True, trial: str | None = None) -> Any:
    """A trainer's state, as far as callbacks ask for it."""
    return SimpleNamespace(
        is_world_process_zero=zero,
        is_hyper_param_search=trial is not None,
        trial_name=trial,
        global_step=step,
    )


def run_through(callback: Any, values: dict[str, Any], **kind: Any) -> None:
    """A training with one step, then an evaluation."""
    model = SimpleNamespace(config=SimpleNamespace(to_json_string=lambda: '{"a": 1}'))
    callback.on_train_begin(ARGUMENTS, state(**kind), None, model=model)
    callback.on_log(ARGUMENTS, state(1, **kind), None, logs=values)
    callback.on_train_end(ARGUMENTS, state(1, **kind), None)
    callback.on_log(ARGUMENTS, state(1, **kind), None, logs={"eval_loss": 3.0})


def test_transformers_logs(tmp_path: Path, callback: Callable[..., Any]) -> None:
    """Numbers below train, eval and test, texts as texts, the rest said and left out; an evaluation after the end."""
    ours = callback(tmp_path)
    with pytest.warns(TbasyncWarning, match="'train/odd' is not logged"):
        run_through(
            ours, {"loss": 1.0, "test_f1": 2, "note": "text", "odd": [1, 2], "testing": 4.0, "eval": 5.0}
        )
    ours.tb_writer.close()
    assert scalars(tmp_path) == {
        "train/loss": [(1, 1.0)],
        "test/f1": [(1, 2.0)],
        "train/testing": [(1, 4.0)],
        "train/eval": [(1, 5.0)],
        "eval/loss": [(1, 3.0)],
    }
    tags = {value.tag for event in events(tmp_path) for value in event.summary.value}
    assert {"args/text_summary", "model_config/text_summary", "train/note/text_summary"} <= tags


def test_transformers_would_log_twice(tmp_path: Path, callback: Callable[..., Any]) -> None:
    """With its own callback beside ours, a warning says which to leave out."""
    both = SimpleNamespace(**vars(ARGUMENTS), report_to=["tensorboard"])
    ours = callback(tmp_path)
    with pytest.warns(TbasyncWarning, match="logged twice.*report_to"):
        ours.on_train_begin(both, state(), None)
    ours.on_train_end(both, state(), None)


def test_transformers_other_processes(tmp_path: Path, callback: Callable[..., Any]) -> None:
    """Only the world's process zero has a writer."""
    ours = callback(tmp_path / "run")
    run_through(ours, {"loss": 1.0}, zero=False)
    assert ours.tb_writer is None
    assert not (tmp_path / "run").exists()


def test_transformers_trials(tmp_path: Path, callback: Callable[..., Any]) -> None:
    """Each trial of a search has a sub-run of its name."""
    ours = callback(tmp_path)
    for trial in ("run-0", "run-1"):
        run_through(ours, {"loss": 1.0}, trial=trial)
        assert scalars(tmp_path / trial)["train/loss"] == [(1, 1.0)]
    assert ours.tb_writer.log_dir == str(tmp_path / "run-1")


def test_where_transformers_logs(
    tmp_path: Path, callback: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The argument, the environment, a new folder in the output directory; or a writer that is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    ours = callback()
    run_through(ours, {"loss": 1.0})
    assert Path(ours.tb_writer.log_dir).parent == Path("out/runs")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "env"))
    run_through(callback(), {"loss": 1.0})
    assert scalars(tmp_path / "env")["train/loss"] == [(1, 1.0)]
    with SummaryWriter(tmp_path / "mine") as writer:
        run_through(callback(tb_writer=writer), {"loss": 1.0})
    assert scalars(tmp_path / "mine")["train/loss"] == [(1, 1.0)]


# -- Accelerate ----------------------------------------------------------------------------------------------


def pictures() -> dict[str, Any]:
    """The same two pictures, 4 x 6, as everything that Accelerate says it takes."""
    array = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    return {
        "array": (array.transpose(0, 3, 1, 2), {}),
        "NHWC": (array, {"dataformats": "NHWC"}),
        "list": (list(array.transpose(0, 3, 1, 2)), {}),
        "PIL": ([Image.fromarray(picture) for picture in array], {}),
    }


def test_accelerates_pictures(tmp_path: Path, tracker: Callable[..., Any]) -> None:
    """Arrays and lists of arrays, PIL images: each the same grid."""
    ours = tracker("name", tmp_path)
    ours.start()
    for tag, (batch, options) in pictures().items():
        ours.log_images({tag: batch}, step=3, **options)
    ours.finish()
    values = [value for event in events(tmp_path / "name") for value in event.summary.value]
    assert [value.tag for value in values] == list(pictures())
    assert len({value.image.encoded_image_string for value in values}) == 1


def test_accelerates_configuration(tmp_path: Path, tracker: Callable[..., Any]) -> None:
    """The trial's sub-run holds its YAML; numpy's numbers are numbers in it, and None stays None."""
    import yaml

    ours = tracker("name", tmp_path)
    ours.start()
    ours.store_init_configuration({"rate": np.float64(0.5), "flag": True, "none": None, "name": "x"})
    ours.finish()
    (file,) = (tmp_path / "name").glob("*/hparams.yml")
    assert yaml.safe_load(file.read_text()) == {"rate": 0.5, "flag": True, "none": None, "name": "x"}
    assert list(file.parent.glob("*tfevents*"))


def test_accelerate_does_not_wait(tmp_path: Path, tracker: Callable[..., Any]) -> None:
    """`log` is no barrier; `walltime` and the like go on to the writer; the end is one."""
    ours = tracker("name", tmp_path, interval=30)
    ours.finish()  # nothing has been made yet, and nothing is now
    assert not list(tmp_path.iterdir())
    ours.log({"a": 1.0}, step=1)
    ours.log({"a": 2.0}, step=2, walltime=12.5)
    assert not scalars(tmp_path / "name")
    ours.finish()
    assert scalars(tmp_path / "name")["a"] == [(1, 1.0), (2, 2.0)]
    assert isinstance(ours.tracker, tbasync.SummaryWriter)

"""What tbasync does otherwise than torch's writer, on purpose: each has an entry in docs/compatibility.md.

Differences that belong to one encoder, or to bad input, are tested beside it; here are those of the whole.
"""

from __future__ import annotations

import io
import re
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tbasync
from tbasync import TbasyncWarning

from ..support.held import Gate
from .calls import TorchWriter
from .reading import events, first_event, values

torch = pytest.importorskip("torch")
Figure = pytest.importorskip("matplotlib.figure").Figure


def both(tmp_path: Path) -> list[Any]:
    """torch's writer and tbasync's, each in a directory of its own."""
    return [TorchWriter(str(tmp_path / "theirs")), tbasync.SummaryWriter(tmp_path / "ours")]


@pytest.mark.filterwarnings("ignore:.*beyond .-1, 1. were clipped:tbasync.TbasyncWarning")
def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What torch prints is a warning here, or nothing."""
    said = []
    for writer in both(tmp_path):
        writer.add_audio("loud", np.array([2.0, 0.5]))
        for _ in range(2):
            writer.add_embedding(torch.zeros(2, 2))
        writer.close()
        said.append("".join(capfd.readouterr()))
    assert "auto clipped" in said[0]
    assert "Embedding dir exists" in said[0]
    assert said[1] == ""


def test_values_in_any_form(tmp_path: Path) -> None:
    """Lists, nested ones too, and whatever has `__array__` are values; torch takes numpy's and its own only."""

    class Foreign:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.ones(3)

    for form in ([1.0, 1.0, 1.0], ((1, 1), [1, 1]), Foreign()):
        theirs, ours = both(tmp_path)
        with pytest.raises(NotImplementedError):
            theirs.add_histogram("h", form)
        ours.add_histogram("h", form)
        theirs.close()
        ours.close()
    assert [value.histo.num for value in values(tmp_path / "ours")] == [3, 4, 3]


def test_tensors_without_torch(tmp_path: Path) -> None:
    """`add_tensor` takes arrays of numpy as well, which torch does not."""
    theirs, ours = both(tmp_path)
    with pytest.raises(AttributeError):
        theirs.add_tensor("t", np.arange(3.0))
    ours.add_tensor("t", np.arange(3.0))
    theirs.close()
    ours.close()
    assert list(values(tmp_path / "ours")[0].tensor.double_val) == [0, 1, 2]


def test_bfloat16_scalars_keep_their_range(tmp_path: Path) -> None:
    """torch makes float16 of them, which ends at 65504."""
    for writer in both(tmp_path):
        writer.add_scalar("s", torch.tensor(2.0**100, dtype=torch.bfloat16))
        writer.close()
    theirs, ours = (values(tmp_path / name)[0].simple_value for name in ("theirs", "ours"))
    assert (theirs, ours) == (float("inf"), 2.0**100)


def test_meta_tensors_are_refused(tmp_path: Path) -> None:
    """They have no values; torch logs a random number in their place."""
    theirs, ours = both(tmp_path)
    theirs.add_scalar("s", torch.zeros(1, device="meta"))
    for method in ("add_scalar", "add_histogram", "add_tensor"):
        with pytest.raises(TypeError, match="meta device"):
            getattr(ours, method)("s", torch.zeros(1, device="meta"))
    theirs.close()
    ours.close()
    assert len(values(tmp_path / "theirs")) == 1
    assert values(tmp_path / "ours") == []


def test_steps_are_not_truncated(tmp_path: Path) -> None:
    """A step of 2.7 is a mistake; torch makes 2 of it."""
    theirs, ours = both(tmp_path)
    theirs.add_scalar("s", 1.0, 2.7)
    with pytest.raises(TypeError, match="global_step must be an integer"):
        ours.add_scalar("s", 1.0, 2.7)
    theirs.close()
    ours.close()
    assert [event.step for event in events(tmp_path / "theirs")] == [2]


def test_barriers_answer(tmp_path: Path) -> None:
    """`flush()` and `close()` return True, and take a timeout; torch's return None."""
    theirs, ours = both(tmp_path)
    assert (theirs.flush(), theirs.close()) == (None, None)
    assert (ours.flush(timeout=60), ours.close(timeout=60)) == (True, True)


def test_names_and_beginnings_of_files(tmp_path: Path) -> None:
    """A name ends in a letter and a number of the process's files, and the first record tells who wrote it."""
    names, writers = [], []
    for writer in both(tmp_path):
        writer.close()
        (path,) = Path(writer.log_dir).iterdir()
        names.append(path.name)
        writers.append(first_event(path).source_metadata.writer)
    assert [bool(re.fullmatch(r"events.out.tfevents.\d{10}.*\.\d+\.t\d+", name)) for name in names] == [
        False,
        True,
    ]
    assert writers == ["tensorboard.summary.writer.event_file_writer", "tbasync"]


def test_sub_runs_share_one_thread(tmp_path: Path) -> None:
    """A hundred sub-runs are written by the writer's one thread; torch starts one for each."""
    counts = []
    for writer in both(tmp_path):
        before = set(threading.enumerate())
        writer.add_scalars("main", {str(key): 1.0 for key in range(100)}, 1)
        counts.append(len(set(threading.enumerate()) - before))
        writer.close()
    assert counts[0] >= 100
    assert counts[1] <= 1


def test_closing_a_file_writer_closes_the_writer(tmp_path: Path) -> None:
    """All runs share a file writer's thread: closing one of them closes all, and logging goes on in new files."""
    writer = tbasync.SummaryWriter(tmp_path)
    writer.add_scalars("main", {"a": 1.0}, 1)
    assert writer.all_writers is not None
    writer.all_writers[f"{tmp_path}/main_a"].close()
    assert writer.file_writer is writer.all_writers is None
    writer.add_scalars("main", {"a": 1.0}, 2)
    writer.close()
    assert [event.step for event in events(tmp_path / "main_a")] == [1, 2]


def test_attributes_that_cannot_be_set(tmp_path: Path) -> None:
    """`file_writer`, `all_writers`, `default_bins` and `logdir` tell how things are; torch's can be overwritten."""
    with tbasync.SummaryWriter(tmp_path) as writer:
        for name in ("file_writer", "all_writers", "default_bins", "logdir"):
            with pytest.raises(AttributeError):
                setattr(writer, name, None)


def test_a_figure_that_is_handed_over_is_drawn_later(tmp_path: Path) -> None:
    """What is changed after the call may be in the picture, but with `close=False` never is."""
    kept, given = (Figure(figsize=(0.5, 0.5)) for _ in range(2))
    with tbasync.SummaryWriter(tmp_path) as writer, Gate(writer):
        writer.add_figure("kept", kept, close=False)
        writer.add_figure("given", given)
        for figure in (kept, given):
            figure.set_facecolor("black")
    assert [_pixels(value).max() for value in values(tmp_path)[1:]] == [255, 0]


def test_videos_need_no_moviepy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a moviepy that has `moviepy.editor`, torch writes a summary without a picture; here is a GIF."""
    for name in ("moviepy", "moviepy.editor"):
        monkeypatch.setitem(sys.modules, name, None)
    for writer in both(tmp_path):
        writer.add_video("v", torch.zeros(1, 2, 3, 4, 4))
        writer.close()
    assert not values(tmp_path / "theirs")[0].HasField("image")
    assert values(tmp_path / "ours")[0].image.encoded_image_string.startswith(b"GIF")


def test_batches_with_an_alpha_channel(tmp_path: Path) -> None:
    """They are laid out like others; torch refuses them."""
    theirs, ours = both(tmp_path)
    with pytest.raises(AssertionError):
        theirs.add_images("i", np.ones((2, 4, 3, 3)))
    ours.add_images("i", np.ones((2, 4, 3, 3)))
    theirs.close()
    ours.close()
    assert _pixels(values(tmp_path / "ours")[0]).shape == (3, 6, 4)


def test_steps_of_embeddings_are_numbers(tmp_path: Path) -> None:
    """The directory of an embedding has the step's number; torch prints a tensor."""
    for writer in both(tmp_path):
        writer.add_embedding(torch.zeros(2, 2), global_step=torch.tensor(5))
        writer.close()
    theirs, ours = (
        [path.name for path in (tmp_path / name).iterdir() if path.is_dir()] for name in ("theirs", "ours")
    )
    assert (theirs, ours) == (["tensor(5)"], ["00005"])


def test_hyperparameters_in_any_dict(tmp_path: Path) -> None:
    """A subclass of dict is one; torch wants dict itself."""
    theirs, ours = both(tmp_path)
    with pytest.raises(TypeError):
        theirs.add_hparams(OrderedDict(lr=0.1), {"loss": 1.0})
    ours.add_hparams(OrderedDict(lr=0.1), {"loss": 1.0}, run_name="trial")
    theirs.close()
    ours.close()
    assert values(tmp_path / "ours" / "trial")[-1].tag == "loss"


def test_predictions_that_are_no_probabilities(tmp_path: Path) -> None:
    """Such a curve is not logged, and the writer says so; torch leaves those predictions out without a word."""
    theirs, ours = both(tmp_path)
    arguments = ("p", np.array([0, 1]), np.array([0.5, 1.5]))
    theirs.add_pr_curve(*arguments)
    theirs.close()
    ours.add_pr_curve(*arguments)
    with (
        pytest.warns(TbasyncWarning, match=r"must lie in \[0, 1\]"),
        pytest.raises(tbasync.LoggingError, match=r"must lie in \[0, 1\]"),
    ):
        ours.close()
    assert len(values(tmp_path / "theirs")) == 1
    assert values(tmp_path / "ours") == []


def _pixels(value: Any) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(value.image.encoded_image_string)) as picture:
        return np.asarray(picture)

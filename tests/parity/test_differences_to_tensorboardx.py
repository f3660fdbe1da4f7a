"""What tbasync does otherwise than tensorboardX's writer, on purpose: each has an entry in docs/compatibility.md.

The writer is the one that `install()` puts in tensorboardX's place; where it does as torch's does, the tests of
torch's differences hold for it as well.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

import tbasync
from tbasync.compat.tensorboardx import TensorboardXWriter
from tbasync.proto.projector import ProjectorConfig

from .calls import TensorboardXWriter as Original
from .reading import events, values

torch = pytest.importorskip("torch")
tensorboardX = pytest.importorskip("tensorboardX")
EMPTY = ("", "")


def both(tmp_path: Path) -> list[Any]:
    """tensorboardX's writer and tbasync's in its place, each in a directory of its own."""
    return [Original(str(tmp_path / "theirs")), TensorboardXWriter(str(tmp_path / "ours"))]


def left(tmp_path: Path, name: str = "") -> list[list[Any]]:
    """The values that both have left, of one sub-run."""
    return [values(tmp_path / writer / name) for writer in ("theirs", "ours")]


def test_titles_are_shown_by_the_data_server(tmp_path: Path) -> None:
    """Beside title and description stand plugin and class of data, without which TensorBoard forgets both."""
    for writer in both(tmp_path):
        writer.add_scalar("s", 1.0, display_name="title", summary_description="text")
        writer.close()
    (theirs,), (ours,) = left(tmp_path)
    assert (theirs.metadata.display_name, ours.metadata.display_name) == ("title", "title")
    assert (theirs.metadata.plugin_data.plugin_name, ours.metadata.plugin_data.plugin_name) == ("", "scalars")
    assert (theirs.metadata.data_class, ours.metadata.data_class) == (0, 1)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*is deprecated:DeprecationWarning")
def test_the_statistics_of_a_graph_are_named_as_by_torch(tmp_path: Path) -> None:
    """ "step1" is what torch and TensorBoard call them; tensorboardX says "profiler"."""
    for writer in both(tmp_path):
        writer.add_graph(torch.nn.Linear(2, 2), torch.zeros(1, 2))
        writer.close()
    tags = [
        [e.tagged_run_metadata.tag for e in events(tmp_path / name) if e.HasField("tagged_run_metadata")]
        for name in ("theirs", "ours")
    ]
    assert tags == [["profiler"], ["step1"]]


def test_sounds_are_truncated_as_by_torch(tmp_path: Path) -> None:
    """The soundfile package, which is not needed here, rounds to the nearest of 32,767 samples."""
    for writer in both(tmp_path):
        writer.add_audio("a", np.array([0.99999, -0.99999]))
        writer.close()
    theirs, ours = (value.audio.encoded_audio_string[-4:] for (value,) in left(tmp_path))
    assert np.frombuffer(theirs, "<i2").tolist() == [32767, -32767]
    assert np.frombuffer(ours, "<i2").tolist() == [32766, -32766]


def test_pictures_are_clipped(tmp_path: Path) -> None:
    """A value beyond [0, 1] is white or black, as with torch; with tensorboardX it wraps around."""
    for writer in both(tmp_path):
        writer.add_image("i", np.full((3, 1, 1), 300 / 255))
        writer.close()
    pixels = [_pixels(value)[0, 0, 0] for (value,) in left(tmp_path)]
    assert pixels == [44, 255]


def test_what_fits_nothing_raises(tmp_path: Path) -> None:
    """Where tensorboardX prints that it leaves something out, the call raises and says what is accepted."""
    theirs, ours = both(tmp_path)
    picture, boxes = np.zeros((3, 9, 9)), np.array([[0, 0, 4, 4]])
    theirs.add_image_with_boxes("b", picture, boxes, labels=["one", "two"])
    with pytest.raises(ValueError, match="labels must be as many as the boxes"):
        ours.add_image_with_boxes("b", picture, boxes, labels=["one", "two"])
    theirs.add_images("i", [picture], dataformats="HW")
    with pytest.raises(ValueError, match="dataformats 'HW'"):
        ours.add_images("i", [picture], dataformats="HW")
    theirs.add_hparams({"layers": [1, 2]}, {"loss": 1.0}, "trial")
    with pytest.raises(ValueError, match="hparam_dict"):
        ours.add_hparams({"layers": [1, 2]}, {"loss": 1.0}, "trial")
    theirs.close()
    ours.close()
    assert values(tmp_path / "ours") == []


def test_trials_are_logged_at_their_step(tmp_path: Path) -> None:
    """`global_step` is the step of the hyperparameters too, as with torch; tensorboardX's have none."""
    for writer in both(tmp_path):
        writer.add_hparams({"lr": 0.1}, {"loss": 1.0}, "trial", 5)
        writer.close()
    steps = [[event.step for event in events(tmp_path / name / "trial")] for name in ("theirs", "ours")]
    assert steps == [[0, 0, 0, 5], [5, 5, 5, 5]]


def test_metrics_of_a_trial_keep_their_names(tmp_path: Path) -> None:
    """tensorboardX cleans the scalar's tag but not what the dashboard looks for, and so does not find it."""
    for writer in both(tmp_path):
        writer.add_hparams({"lr": 0.1}, {"my loss": 1.0}, "trial")
        writer.close()
    theirs, ours = (found[-1].tag for found in left(tmp_path, "trial"))
    assert (theirs, ours) == ("my_loss", "my loss")


def test_defaults_reach_every_call(tmp_path: Path) -> None:
    """Within `use_metadata` sub-runs and embeddings take its step too; contexts nest, where tensorboardX raises."""
    for writer in both(tmp_path):
        with writer.use_metadata(global_step=7, walltime=3.5):
            writer.add_scalars("main", {"a": 1.0})
            writer.add_embedding(torch.zeros(2, 2))
        writer.close()
    steps = [[event.step for event in events(tmp_path / name / "main" / "a")] for name in ("theirs", "ours")]
    assert steps == [[0], [7]]
    assert (tmp_path / "theirs" / "00000").is_dir()
    assert (tmp_path / "ours" / "00007").is_dir()
    theirs, ours = both(tmp_path / "nested")
    with (
        theirs.use_metadata(global_step=1),
        pytest.raises(AssertionError),
        theirs.use_metadata(global_step=2),
    ):
        pass
    with ours.use_metadata(global_step=1), ours.use_metadata(global_step=2):
        ours.add_text("t", "text")
    theirs.close()
    ours.close()
    assert [event.step for event in events(tmp_path / "nested" / "ours")] == [2]


def test_the_rest_of_a_sprite_is_black(tmp_path: Path) -> None:
    """As with torch; tensorboardX writes what was in memory. The projector's configuration is torch's text."""
    with TensorboardXWriter(str(tmp_path)) as writer:
        writer.add_embedding(torch.zeros(5, 2), label_img=torch.ones(5, 1, 4, 4))
    with Image.open(tmp_path / "00000" / "default" / "sprite.png") as sprite:
        pixels = np.asarray(sprite)
    assert pixels.shape == (12, 12, 3)
    assert pixels[:4].min() == 255
    assert pixels[8:].max() == 0
    assert 'tensor_name: "default:00000"' in (tmp_path / "projector_config.pbtxt").read_text()


def test_the_list_of_embeddings(tmp_path: Path) -> None:
    """It is this writer's, as with torch, and can be read whatever the tag; tensorboardX's grows for ever."""
    for name, kind in (("theirs", Original), ("ours", TensorboardXWriter)):
        for tag in ("first", 'a "quoted" one'):
            writer = kind(str(tmp_path / name))
            writer.add_embedding(torch.zeros(2, 2), tag=tag)
            writer.close()
    theirs, ours = ((tmp_path / name / "projector_config.pbtxt").read_text() for name in ("theirs", "ours"))
    with pytest.raises(text_format.ParseError):
        text_format.Parse(theirs, ProjectorConfig())
    assert "first" in theirs
    (listed,) = text_format.Parse(ours, ProjectorConfig()).embeddings
    assert listed.tensor_name == 'a "quoted" one:00000'


def test_purging_once(tmp_path: Path) -> None:
    """A writer that is closed and goes on purges once; tensorboardX's hides what it has logged since."""
    counts = []
    for name, kind in (("theirs", Original), ("ours", TensorboardXWriter)):
        writer = kind(str(tmp_path / name), purge_step=3, filename_suffix=".0")
        writer.close()
        writer._filename_suffix = ".1"  # lest tensorboardX's second file replaces the first
        writer.add_scalar("s", 1.0, 4)
        writer.close()
        counts.append(sum(event.HasField("session_log") for event in events(tmp_path / name)))
    assert counts == [2, 1]


def test_the_global_writer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its tags are logged as they are, as by `SummaryWriter`; it has `flush`, and nothing is printed."""
    writer = tbasync.GlobalSummaryWriter(str(tmp_path))
    writer.add_scalar("my loss", 1.0)
    writer.add_scalar("my loss", 2.0)
    assert writer.flush()
    writer.close()
    assert [(event.step, event.summary.value[0].tag) for event in events(tmp_path)] == [
        (0, "my loss"),
        (1, "my loss"),
    ]
    assert not any(hasattr(writer, name) for name in ("lock", "scalar_tag_to_step"))
    assert tuple(capfd.readouterr()) == EMPTY


def _pixels(value: Any) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(value.image.encoded_image_string)) as picture:
        return np.asarray(picture)

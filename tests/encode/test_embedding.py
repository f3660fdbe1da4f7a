"""The Projector's files."""

from __future__ import annotations

import io
import os.path
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tbasync.encode.embedding import check_embedding
from tbasync.encode.embedding import embedding as encode
from tbasync.encode.labels import freeze_labels
from tbasync.encode.projector import CONFIG, EmbeddingEntry, ProjectorList
from tbasync.encode.result import Encoded

_TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
_DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint8", "bool", "complex64"]


class _TorchRun:
    """torch's writer in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        tensorboard = pytest.importorskip("torch.utils.tensorboard")
        self.writer = tensorboard.SummaryWriter(str(directory))
        self._directory = directory

    def files(self) -> dict[str, bytes]:
        """What it wrote, by relative path, without the event file."""
        paths = (path for path in self._directory.rglob("*") if path.is_file())
        found = {path.relative_to(self._directory).as_posix(): path.read_bytes() for path in paths}
        return {name: data for name, data in found.items() if "tfevents" not in name}


@pytest.fixture
def torch_run(torch: Any, tmp_path: Path) -> Any:
    """Makes runs of torch's writer, one a call, and closes them."""
    runs: list[_TorchRun] = []

    def run() -> _TorchRun:
        runs.append(_TorchRun(tmp_path / str(len(runs))))
        return runs[-1]

    yield run
    for each in runs:
        each.writer.close()


def embedding(*arguments: Any, listed: ProjectorList | None = None, **options: Any) -> Encoded:
    """The encoder's result, with the run's list among its files as a writer alone in its run would write it."""
    listed = listed or ProjectorList()
    encoded = encode(*arguments, listed=listed, **options)
    ((path, (shared, addition)),) = encoded.shared.items()
    assert shared is listed
    content = listed.extended(addition, b"", None)
    listed.written(content)
    return encoded._replace(files={**encoded.files, path: content})


def _entry(tag: str = "default", step: int = 0, metadata: Any = None, images: Any = None) -> EmbeddingEntry:
    return EmbeddingEntry(
        tag,
        step,
        has_metadata=metadata is not None,
        thumbnail=None if images is None else (images.shape[3], images.shape[2]),
    )


@_TMP
@given(
    mat=st.sampled_from(_DTYPES).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=2, max_dims=2)))
)
def test_tensors_equal_torchs(torch_run: Any, mat: np.ndarray[Any, Any]) -> None:
    """Numbers of every type are printed byte for byte as torch prints them."""
    run = torch_run()
    run.writer.add_embedding(mat)
    assert embedding(_entry(), mat).files == run.files()


@pytest.mark.parametrize("shape", [(3, 0), (2, 2500), (1500, 3), (1, 1)], ids=str)
def test_tensors_of_many_pieces_equal_torchs(torch_run: Any, shape: tuple[int, int]) -> None:
    """Rows longer than a piece, more rows than a piece holds, and points without coordinates."""
    run = torch_run()
    mat = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
    run.writer.add_embedding(mat)
    assert embedding(_entry(), mat).files == run.files()


_LABELS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=5)


@_TMP
@given(rows=st.lists(st.tuples(_LABELS, st.integers(), st.floats()), min_size=1, max_size=6))
def test_metadata_equals_torchs(torch_run: Any, rows: list[tuple[Any, ...]]) -> None:
    """Single labels, and rows under a header, equal torch's, whatever their types."""
    mat = np.zeros((len(rows), 2))
    for metadata, header in (([row[0] for row in rows], None), (list(map(list, rows)), ["a", "b", "c"])):
        run = torch_run()
        run.writer.add_embedding(mat, metadata=metadata, metadata_header=header)
        ours = embedding(_entry(metadata=metadata), mat, freeze_labels(metadata, header))
        assert ours.files == run.files()
        assert ours.notes == ()


def test_many_labels_equal_torchs(torch_run: Any) -> None:
    """More labels than one piece holds."""
    run, labels, mat = torch_run(), [f"é{i}" for i in range(3000)], np.zeros((3000, 1), np.int8)
    run.writer.add_embedding(mat, metadata=labels)
    assert embedding(_entry(metadata=labels), mat, freeze_labels(labels)).files == run.files()


@pytest.mark.parametrize(
    "shape", [(1, 3, 4, 4), (5, 1, 3, 3), (9, 3, 2, 7), (10, 3, 2, 2), (2, 1, 8, 8)], ids=str
)
def test_sprites_equal_torchs(torch: Any, torch_run: Any, shape: tuple[int, ...]) -> None:
    """Sprites equal torch's byte for byte: grey and coloured, wide images, full and part rows, clipping."""
    run = torch_run()
    images = np.random.default_rng(3).normal(0.5, 0.4, shape).astype(np.float32)
    mat = np.zeros((shape[0], 2))
    run.writer.add_embedding(mat, label_img=torch.from_numpy(images))
    assert embedding(_entry(images=images), mat, label_img=images).files == run.files()


def test_uint8_sprites_are_taken_as_they_are() -> None:
    """Pixels of 0 to 255 are drawn as such, where torch would multiply them by 255."""
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    files = embedding(_entry(images=images), np.zeros((2, 1)), label_img=images).files
    sprite = np.asarray(Image.open(io.BytesIO(files["00000/default/sprite.png"])))
    assert sprite.shape == (8, 8, 3)
    assert np.array_equal(sprite[:4, 4:], images[1].transpose(1, 2, 0))
    assert not sprite[4:].any()


def test_sprites_of_odd_values() -> None:
    """NaN is black; infinities are clipped like any other value."""
    images = np.array([np.nan, np.inf, -np.inf, 1.0]).reshape(1, 1, 2, 2)
    files = embedding(_entry(images=images), np.zeros((1, 1)), label_img=images).files
    sprite = np.asarray(Image.open(io.BytesIO(files["00000/default/sprite.png"])))
    assert sprite[:, :, 0].tolist() == [[0, 255], [0, 255]]


def test_several_embeddings_and_steps(torch: Any, torch_run: Any) -> None:
    """A run's configuration lists its embeddings in order, equal to torch's after every call."""
    run = torch_run()
    listed = ProjectorList()
    files: dict[str, bytes] = {}
    images = np.zeros((2, 3, 5, 6), np.float32)
    calls: list[tuple[str, int, Any, Any]] = [
        ("default", 0, None, None),
        ("a/b%c\\d", 7, ["x", "y"], None),
        ('quote"ü', 123456, None, images),
        ("default", 7, ["x", "y"], images),
        ("default", -3, None, None),
    ]
    for tag, step, metadata, label_img in calls:
        mat = np.full((2, 3), step)
        theirs = None if label_img is None else torch.from_numpy(label_img)
        run.writer.add_embedding(mat, metadata, theirs, step, tag)
        entry = _entry(tag, step, metadata, label_img)
        labels = freeze_labels(metadata)
        check_embedding(entry, mat, labels, label_img)
        files |= embedding(entry, mat, labels, label_img, listed=listed).files
        assert files == run.files()


def test_tensorboard_reads_the_configuration() -> None:
    """TensorBoard's own schema parses the text, and its paths are those of the files."""
    config_pb2 = pytest.importorskip("tensorboard.plugins.projector.projector_config_pb2")
    from google.protobuf import text_format

    images = np.zeros((4, 3, 5, 5), np.uint8)
    entry = _entry("t/ü", 2, "abcd", images)
    files = embedding(entry, np.zeros((4, 3)), freeze_labels("abcd"), images).files
    config = text_format.Parse(files[CONFIG].decode(), config_pb2.ProjectorConfig())
    (info,) = config.embeddings
    assert {info.tensor_path, info.metadata_path, info.sprite.image_path} < set(files)
    assert list(info.sprite.single_image_dim) == [5, 5]


@given(tag=st.text(st.sampled_from("./\\%~:\0\n aü2f"), max_size=6), step=st.integers())
def test_no_tag_escapes_its_step(tag: str, step: int) -> None:
    """Whatever the tag, its files lie in a directory of their own below the step's, or it is refused."""
    entry = _entry(tag, step)
    try:
        check_embedding(entry, np.zeros((1, 1)))
    except ValueError:
        assert tag in ("", ".", "..") or "\0" in tag
        return
    for path in set(embedding(entry, np.zeros((1, 1))).files) - {CONFIG}:
        assert os.path.normpath(path) == path
        assert path.count("/") == 2
        assert path.split("/")[0].lstrip("-").isdigit()
        assert "\0" not in path
        assert path.split("/")[1] not in ("", ".", "..")


def test_different_tags_never_share_a_directory() -> None:
    """Escaping is one to one."""
    tags = ["a/b", "a%2fb", "a%252fb", "a\\b", "a%5cb", "a%b", "a%25b"]
    assert len({_entry(tag).directory for tag in tags}) == len(tags)


_MAT = np.zeros((4, 2))
_IMAGES = np.zeros((4, 3, 2, 2), np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mat": np.zeros(4)}, ValueError, r"mat has shape \(4,\); accepted is \(points, dimensions\)"),
        ({"mat": np.array([["a"]])}, TypeError, "mat has elements of type <U1; accepted are numbers"),
        ({"labels": freeze_labels(["a"])}, ValueError, "metadata has 1 labels for 4 points"),
        ({"label_img": _IMAGES[:3]}, ValueError, "label_img has 3 images for 4 points"),
        ({"label_img": _IMAGES[0]}, ValueError, r"label_img has shape \(3, 2, 2\); accepted is"),
        ({"label_img": np.zeros((4, 4, 2, 2))}, ValueError, r"label_img has shape \(4, 4, 2, 2\)"),
        ({"label_img": np.zeros((4, 3, 3, 2))}, ValueError, "2 x 3 pixels: 4 of them, taller than wide"),
        ({"label_img": np.zeros((4, 3, 0, 2))}, ValueError, r"label_img has shape \(4, 3, 0, 2\)"),
        ({"entry": _entry("..")}, ValueError, "tag is '..'; accepted are tags that can name a directory"),
        ({"entry": _entry("\udc80")}, ValueError, "which UTF-8 cannot hold"),
        ({"entry": _entry("x" * 300)}, ValueError, "longer than 255 bytes"),
    ],
)
def test_check_names_what_is_wrong(arguments: Any, error: type[Exception], message: str) -> None:
    """Arguments that do not fit each other are refused by name, with what was given."""
    with pytest.raises(error, match=message):
        check_embedding(**{"entry": _entry(), "mat": _MAT, **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((5,), TypeError, r"^metadata must be a sequence, with a label for each point, or None, got int: 5$"),
        ((np.array(5),), TypeError, r"^metadata must be a sequence, .*, got ndarray: array\(5\)$"),
        (
            (None, 5),
            TypeError,
            r"^metadata_header must be a sequence of the columns' names, or None, got int: 5$",
        ),
        (
            ([10, 20], ["digit"]),
            TypeError,
            r"^metadata\[0\] must be a row of labels, one for each .*, got int: 10$",
        ),
        (([[1], 2], ["digit"]), TypeError, r"^metadata\[1\] must be a row of labels, .*, got int: 2$"),
        (
            ([[1, 2]], ["a"]),
            ValueError,
            r"^metadata\[0\] has 2 labels for 1 columns of metadata_header: \[1, 2\]$",
        ),
        (([[1], [1, 2]], ["a"]), ValueError, r"^metadata\[1\] has 2 labels for 1 columns of metadata_header"),
        (([(1, 2), ()], ["a", "b"]), ValueError, r"^metadata\[1\] has 0 labels for 2 columns .*: \(\)$"),
    ],
)
def test_labels_that_are_none_say_what_is_wrong(arguments: Any, error: type[Exception], message: str) -> None:
    """The argument or the row, what was given, and what is accepted; rows of different lengths are refused."""
    with pytest.raises(error, match=message):
        freeze_labels(*arguments)


_ROWS: list[Any] = [
    [[1, 2], [3, 4]],
    [(1, "a"), (2, "b")],
    [None, 1.5],
    [b"x", True],
    list(np.eye(2)),
    np.eye(2),
    "ab",
]


@pytest.mark.parametrize("metadata", [*_ROWS, ((1, 2), (3, 4)), np.array([1, 2])], ids=repr)
def test_labels_of_any_type_equal_torchs(torch_run: Any, metadata: Any) -> None:
    """Without a header, each point's label is what `str` makes of it, a list's and a tuple's too."""
    run, mat = torch_run(), np.eye(2)
    run.writer.add_embedding(mat, metadata)
    assert embedding(_entry(metadata=metadata), mat, freeze_labels(metadata)).files == run.files()


@pytest.mark.parametrize("header", [["x", "y"], ("x", 2), "xy"], ids=repr)
def test_rows_of_any_type_equal_torchs(torch: Any, torch_run: Any, header: Any) -> None:
    """Under a header, a row may be any iterable, such as an array, a tensor or a str; its elements are printed."""
    mat = np.eye(2)
    for rows in (list(np.eye(2)), list(torch.eye(2)), ["ab", "cd"], [{"a": 1, "b": 2}, (1, None)]):
        run = torch_run()
        run.writer.add_embedding(mat, rows, metadata_header=list(header))
        assert embedding(_entry(metadata=rows), mat, freeze_labels(rows, header)).files == run.files()


def test_labels_are_those_of_the_call() -> None:
    """What happens to lists and arrays afterwards is not seen."""
    rows = [np.array([1, 2]), [3, 4]]
    labels = freeze_labels(rows, ["a", "b"])
    rows[0][0] = rows[1][1] = 9
    assert labels is not None
    assert (labels.lines, labels.points, labels.nbytes) == (["a\tb", "1\t2", "3\t4"], 2, 9)


def test_line_breaks_in_labels_are_reported() -> None:
    """A label of two lines is written as torch writes it, and the user is told what that does."""
    encoded = embedding(_entry(metadata=["a\nb"]), np.zeros((1, 1)), freeze_labels(["a\nb"]))
    assert encoded.files["00000/default/metadata.tsv"] == b"a\nb\n"
    assert "line breaks" in encoded.notes[0]


def test_sprites_too_large_to_show_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond TensorBoard's limit the Projector shows no sprite: it is written, and the user is told."""
    monkeypatch.setattr("tbasync.encode.embedding._SPRITE_LIMIT", 16)
    for width, notes in ((8, 0), (9, 1)):
        images = np.zeros((4, 1, 1, width), np.uint8)
        encoded = embedding(_entry(images=images), np.zeros((4, 1)), label_img=images)
        assert len(encoded.notes) == notes
    assert encoded.notes[0] == "the sprite is 18 pixels wide; the Projector shows up to 16"

"""`read`: series and values, against TensorBoard's own accumulator and against what writers were given."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbasync.files import records
from tbasync.files.reader import DamagedFileWarning, Run, read
from tbasync.wire.message import delimited, key

from .event_bytes import event, header, plugin, record, scalar, session_start, value, version

NAME = "events.out.tfevents.1"


def write(directory: Path, *payloads: bytes, name: str = NAME) -> Path:
    """A run's directory with one file of these events."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(b"".join(map(record, payloads)))
    return directory


def points(run: Run, tag: str) -> list[tuple[int, float, float]]:
    """(step, wall time, value) of a series of scalars."""
    one = run.scalars[tag]
    return list(zip(one.steps.tolist(), one.wall_times.tolist(), one.values.tolist(), strict=True))


def test_a_tag_that_there_is_not(tmp_path: Path) -> None:
    """The error names a similar tag, and the sub-runs, in one of which it may be; `in` and `get` just say no."""
    run = read(write(tmp_path / "run", version(), scalar("train/loss", 1.0)))
    with pytest.raises(KeyError, match=r"no tag 'train/los' in .*run; did you mean 'train/loss'\?"):
        run["train/los"]
    assert "train/los" not in run
    assert (run.get("train/los"), run.get("train/loss", 3)) == (None, run["train/loss"])
    for name in ("acc_valid", "acc_train"):
        write(tmp_path / "run" / name, version(), scalar("acc", 1.0))
    with pytest.raises(KeyError, match=r"no tag 'acc' in .*run; there are sub-runs: acc_train, acc_valid"):
        run["acc"]


def test_scalars(tmp_path: Path) -> None:
    """Steps, wall times and values come as arrays of the promised types, by tag, in the order of the file."""
    run = read(
        write(tmp_path, version(), *(scalar(tag, n / 4, n, 100.0 + n) for n in range(50) for tag in "ba"))
    )
    assert list(run) == ["b", "a"]
    assert run.events == 101
    one = run["a"]
    assert (one.tag, one.kind, one.plugin, len(one)) == ("a", "scalar", "", 50)
    assert (one.steps.dtype, one.wall_times.dtype, one.values.dtype) == (np.int64, np.float64, np.float32)
    assert points(run, "a") == [(n, 100.0 + n, n / 4) for n in range(50)]
    assert run.files == (tmp_path / NAME,)
    assert run.damage == ()


def test_a_file_and_its_directory_read_the_same(tmp_path: Path) -> None:
    """A path to one file, as str or Path, and its directory give the same."""
    write(tmp_path, version(), *(scalar("a", 1.0, n) for n in range(9)))
    runs = [read(path) for path in (tmp_path, str(tmp_path), tmp_path / NAME)]
    assert [points(run, "a") for run in runs] == [points(runs[0], "a")] * 3


def test_files_are_read_by_name(tmp_path: Path) -> None:
    """The files of a run come in the order of their names; what TensorBoard passes over is passed over."""
    for name, step in (
        ("z.tfevents", 3),
        ("a.tfevents.2", 1),
        ("b.tfevents", 2),
        ("tfevents.profile-empty", 9),
        ("x", 9),
    ):
        write(tmp_path, version(), scalar("a", 1.0, step), name=name)
    (tmp_path / "d.tfevents").mkdir()
    run = read(tmp_path)
    assert [path.name for path in run.files] == ["a.tfevents.2", "b.tfevents", "z.tfevents"]
    assert run["a"].steps.tolist() == [1, 2, 3]


def test_nothing_to_read(tmp_path: Path) -> None:
    """A missing path and a directory without event files are errors; the latter names the runs below it."""
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing")
    write(tmp_path / "sub", version())
    with pytest.raises(FileNotFoundError, match=r"no event files in .*; there are runs below it: .*sub"):
        read(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    """A file without a byte is a run without series."""
    run = read(write(tmp_path))
    assert (len(run), run.events, run.graph) == (0, 0, None)
    assert repr(run).startswith("<Run ")


def test_repr_tells_what_there_is(tmp_path: Path) -> None:
    """A run's repr has a line for each series, up to forty; a series' one says kind, count, steps, last."""
    run = read(
        write(tmp_path, version(), *(scalar("loss", 0.5, n) for n in range(1500)), scalar("one", 2.0, 7))
    )
    assert repr(run["loss"]) == "<scalar 'loss': 1,500 values, steps 0 to 1,499, last 0.5>"
    assert repr(run).splitlines()[0].endswith("1 file, 1,502 events")
    assert repr(run).splitlines()[2] == "  scalar 'one': 1 value, step 7, last 2>"
    many = read(write(tmp_path, *(scalar(f"tag{n}", 1.0, n) for n in range(100))))
    assert len(repr(many).splitlines()) == 41
    assert "and 61 more" in repr(many)


def test_damage_is_told_and_skipped(tmp_path: Path) -> None:
    """Events behind damage are read, with a warning and a list of what was left out."""
    good = record(version()) + record(scalar("a", 1.0, 1))
    (tmp_path / NAME).write_bytes(good + b"junk" + record(b"\x16") + record(scalar("a", 2.0, 2)))
    with pytest.warns(DamagedFileWarning, match="at byte"):
        run = read(tmp_path)
    assert run["a"].values.tolist() == [1.0, 2.0]
    assert run.events == 3
    assert [(path.name, finding.kind) for path, finding in run.damage] == [
        (NAME, "length-crc"),
        (NAME, "protobuf"),
    ]


def test_a_torn_tail_is_silent(tmp_path: Path) -> None:
    """A live file's unfinished last record is no damage."""
    (tmp_path / NAME).write_bytes(
        record(version()) + record(scalar("a", 1.0, 1)) + header(500) + b"unfinished"
    )
    run = read(tmp_path)
    assert len(run["a"]) == 1
    assert run.damage == ()


def test_new_style_scalars(tmp_path: Path) -> None:
    """Scalars stored as tensors are scalars by their plugin, also where only the first value states it."""
    single = delimited(8, b"\x08\x01" + delimited(5, struct.pack("<f", 0.25)))
    double = delimited(8, b"\x08\x02" + delimited(6, struct.pack("<d", 0.1)))
    content = delimited(8, b"\x08\x01\x12\x00" + delimited(4, struct.pack("<f", 0.5)))
    integer = delimited(8, b"\x08\x09" + delimited(10, b"\x07"))
    named = plugin("scalars")
    run = read(
        write(
            tmp_path,
            version(),
            *(
                event(n, 1.0, delimited(5, value("single", single, named if n == 0 else b"")))
                for n in range(20)
            ),
            *(event(n, 1.0, delimited(5, value("double", double, named))) for n in range(20)),
            *(event(n, 1.0, delimited(5, value("plain", double))) for n in range(20)),
            event(1, 1.0, delimited(5, value("mixed", content, named))),
            event(2, 1.0, delimited(5, value("mixed", integer))),
            event(1, 1.0, delimited(5, value("class", content, b"\x20\x01"))),
        )
    )
    assert run["single"].values.tolist() == [0.25] * 20
    assert run["single"].values.dtype == np.float32
    assert run["double"].values.tolist() == [0.1] * 20
    assert run["mixed"].values.tolist() == [0.5, 7.0]
    assert run["class"].values.tolist() == [0.5]
    assert run["plain"].kind == "tensor"
    assert [array.item() for array in run["plain"].values] == [0.1] * 20
    assert list(run.scalars) == ["single", "double", "mixed", "class"]
    assert run["single"].plugin == "scalars"


def test_one_tag_of_several_kinds(tmp_path: Path) -> None:
    """Where a tag has several kinds of values, each is a series, and the tag alone means the scalars."""
    histogram = delimited(5, value("a", delimited(5, b"\x09" + bytes(8))))
    run = read(write(tmp_path, version(), event(3, 1.0, histogram), scalar("a", 1.0, 4)))
    assert (len(run), list(run)) == (1, ["a"])
    assert run["a"].kind == "scalar"
    assert run.scalars["a"].steps.tolist() == [4]
    assert run.histograms["a"].steps.tolist() == [3]
    with pytest.raises(ValueError, match="kind must be one of"):
        run.of_kind("scalars")


def test_values_without_tag_are_tensorboards(tmp_path: Path) -> None:
    """An old tensor without tag goes by its node's name."""
    run = read(
        write(
            tmp_path,
            event(1, 1.0, delimited(5, delimited(1, delimited(7, b"node"), delimited(8, b"\x08\x01")))),
        )
    )
    assert list(run) == ["node"]


def test_what_else_a_run_holds(tmp_path: Path) -> None:
    """The graph, run metadata, and metadata of tags without values."""
    run = read(
        write(
            tmp_path,
            version(),
            event(0, 1.0, delimited(4, b"old graph")),
            event(0, 1.0, delimited(4, b"graph")),
            event(0, 1.0, delimited(8, delimited(1, b"step1"), delimited(2, b"meta"))),
            event(0, 1.0, delimited(5, value("_hparams_/x", b"", plugin("hparams", b"content")))),
            event(0, 1.0, delimited(5, value("_hparams_/x", b"", plugin("second")))),
            event(0, 1.0, delimited(5, value("t", b"", delimited(2, b"Name") + delimited(3, b"What it is")))),
        )
    )
    assert (run.graph, run.run_metadata) == (b"graph", {"step1": b"meta"})
    assert (run.metadata["_hparams_/x"].plugin, run.metadata["_hparams_/x"].content) == (
        "hparams",
        b"content",
    )
    assert (run.metadata["t"].display_name, run.metadata["t"].description) == ("Name", "What it is")
    assert len(run) == 0


def test_several_scalars_in_one_event(tmp_path: Path) -> None:
    """All values of an event are read, in their order, also of one tag."""
    inner = [
        value(tag, key(2, 5) + struct.pack("<f", number)) for tag, number in (("a", 1), ("b", 2), ("a", 3))
    ]
    run = read(write(tmp_path, version(), *(event(n, 1.0, delimited(5, *inner)) for n in range(30))))
    assert run["a"].values.tolist() == [1.0, 3.0] * 30
    assert run["b"].steps.tolist() == list(range(30))


def test_every_float32_is_read(tmp_path: Path) -> None:
    """Infinities, subnormals, zeros and NaNs of every kind, signalling ones too, are read without a warning."""
    bits = [0x7F800000, 0xFF800000, 1, 0x80000000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7F7FFFFF]
    inner = [value("a", key(2, 5) + struct.pack("<I", one)) for one in bits]
    for times in (1, 20):
        run = read(write(tmp_path, version(), *(event(1, 1.0, delimited(5, one)) for one in inner * times)))
        expected = np.array(bits * times, "<u4").view("<f4")
        np.testing.assert_array_equal(run["a"].values, expected)
        assert np.array_equal(np.signbit(run["a"].values), np.signbit(expected))


def test_large_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records longer than a window are read as others are."""
    monkeypatch.setattr(records, "WINDOW", 64)
    image = delimited(4, b"\x08\x02\x10\x03" + delimited(4, bytes(5000)))
    run = read(
        write(tmp_path, version(), event(5, 1.0, delimited(5, value("i", image))), scalar("a", 1.0, 6))
    )
    assert (run.images["i"].values[0].height, run.images["i"].values[0].width) == (2, 3)
    assert run.images["i"].values[0].data == bytes(5000)
    assert run["a"].steps.tolist() == [6]


PURGE: list[tuple[str, list[bytes], list[int]]] = [
    (
        "a restart",
        [version(), *(scalar("a", 1.0, n) for n in range(10)), session_start(4), scalar("a", 2.0, 4)],
        [0, 1, 2, 3, 4],
    ),
    ("a start that hides nothing", [version(), session_start(0), scalar("a", 1.0, 0)], [0]),
    (
        "two restarts",
        [
            version(),
            *(scalar("a", 1.0, n) for n in range(10)),
            session_start(8),
            scalar("a", 1.0, 8),
            session_start(3),
            scalar("a", 1.0, 5),
        ],
        [0, 1, 2, 5],
    ),
    ("steps back without a start", [version(), scalar("a", 1.0, 5), scalar("a", 1.0, 3)], [5, 3]),
    (
        "steps back in an old file",
        [version(text=b"brain.Event:1"), *(scalar("a", 1.0, n) for n in range(6)), scalar("a", 1.0, 3)],
        [0, 1, 2, 3],
    ),
    (
        "an old file of two tags",
        [scalar("a", 1.0, 5), scalar("b", 1.0, 6), scalar("b", 1.0, 2), scalar("a", 1.0, 7)],
        [5, 7],
    ),
    ("a start in an old file", [scalar("a", 1.0, 5), session_start(2)], [5]),
    ("no version at all", [version(text=b"nonsense"), scalar("a", 1.0, 5), scalar("a", 1.0, 4)], [4]),
    (
        "a version that comes late",
        [scalar("a", 1.0, 5), scalar("a", 1.0, 4), version(), scalar("a", 1.0, 3)],
        [4, 3],
    ),
    ("the highest step", [version(), scalar("a", 1.0, 2**63 - 1), session_start(2**63 - 1)], []),
]


@pytest.mark.parametrize(("name", "payloads", "steps"), PURGE, ids=[row[0] for row in PURGE])
def test_purge(tmp_path: Path, name: str, payloads: list[bytes], steps: list[int]) -> None:
    """What a restart hides is left out, exactly as TensorBoard's accumulator does; or kept, if so asked."""
    write(tmp_path, *payloads)
    run = read(tmp_path)
    assert (run["a"].steps.tolist() if "a" in run else []) == steps
    everything = read(tmp_path, purge=False)
    assert len(everything["a"]) == sum(b"\x0a\x01a" in payload for payload in payloads)
    assert (
        accumulated(tmp_path).get("a", []) == [tuple(row) for row in points(run, "a")] if "a" in run else True
    )


def accumulated(directory: Path) -> dict[str, list[tuple[int, float, float]]]:
    """Tag -> (step, wall time, value) of every scalar that TensorBoard's accumulator keeps."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    everything = dict.fromkeys(module.DEFAULT_SIZE_GUIDANCE, 0)
    found = module.EventAccumulator(str(directory), size_guidance=everything).Reload()
    rows = {
        tag: [(e.step, e.wall_time, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }
    return {tag: kept for tag, kept in rows.items() if kept}


steps = st.integers(-3, 12)
happenings = st.one_of(
    st.builds(scalar, st.sampled_from("ab"), st.floats(0, 1, width=32), steps),
    st.builds(scalar, st.sampled_from("ab"), st.floats(0, 1, width=32), steps),
    st.builds(session_start, st.integers(0, 12)),
    st.builds(
        lambda tags, step: event(step, 1.0, delimited(5, *(value(tag, b"") for tag in tags))),
        st.text("ab", min_size=1, max_size=3),
        steps,
    ),
    st.sampled_from(
        [version(), version(text=b"brain.Event:1"), event(3, 1.0), event(5, 1.0, delimited(4, b"g"))]
    ),
)


@given(st.lists(st.lists(happenings, max_size=25), min_size=1, max_size=3), st.sampled_from([60, 1 << 20]))
@settings(max_examples=100, deadline=None)
def test_runs_equal_tensorboards(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[bytes]], window: int
) -> None:
    """Whatever happens in a run's files, the scalars shown are those of TensorBoard's accumulator."""
    directory = tmp_path_factory.mktemp("run")
    for number, payloads in enumerate(files):
        write(directory, *payloads, name=f"events.out.tfevents.{number}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "WINDOW", window)
        run = read(directory)
    assert {tag: points(run, tag) for tag in run.scalars} == accumulated(directory)


@pytest.mark.slow
@pytest.mark.torch
def test_what_torch_writes(tmp_path: Path) -> None:
    """Every kind that torch's writer writes comes back as what it was given."""
    pytest.importorskip("torch")
    from torch.utils.tensorboard import SummaryWriter

    numbers = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    picture = np.random.default_rng(2).integers(0, 256, (3, 5, 4), np.uint8)
    sound = np.linspace(-0.5, 0.5, 800, dtype=np.float32)
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(300):
            writer.add_scalar("loss", 1 / (step + 1), step, walltime=1000.0 + step)
            writer.add_scalar("new", step / 7, step, new_style=True)
            writer.add_scalar("double", step / 7, step, new_style=True, double_precision=True)
        writer.add_histogram("weights", numbers, 3)
        writer.add_image("picture", picture, 4)
        writer.add_audio("sound", sound[None], 5, sample_rate=8000)
        writer.add_text("note", "größer *als* 3", 6)
        writer.add_tensor("tensor", __import__("torch").arange(6.0).reshape(2, 3), 7)
        writer.add_pr_curve("pr", np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.3]), 8)
    run = read(tmp_path)
    assert points(run, "loss") == [(n, 1000.0 + n, np.float32(1 / (n + 1))) for n in range(300)]
    assert run["new"].values.tolist() == [np.float32(n / 7) for n in range(300)]
    assert run["double"].values.tolist() == [n / 7 for n in range(300)]
    compare_values(run, numbers, picture, sound)
    assert accumulated(tmp_path)["loss"] == points(run, "loss")


def compare_values(run: Run, numbers: Any, picture: Any, sound: Any) -> None:
    """The values of other kinds than scalars, one of each."""
    weights = run.histograms["weights"].values[0]
    assert weights.num == 1000
    assert weights.bucket.sum() == 1000
    assert len(weights.bucket) == len(weights.bucket_limit)
    assert weights.sum_squares == pytest.approx(float((numbers.astype(float) ** 2).sum()))
    image = run.images["picture"].values[0]
    assert (image.height, image.width, image.colorspace) == (5, 4, 3)
    assert np.array_equal(image.pixels(), picture.transpose(1, 2, 0))
    clip = run.audio["sound"].values[0]
    assert (clip.sample_rate, clip.num_channels, clip.content_type) == (8000.0, 1, "audio/wav")
    with wave.open(io.BytesIO(clip.data)) as opened:
        assert opened.getnframes() == len(sound)
    assert run.texts["note/text_summary"].values[0] == "größer *als* 3"
    assert np.array_equal(run.tensors["tensor"].values[0], np.arange(6.0).reshape(2, 3))
    assert run.tensors["pr"].values[0].shape == (6, 127)
    assert run["pr"].plugin == "pr_curves"


@pytest.mark.slow
def test_a_million_scalars_in_about_a_second(tmp_path: Path) -> None:
    """A file of a million scalars is read in about a second of processor time."""
    import time

    block = [
        scalar(tag, 0.5, step) for step in range(1, 10_001) for tag in ("loss", "accuracy", "rate", "norm")
    ]
    (tmp_path / NAME).write_bytes(record(version()) + b"".join(map(record, block)) * 25)
    begun = time.process_time()
    run = read(tmp_path)
    assert time.process_time() - begun < 4  # generous: other work shares the machine's caches
    assert {len(series) for series in run.values()} == {250_000}

"""What is wrong in a way that is cheap to see raises at the call, and disturbs nothing else."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbasync import SummaryWriter
from tbasync.proto import Event

from ..support.plain_reader import events, scalars

STEP = "global_step must"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SummaryWriter]:
    """A writer in use; after the test it is sound, and nothing but what was right is in its file."""
    made = SummaryWriter(tmp_path)
    made.add_scalar("before", 1.0, 1)
    yield made
    made.add_scalar("after", 2.0, 2)
    assert made.flush()
    stats = made.stats()
    assert (stats.failed, stats.dropped, stats.waiting, stats.last_error) == (0, 0, 0, None)
    assert stats.pushed == stats.written == 2
    made.close()
    assert scalars(tmp_path) == {"before": [(1, 1.0)], "after": [(2, 2.0)]}
    assert len(events(tmp_path)) == 3


BAD_TAGS = [None, 1, 1.5, b"tag", ["tag"], object()]
BAD_STEPS = [
    *(1.5, float("nan"), float("inf"), np.float64(1.5), np.array(1.0), 1j),
    *("1", b"1", [1], np.array([1, 2]), object()),
]
BAD_SIZED_STEPS = [2**63, -(2**63) - 1, 10**30, np.uint64(2**64 - 1)]
BAD_SCALARS = [
    ("x", TypeError),
    (None, TypeError),
    (1j, TypeError),
    (np.complex64(1), TypeError),
    (np.array(1j), TypeError),
    ([1.0, 2.0], ValueError),
    (np.zeros(2), ValueError),
    (np.zeros((1, 2)), ValueError),
    (np.zeros(0), ValueError),
    (np.array("x"), TypeError),
    (np.array(None), TypeError),
    (object(), TypeError),
    (10**400, ValueError),
    ({"a": 1}, TypeError),
    (b"x", TypeError),
]


@pytest.fixture(scope="module", autouse=True)
def figure() -> None:
    """Completes the arguments below; without matplotlib any figure is refused before its tag."""
    with contextlib.suppress(ImportError):
        from matplotlib.figure import Figure

        OTHERS["figure"] = Figure()


def required(method: str) -> list[str]:
    """The arguments that a method cannot do without."""
    parameters = inspect.signature(getattr(SummaryWriter, method)).parameters
    return [name for name, each in parameters.items() if name != "self" and each.default is each.empty]


# All public methods that take a tag, and what it is called there.
TAGGED = [
    (name, parameter)
    for name, method in inspect.getmembers(SummaryWriter, inspect.isfunction)
    if not name.startswith("_")
    for parameter in inspect.signature(method).parameters
    if parameter in ("tag", "main_tag")
]

# What they want besides. A method with another argument has no value for it here until somebody adds one.
OTHERS: dict[str, Any] = {
    **dict.fromkeys(("snd_tensor", "values", "tensor", "precision", "recall"), np.zeros(4)),
    **dict.fromkeys(("labels", "predictions"), np.ones(4)),
    **dict.fromkeys(("true_positive_counts", "false_positive_counts"), np.ones(4)),
    **dict.fromkeys(("true_negative_counts", "false_negative_counts"), np.ones(4)),
    **dict.fromkeys(("min", "max", "num", "sum", "sum_squares"), 1),
    **dict.fromkeys(("bucket_limits", "bucket_counts"), np.ones(1)),
    "img_tensor": np.zeros((3, 4, 4)),
    "img_tensor of add_images": np.zeros((1, 3, 4, 4)),
    "box_tensor": np.zeros((1, 4)),
    "mat": np.eye(2),
    "vertices": np.zeros((1, 2, 3)),
    "vid_tensor": np.zeros((1, 1, 3, 4, 4)),
    "scalar_value": 1.0,
    "tag_scalar_dict": {"x": 1.0},
    "text_string": "text",
}


def test_methods_with_a_tag_are_found() -> None:
    """The test below cannot lose its methods."""
    assert {("add_scalar", "tag"), ("add_scalars", "main_tag"), ("add_embedding", "tag")} <= set(TAGGED)
    assert len(TAGGED) >= 16


@pytest.mark.parametrize("tag", BAD_TAGS, ids=repr)
def test_a_tag_that_is_no_string(writer: SummaryWriter, tag: Any) -> None:
    """TypeError, naming the argument and what was given, for every method."""
    for name, parameter in TAGGED:
        if name == "add_figure" and "figure" not in OTHERS:
            continue
        for options in ({}, {"new_style": True}) if name == "add_scalar" else ({},):
            others = [each for each in required(name) if each != parameter]
            arguments = {each: OTHERS.get(f"{each} of {name}", OTHERS[each]) for each in others}
            with pytest.raises(TypeError, match=f"^{parameter} must be a str, got"):
                getattr(writer, name)(**arguments, **{parameter: tag}, **options)
    if tag.__hash__ is not None:
        with pytest.raises(TypeError, match="each key of metrics must be a str, got"):
            writer.log_metrics({"good": 1.0, tag: 1.0}, 1)
        with pytest.raises(TypeError, match="each key of tag_scalar_dict must be a str, got"):
            writer.add_scalars("main", {"good": 1.0, tag: 1.0}, 1)


@pytest.mark.parametrize("step", BAD_STEPS, ids=repr)
def test_a_step_that_is_no_integer(writer: SummaryWriter, step: Any) -> None:
    """TypeError with what is accepted."""
    with pytest.raises(TypeError, match=f"{STEP} be an integer"):
        writer.add_scalar("t", 1.0, step)
    with pytest.raises(TypeError, match=r"^step must be an integer"):
        writer.log_metrics({"t": 1.0}, step)
    with pytest.raises(TypeError, match=f"{STEP} be an integer"):
        writer.add_scalars("t", {"x": 1.0}, step)
    with pytest.raises(TypeError, match=f"{STEP} be an integer"):
        writer.add_text("t", "text", step)


@pytest.mark.parametrize("step", BAD_SIZED_STEPS, ids=repr)
def test_a_step_beyond_64_bits(writer: SummaryWriter, step: Any) -> None:
    """ValueError with the step."""
    for value in (1.0, 1):
        with pytest.raises(ValueError, match=f"{STEP} fit a signed 64-bit integer, got {int(step)}"):
            writer.add_scalar("t", value, step)


@pytest.mark.parametrize(("value", "error"), BAD_SCALARS, ids=repr)
def test_a_value_that_is_no_scalar(writer: SummaryWriter, value: Any, error: type[Exception]) -> None:
    """TypeError or ValueError that names the argument, or the metric."""
    with pytest.raises(error, match="scalar_value"):
        writer.add_scalar("t", value, 1)
    with pytest.raises(error, match="the value of 'bad'"):
        writer.log_metrics({"good": 1.0, "bad": value}, 1)
    with pytest.raises(error, match="the value of 'bad'"):
        writer.add_scalars("main", {"good": 1.0, "bad": value}, 1)


def test_torch_values_that_are_no_scalars(writer: SummaryWriter) -> None:
    """Several elements, none, complex; steps that are no integers."""
    torch = pytest.importorskip("torch")
    for value in (torch.zeros(2), torch.zeros(0), torch.zeros(1, 2)):
        with pytest.raises(ValueError, match="scalar_value must have one element"):
            writer.add_scalar("t", value, 1)
    with pytest.raises(TypeError, match="scalar_value must be real"):
        writer.add_scalar("t", torch.zeros((), dtype=torch.complex64), 1)
    for step in (torch.tensor(1.0), torch.tensor([1, 2])):
        with pytest.raises((TypeError, ValueError), match=STEP):
            writer.add_scalar("t", 1.0, step)


@pytest.mark.parametrize("walltime", ["now", [], 1j, object(), 10**400], ids=repr)
def test_a_wall_time_that_is_no_number(writer: SummaryWriter, walltime: Any) -> None:
    """TypeError with what is accepted."""
    with pytest.raises(TypeError, match="walltime must be a number of seconds"):
        writer.add_scalar("t", 1.0, 1, walltime)


@pytest.mark.parametrize("metrics", [5, None, "ab", [1, 2], object()], ids=repr)
def test_metrics_that_are_no_mapping(writer: SummaryWriter, metrics: Any) -> None:
    """TypeError, and nothing of them is logged."""
    with pytest.raises(TypeError, match="must be a mapping"):
        writer.log_metrics(metrics, 1)
    with pytest.raises(TypeError, match="must be a mapping"):
        writer.add_scalars("main", metrics, 1)


@pytest.mark.parametrize("key", ["/../../x", "\0", "\ud800"], ids=repr)
def test_a_key_that_would_lead_out_of_the_run(writer: SummaryWriter, key: str) -> None:
    """ValueError, and none of the values is logged."""
    with pytest.raises(ValueError, match="cannot name a run"):
        writer.add_scalars("main", {"good": 1.0, key: 1.0}, 1)
    assert not (Path(writer.log_dir) / "main_good").exists()


def test_a_file_writer_takes_messages(writer: SummaryWriter) -> None:
    """Anything else is a TypeError that names the argument."""
    files = writer.file_writer
    assert files is not None
    with pytest.raises(TypeError, match="event must be a protobuf message, got str"):
        files.add_event("event")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="summary must be a protobuf message, got dict"):
        files.add_summary({})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="graph_profile"):
        files.add_graph((1, 2))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"{STEP} be an integer"):
        files.add_summary(Event().summary, 1.5)


GOOD_STEPS = [
    (None, 0),
    (0, 0),
    (-1, -1),
    (True, 1),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (np.int8(-5), -5),
    (np.uint64(7), 7),
    (np.array(3), 3),
    (np.array([3]), 3),
    (8.0, 8),
    (np.float32(9), 9),
]


def test_what_is_taken_as_a_step(tmp_path: Path) -> None:
    """Integers of any kind, and floats that equal one, in the common call and in the others."""
    with SummaryWriter(tmp_path) as writer:
        for step, _ in GOOD_STEPS:
            writer.add_scalar("float", 1.0, step)
            writer.add_scalar("int", 1, step)
            writer.log_metrics({"metric": 1}, step)
    for tag in ("float", "int", "metric"):
        assert [point.step for point in scalars(tmp_path)[tag]] == [number for _, number in GOOD_STEPS]


def test_what_is_taken_as_a_torch_step(tmp_path: Path) -> None:
    """Integer tensors of one element."""
    torch = pytest.importorskip("torch")
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("t", 1.0, torch.tensor(4))
        writer.add_scalar("t", 1.0, torch.tensor([5], dtype=torch.int16))
    assert [point.step for point in scalars(tmp_path)["t"]] == [4, 5]


GOOD_SCALARS = [1, True, False, 1.5, -0.0, "2.5", np.float16(0.5), np.int64(3), np.bool_(True), np.array(7.5)]
GOOD_SCALARS += [np.array([[8.5]]), [9.5], math.inf, -math.inf, 1e300, 1e-300, 2**70]


def test_what_is_taken_as_a_scalar(tmp_path: Path) -> None:
    """Real numbers of any kind; those beyond float32 are infinite, NaN is a value like another."""
    with SummaryWriter(tmp_path) as writer:
        for step, value in enumerate([*GOOD_SCALARS, math.nan]):
            writer.add_scalar("t", value, step)
            writer.add_scalar("new", value, step, new_style=True)
    found = [point.value for point in scalars(tmp_path)["t"]]
    with np.errstate(over="ignore"):
        expected = [float(np.float32(np.asarray(value, np.float64).reshape(()))) for value in GOOD_SCALARS]
    assert found[:-1] == expected
    assert math.isnan(found[-1])


# -- construction ------------------------------------------------------------------------------------------


def test_a_log_dir_that_is_a_file(tmp_path: Path) -> None:
    """OSError at once, and the file stays as it is; likewise below a file."""
    file = tmp_path / "file"
    file.write_text("precious")
    for path in (file, file / "below"):
        with pytest.raises(OSError, match=r"[Ff]ile exists|Not a directory"):
            SummaryWriter(path)
    assert file.read_text() == "precious"


def test_a_log_dir_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OSError at construction, not in a thread later."""
    proc = Path("/proc/sys/kernel")
    if proc.is_dir():  # where not even root may create a file
        with pytest.raises(OSError, match=r"denied|No such file|not permitted|Read-only"):
            SummaryWriter(proc)
    (tmp_path / "locked").mkdir(mode=0o500)
    if os.geteuid():
        with pytest.raises(PermissionError):
            SummaryWriter(tmp_path / "locked")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"interval": -1}, ValueError, "interval must be 0 to"),
        ({"interval": math.nan}, ValueError, "interval must be 0 to"),
        ({"interval": math.inf}, ValueError, "interval must be 0 to"),
        ({"interval": "1"}, TypeError, "interval must be a number of seconds"),
        ({"capacity": 0}, ValueError, "capacity must be at least 1"),
        ({"capacity": 1.5}, TypeError, "capacity must be an int"),
        ({"device_capacity": -1}, ValueError, "device_capacity must be at least 1"),
        ({"max_items": 0}, ValueError, "max_items must be at least 1"),
        ({"max_items": True}, TypeError, "max_items must be an int"),
        ({"max_items": None}, TypeError, "max_items must be an int"),
        ({"on_full": "wait"}, ValueError, "on_full must be one of 'block', 'drop_newest'"),
        ({"on_full": None}, ValueError, "on_full must be one of"),
        ({"on_full": []}, ValueError, "on_full must be one of"),
        ({"on_error": "ignore"}, ValueError, 'on_error must be "warn", "raise" or a callable'),
        ({"filename_suffix": 1}, TypeError, "filename_suffix must be a str"),
        ({"filename_suffix": "/../x"}, ValueError, "filename_suffix must be part of a name"),
        ({"filename_suffix": "\0"}, ValueError, "filename_suffix must be part of a name"),
        ({"purge_step": 1.5}, TypeError, "must be an integer"),
        ({"purge_step": 2**63}, ValueError, "64-bit"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str) -> None:
    """Named, with what is accepted, before a directory is made."""
    with pytest.raises(error, match=message):
        SummaryWriter(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_log_dir_of_a_wrong_type() -> None:
    """TypeError, as of os.fspath."""
    with pytest.raises(TypeError):
        SummaryWriter(5)  # type: ignore[arg-type]


RAW = {"min": 0, "max": 1, "num": 2, "sum": 1, "sum_squares": 1, "bucket_limits": [1], "bucket_counts": [2]}


@pytest.mark.parametrize("name", ["min", "max", "num", "sum", "sum_squares"])
@pytest.mark.parametrize(("value", "error"), [(np.zeros(2), ValueError), (1j, TypeError), ("x", TypeError)])
def test_moments_of_a_raw_histogram(
    writer: SummaryWriter, name: str, value: Any, error: type[Exception]
) -> None:
    """Each has to be one real number, and the message names it."""
    with pytest.raises(error, match=f"^{name} must "):
        writer.add_histogram_raw("h", **{**RAW, name: value})


@pytest.mark.parametrize("profile", [5, None, [], (b"",), "x"], ids=repr)
def test_a_graph_that_is_no_pair_of_messages(writer: SummaryWriter, profile: Any) -> None:
    """The file writer's TypeError names the argument, what was given and what is accepted."""
    assert writer.file_writer is not None
    with pytest.raises(TypeError, match=r"^graph_profile must be a pair .* a GraphDef and .*, got "):
        writer.file_writer.add_graph(profile)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0], r"^tag_scalar_dict must be a mapping of str to numbers, got list: \[1\.0\]"),
        ({1: 2.0}, r"^each key of tag_scalar_dict must be a str, got int: 1"),
        (None, r"^tag_scalar_dict must be a mapping .*, got NoneType"),
    ],
)
def test_scalars_that_are_no_mapping_of_str(writer: SummaryWriter, given: Any, message: str) -> None:
    """`add_scalars` names its argument, or the key that is at fault."""
    with pytest.raises(TypeError, match=message):
        writer.add_scalars("main", given)


@pytest.mark.parametrize("bins", [None, 1.5, object()], ids=["None", "1.5", "object"])
def test_bins_of_another_type(writer: SummaryWriter, bins: Any) -> None:
    """The message lists everything that is accepted."""
    with pytest.raises(
        TypeError, match=r"bins must be one of tensorflow, .*sturges, an integer .*, or edges"
    ):
        writer.add_histogram("h", [1.0], bins=bins)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_that_are_not_dense_numbers(writer: SummaryWriter) -> None:
    """Quantized, sparse and packed tensors are refused with what to call first."""
    torch = pytest.importorskip("torch")
    quantized = torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)
    with pytest.raises(TypeError, match=r"values must not be quantized, got dtype .*\.dequantize\(\) first"):
        writer.add_histogram("h", quantized)
    with pytest.raises(TypeError, match=r"values must be a dense tensor, .*\.to_dense\(\) first"):
        writer.add_histogram("h", torch.ones(4).to_sparse())
    if hasattr(torch, "float4_e2m1fn_x2"):
        packed = torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
        with pytest.raises(TypeError, match=r"values must hold one number an element, got dtype .*float4"):
            writer.add_histogram("h", packed)


@pytest.mark.parametrize(
    ("walltime", "error"),
    [
        ("5", TypeError),
        (b"5", TypeError),
        ("now", TypeError),
        (object(), TypeError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (np.float32(-math.inf), ValueError),
    ],
    ids=repr,
)
def test_wall_times(writer: SummaryWriter, walltime: Any, error: type[Exception]) -> None:
    """A wall time is a finite number, for every way to give one."""
    files = writer.file_writer
    assert files is not None
    calls: list[Callable[[], object]] = [
        lambda: writer.add_scalar("t", 1.0, 1, walltime),
        lambda: writer.log_metrics({"t": 1.0}, 1, walltime),
        lambda: writer.add_text("t", "text", 1, walltime),
        lambda: files.add_event(Event(step=1), 1, walltime),
        lambda: writer.use_metadata(walltime=walltime).__enter__(),
    ]
    for call in calls:
        with pytest.raises(error, match=r"^walltime must be "):
            call()


@pytest.mark.parametrize("given", ["x", None, [10]], ids=repr)
@pytest.mark.parametrize("name", ["max_queue", "flush_secs", "write_to_disk"])
def test_compatible_options_of_wrong_types(tmp_path: Path, name: str, given: Any) -> None:
    """What has no effect here, or is a switch, is checked all the same: a mix-up of arguments is told."""
    with pytest.raises(TypeError, match=f"^{name} must be a (number|bool), got {type(given).__name__}"):
        SummaryWriter(tmp_path / "run", **{name: given})
    assert not (tmp_path / "run").exists()


def test_two_directories(tmp_path: Path) -> None:
    """`log_dir` and `logdir` may not name two directories; one may be given twice, as wrappers do."""
    with pytest.raises(TypeError, match=r"log_dir and logdir are two names .*a' and '.*b'"):
        SummaryWriter(str(tmp_path / "a"), logdir=str(tmp_path / "b"))
    assert not list(tmp_path.iterdir())
    SummaryWriter(tmp_path / "a", logdir=str(tmp_path / "a")).close()

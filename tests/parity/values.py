"""What the calls of the table are given: strategies for arguments that both sides take and keep.

Arguments that depend on each other, such as a picture and its `dataformats`, come together, as a dict of some
of a method's arguments by name.
"""

from __future__ import annotations

import string
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from .stand_ins import write_onnx

torch = pytest.importorskip("torch")

Arguments = st.SearchStrategy[dict[str, Any]]


@dataclass(frozen=True)
class Fresh:
    """An argument that is made anew for each call, since a call may use it up."""

    make: Callable[[], Any]


def merged(*parts: Arguments) -> Arguments:
    """All arguments of the parts together."""
    return st.tuples(*parts).map(lambda drawn: {name: v for part in drawn for name, v in part.items()})


def some(**optional: st.SearchStrategy[Any]) -> Arguments:
    """Any of these arguments, or none."""
    return st.fixed_dictionaries({}, optional=optional)


def all_of(**required: st.SearchStrategy[Any]) -> Arguments:
    """All of these arguments."""
    return st.fixed_dictionaries(required)


_RNG_SEEDS = st.integers(0, 2**16)
_CHARACTERS = st.characters(exclude_categories=["Cs"])

TEXTS = st.text(_CHARACTERS, max_size=20)
TAGS = st.sampled_from(["loss", "train/loss", "a b", "é/ü", "/leading", "100%", "x" * 300]) | st.text(
    _CHARACTERS, max_size=12
)
CLEAN_TAGS = st.text(string.ascii_letters + string.digits + "_-.", min_size=1, max_size=8) | st.sampled_from(
    ["train/loss", "é.ü", "a/b/c-d"]
)
TITLES = st.sampled_from(["", "t", "a title", "ünïcode"])
# What can name a run's directory.
KEYS = st.text(string.ascii_letters + string.digits + "_-é", min_size=1, max_size=8)
RUN_NAMES = KEYS | st.sampled_from(["a/b", "a b"])

STEPS = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(0, 2**30)
    | st.integers(0, 2**30).map(np.int64)
    | st.integers(0, 200).map(np.uint8)
    | st.integers(0, 2**30).map(torch.tensor)
    | st.booleans()
)
WALL_TIMES = (
    st.none() | st.floats(0, 1e9) | st.integers(0, 10**9) | st.floats(0, 1e9, width=32).map(np.float32)
)


# -- numbers ---------------------------------------------------------------------------------------------------


def either(array: np.ndarray[Any, Any]) -> st.SearchStrategy[Any]:
    """The array, or a tensor of the same elements: with a gradient, not contiguous, or plain."""
    ways = [lambda: array, lambda: torch.tensor(array)]
    if array.ndim > 1:
        ways.append(lambda: torch.tensor(np.ascontiguousarray(array.T)).permute(*range(array.ndim)[::-1]))
        ways.append(lambda: np.asfortranarray(array))
    if array.dtype.kind == "f":
        ways.append(lambda: torch.tensor(array, requires_grad=True))
    return st.sampled_from(ways).map(lambda way: way())


_FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 1e-45, 3.4028235677973366e38, float("nan"), float("inf")])
_INTS = st.integers(-(2**63), 2**63 - 1)
_ONE = st.sampled_from([(), (1,), (1, 1)])
_ONES = (
    st.tuples(st.sampled_from(["f2", "f4", "f8", "i1", "i4", "i8", "u1", "bool"]), _ONE)
    .flatmap(lambda pair: hnp.arrays(*pair))
    .flatmap(either)
)
SCALARS = (
    _FLOATS
    | _INTS
    | st.booleans()
    | _FLOATS.map(np.float64)
    | st.floats(width=32).map(np.float32)
    | st.integers(-100, 100).map(np.int8)
    | _ONES
)
SCALARS_OF_TORCH = (
    SCALARS
    | st.floats(-1e4, 1e4).map(str)
    | st.floats(1, 1e4).map(lambda value: torch.tensor(value, dtype=torch.bfloat16))
)


# -- histograms and curves -------------------------------------------------------------------------------------

_DTYPES = ["float16", "float32", "float64", "bool", "int8", "uint8", "int16", "int32", "int64"]
_SMALL_SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)


def _finite(dtype: str) -> st.SearchStrategy[Any] | None:
    # Values from which sums stay exact or equal, within the default edges.
    if dtype.startswith("float"):
        return st.floats(-6e4, 6e4, width=int(dtype[5:])) | st.sampled_from([0.0, -0.0, 1.0, 1e-7])  # type: ignore[arg-type]
    return st.integers(-(2**40), 2**40) if dtype == "int64" else None


_VALUES = st.sampled_from(_DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, _SMALL_SHAPES, elements=_finite(dtype))
)
# Numbers that no rule of numpy's makes more than a few thousand buckets of.
_TAME = hnp.arrays("float64", _SMALL_SHAPES, elements=st.integers(-1000, 1000).map(lambda i: i / 8))
_EDGES = st.lists(st.integers(-100, 100), min_size=2, max_size=9, unique=True).map(sorted)
_RULES = st.sampled_from(["auto", "doane", "fd", "rice", "scott", "sqrt", "sturges"])


@st.composite
def _within(draw: st.DrawFn) -> dict[str, Any]:
    """Edges, and values that are within them."""
    edges = draw(_EDGES)
    values = draw(hnp.arrays("float32", 7, elements=st.floats(edges[0], edges[-1], width=32)))
    return {"values": values, "bins": draw(st.sampled_from([edges, np.array(edges, float), tuple(edges)]))}


HISTOGRAMS = (
    merged(
        all_of(values=_VALUES.flatmap(either)),
        some(max_bins=st.integers(1, 2000), bins=st.just("tensorflow")),
    )
    | merged(
        all_of(values=_TAME.flatmap(either), bins=_RULES | st.integers(1, 40)),
        some(max_bins=st.integers(1, 30)),
    )
    | merged(_within(), some(max_bins=st.integers(1, 30)))
)


@st.composite
def _raw_histograms(draw: st.DrawFn) -> dict[str, Any]:
    size = draw(st.integers(0, 8))
    numbers = st.floats(-1e300, 1e300) | st.integers(-(2**50), 2**50)
    limits = sorted(draw(st.lists(st.floats(-1e300, 1e300), min_size=size, max_size=size)))
    counts = draw(st.lists(st.integers(0, 2**50), min_size=size, max_size=size))
    as_array = draw(st.booleans())
    return {
        **draw(all_of(min=numbers, max=numbers, num=st.integers(0, 2**50), sum=numbers, sum_squares=numbers)),
        "bucket_limits": np.array(limits) if as_array else limits,
        "bucket_counts": np.array(counts, np.int64) if as_array else counts,
    }


RAW_HISTOGRAMS = _raw_histograms()


@st.composite
def _pr_curves(draw: st.DrawFn) -> dict[str, Any]:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=30))
    random = np.random.default_rng(draw(_RNG_SEEDS))
    labels = random.random(shape) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    predictions = random.random(shape).astype(draw(st.sampled_from(["float32", "float64"])))
    predictions[random.random(shape) < 0.2] = draw(st.sampled_from([0.0, 0.5, 1.0]))
    some_weights = [2.5, random.random(shape), np.array(3)]
    return {
        "labels": draw(either(labels.astype(draw(st.sampled_from(["bool", "int64", "float32"]))))),
        "predictions": draw(either(predictions)),
        **draw(some(num_thresholds=st.integers(2, 127), weights=st.none() | st.sampled_from(some_weights))),
    }


PR_CURVES = _pr_curves()

_ROWS = ("true_positive_counts", "false_positive_counts", "true_negative_counts", "false_negative_counts")


@st.composite
def _raw_pr_curves(draw: st.DrawFn) -> dict[str, Any]:
    size = draw(st.integers(1, 9))
    counts, shares = st.integers(0, 2**20), st.floats(0, 1)
    rows = {name: draw(hnp.arrays("int64", size, elements=counts)) for name in _ROWS}
    rows |= {name: draw(hnp.arrays("float64", size, elements=shares)) for name in ("precision", "recall")}
    as_list = draw(st.booleans())
    return {
        **{name: row.tolist() if as_list else row for name, row in rows.items()},
        **draw(some(num_thresholds=st.just(size), weights=st.none() | st.just(1.0))),
    }


RAW_PR_CURVES = _raw_pr_curves()


# -- pictures and sounds -----------------------------------------------------------------------------------------

_SIZES = {"N": (1, 10), "C": (1, 3), "H": (1, 5), "W": (1, 5), "T": (1, 3)}
_ORDERS = [
    *map("".join, permutations("HW")),
    *map("".join, permutations("CHW")),
    *map("".join, permutations("NCHW")),
    "chw",
]


@st.composite
def _pictures(draw: st.DrawFn, kinds: list[str], low: float, high: float, orders: list[str]) -> Any:
    """A picture and the order of its dimensions."""
    order = draw(st.sampled_from(orders))
    channels = st.sampled_from([1, 3, 4]) if len(order) == 3 else st.sampled_from([1, 3])
    shape = tuple(draw(channels if c in "Cc" else st.integers(*_SIZES[c.upper()])) for c in order)
    dtype = np.dtype(draw(st.sampled_from(kinds)))
    elements = st.floats(low, high, width=8 * dtype.itemsize) if dtype.kind == "f" else None  # type: ignore[arg-type]
    return draw(hnp.arrays(dtype, shape, elements=elements).flatmap(either)), order


def _images(kinds: list[str], low: float, high: float, default: str) -> Arguments:
    any_order = _pictures(kinds, low, high, _ORDERS).map(
        lambda pair: {"img_tensor": pair[0], "dataformats": pair[1]}
    )
    return any_order | _pictures(kinds, low, high, [default]).map(lambda pair: {"img_tensor": pair[0]})


def images(default: str) -> Arguments:
    """Pictures as torch takes them: values beyond 0 to 1 are clipped."""
    return _images(["uint8", "float32", "float64", "bool", "int16"], -0.5, 1.5, default)


def images_within(default: str) -> Arguments:
    """Pictures as tensorboardX takes them: values are in 0 to 1."""
    return _images(["uint8", "float32", "bool"], 0, 1, default)


_LISTS = st.tuples(st.sampled_from(["CHW", "HWC"]), st.sampled_from(["uint8", "float32"]), _RNG_SEEDS).map(
    lambda t: {"img_tensor": [_random((3, 3, 3), t[1], t[2] + i) for i in range(4)], "dataformats": t[0]}
)
LISTS_OF_IMAGES = _LISTS | _LISTS.map(lambda a: {**a, "img_tensor": list(map(torch.tensor, a["img_tensor"]))})


def _random(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed).random(shape)
    return (random * 255 if dtype == "uint8" else random).astype(dtype)


@st.composite
def _boxes(draw: st.DrawFn, kinds: list[str]) -> dict[str, Any]:
    """A picture, boxes on it, and a label for each."""
    shapes = {"CHW": (3, 25, 30), "HWC": (25, 30, 3), "HW": (25, 30), "NCHW": (3, 1, 12, 12)}
    order = draw(st.sampled_from(sorted(shapes)))
    picture = _random(shapes[order], draw(st.sampled_from(kinds)), draw(_RNG_SEEDS))
    dtype = draw(st.sampled_from(["float32", "float64", "int64"]))
    numbers = st.integers(-5, 40) if dtype == "int64" else st.floats(-5, 40, width=32)
    boxes = draw(hnp.arrays(dtype, (draw(st.integers(0, 3)), 4), elements=numbers))
    texts = st.lists(st.sampled_from(["a", "cat 0.9", ""]), min_size=len(boxes), max_size=len(boxes))
    arguments = {
        "img_tensor": picture,
        "box_tensor": boxes,
        **draw(some(labels=st.none() | texts, rescale=st.sampled_from([1, 0.5, 1.37]))),
    }
    if order != "CHW" or draw(st.booleans()):
        arguments["dataformats"] = order
    return arguments


BOXES = _boxes(["uint8", "float32"])


def _figure(seed: int) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 0.8))
    figure.add_subplot().plot(np.random.default_rng(seed).random(5))
    return figure


FIGURES = merged(
    all_of(
        figure=_RNG_SEEDS.map(lambda seed: Fresh(lambda: _figure(seed)))
        | _RNG_SEEDS.map(lambda seed: Fresh(lambda: [_figure(seed), _figure(seed + 1)]))
    ),
    some(close=st.booleans()),
)


@st.composite
def _videos(draw: st.DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 3])), 3, 4)
    video = _random(shape, draw(st.sampled_from(["uint8", "float32"])), draw(_RNG_SEEDS))
    return {"vid_tensor": draw(either(video)), **draw(some(fps=st.sampled_from([1, 4, 24, 2.5])))}


VIDEOS = _videos()


@st.composite
def _ordered_videos(draw: st.DrawFn) -> dict[str, Any]:
    order = draw(st.permutations("NTCHW").map("".join))
    arguments = draw(_videos())
    video = np.asarray(torch.as_tensor(arguments["vid_tensor"]).detach())
    video = video.transpose(["NTCHW".index(letter) for letter in order])
    return {**arguments, "vid_tensor": video, "dataformats": order}


ORDERED_VIDEOS = VIDEOS | _ordered_videos()

_RATES = st.sampled_from([8000, 22050, 44100, 1, 96000])


def _sounds(shapes: st.SearchStrategy[Any], kinds: list[str]) -> Arguments:
    arrays = st.tuples(st.sampled_from(kinds), shapes).flatmap(
        lambda pair: hnp.arrays(
            *pair,
            elements=st.floats(-1, 1, width=8 * np.dtype(pair[0]).itemsize)  # type: ignore[arg-type]
            if pair[0][0] == "f"
            else st.integers(-1, 1),
        )
    )
    return merged(all_of(snd_tensor=arrays.flatmap(either)), some(sample_rate=_RATES))


SOUNDS = _sounds(
    st.integers(2, 40).flatmap(lambda n: st.sampled_from([(n,), (1, n), (n, 1)])), ["f4", "f8", "i2"]
)
STEREO = _sounds(st.integers(3, 40).flatmap(lambda n: st.sampled_from([(n,), (n, 1), (n, 2)])), ["f4", "f8"])


# -- structures --------------------------------------------------------------------------------------------------

_TORCH_DTYPES = ["float32", "float64", "int8", "int16", "int32", "int64", "bool", "complex64", "complex128"]
TENSORS = all_of(
    tensor=st.sampled_from(_TORCH_DTYPES)
    .flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    )
    .map(lambda array: torch.tensor(array))
)


@st.composite
def _meshes(draw: st.DrawFn) -> dict[str, Any]:
    batch, count = draw(st.integers(1, 2)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(_RNG_SEEDS))
    vertices = random.normal(size=(batch, count, 3)).astype(draw(st.sampled_from(["float32", "float64"])))
    colors = random.integers(0, 256, (batch, count, 3)).astype(draw(st.sampled_from(["uint8", "int64"])))
    faces = random.integers(0, count, (batch, draw(st.integers(1, 4)), 3))
    configs = [{"camera": {"cls": "PerspectiveCamera", "fov": 75}, "b": [1, None, "é"]}, {}]
    optional = some(
        colors=st.none() | either(colors),
        faces=st.none() | either(faces),
        config_dict=st.sampled_from(configs),
    )
    return {"vertices": draw(either(vertices)), **draw(optional)}


MESHES = _meshes()

_LABELS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=5)
_CELLS = _LABELS | st.integers() | st.floats() | st.none() | st.booleans()


def _labels(points: int) -> st.SearchStrategy[Any]:
    """A label for each point, in any form that torch takes without a header."""
    several = st.lists(_CELLS, min_size=2, max_size=2)
    label = _CELLS | several | several.map(tuple) | st.binary(max_size=3)
    listed = st.lists(label, min_size=points, max_size=points)
    numbers = hnp.arrays(st.sampled_from(["int64", "float32", "bool"]), (points,))
    pairs = hnp.arrays("int8", (points, 2))
    tensors = st.sampled_from([torch.arange(points), torch.ones(points, 2)])
    text = st.text("abc", min_size=points, max_size=points)
    return listed | listed.map(tuple) | numbers | numbers.map(list) | pairs | pairs.map(list) | tensors | text


@st.composite
def _rows_of_labels(draw: st.DrawFn, points: int) -> dict[str, Any]:
    """A row for each point under a header, in any form that torch takes: a list of iterables."""
    columns = draw(st.integers(1, 3))
    cells = st.lists(_CELLS, min_size=columns, max_size=columns)
    numbers = hnp.arrays(st.sampled_from(["int64", "float32"]), (columns,))
    text = st.text("abc", min_size=columns, max_size=columns)
    row = cells | cells.map(tuple) | numbers | numbers.map(torch.from_numpy) | text
    header = st.lists(_LABELS, min_size=columns, max_size=columns) | st.just("xyz"[:columns])
    rows = st.lists(row, min_size=points, max_size=points)
    return draw(all_of(metadata=rows, metadata_header=header))


@st.composite
def _embeddings(draw: st.DrawFn) -> dict[str, Any]:
    points = draw(st.integers(1, 6))
    mat = draw(hnp.arrays(draw(st.sampled_from(["float32", "float64", "int64"])), (points, 3)))
    arguments = {"mat": draw(either(mat))}
    if draw(st.booleans()):
        arguments |= draw(_rows_of_labels(points))
    else:
        arguments |= draw(some(metadata=st.none() | _labels(points), metadata_header=st.none() | st.just([])))
    if draw(st.booleans()):
        shape = (points, draw(st.sampled_from([1, 3])), 4, 4)
        arguments["label_img"] = torch.tensor(_random(shape, "float32", draw(_RNG_SEEDS)))
    return {**arguments, **draw(some(global_step=st.none() | st.integers(0, 10**7)))}


_TAGS = ["default", "a/b", "100%", "é", "with space"]
PLAIN_EMBEDDINGS = merged(_embeddings(), some(tag=st.sampled_from(_TAGS)))
EMBEDDINGS = merged(_embeddings(), some(tag=st.sampled_from([*_TAGS, "back\\slash", 'quoted"'])))

_SERIES = st.lists(TEXTS, max_size=3)
_MARGIN = st.lists(TEXTS, min_size=3, max_size=3)
_CHARTS = st.tuples(st.just("Multiline"), _SERIES).map(list) | st.tuples(st.just("Margin"), _MARGIN)
_CHART = some(category=TITLES, title=TITLES)
LAYOUTS = all_of(layout=st.dictionaries(TITLES, st.dictionaries(TITLES, _CHARTS, max_size=2), max_size=2))
MULTILINE_CHARTS = merged(all_of(tags=_SERIES), _CHART)
MARGIN_CHARTS = merged(all_of(tags=_MARGIN), _CHART)


class _Net(torch.nn.Module):  # type: ignore[misc,name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
        self.head = torch.nn.Linear(4, 2, bias=False)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x)).softmax(1)


@cache
def _models() -> list[Any]:
    torch.manual_seed(0)
    return [
        _Net(),
        torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten()),
    ]


GRAPHS = merged(
    st.sampled_from([0, 1]).map(
        lambda i: {"model": _models()[i], "input_to_model": torch.ones([(2, 3), (2, 1, 5, 5)][i])}
    ),
    some(verbose=st.just(False), use_strict_trace=st.booleans()),
)

# -- hyperparameters and files -----------------------------------------------------------------------------------

_NAMES = st.text(_CHARACTERS, max_size=6)
_NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
_METRICS = st.dictionaries(
    _NAMES, _NUMBERS | st.just(torch.tensor(1.5)) | st.just(np.float32(0.1)), max_size=3
)
_HPARAMS = st.dictionaries(_NAMES, st.none() | _NUMBERS | _NAMES, max_size=4)


@st.composite
def _trials(draw: st.DrawFn) -> dict[str, Any]:
    hparams = draw(_HPARAMS)
    arguments = {"hparam_dict": hparams, "metric_dict": draw(_METRICS)}
    if draw(st.booleans()):
        same = {int: st.integers(-9, 9), float: st.floats(allow_nan=False), str: _NAMES}
        arguments["hparam_domain_discrete"] = {
            name: draw(st.lists(same[type(value)], max_size=3))
            for name, value in hparams.items()
            if value is not None and draw(st.booleans())
        }
    return arguments


TRIALS = merged(_trials(), some(run_name=st.none() | RUN_NAMES, global_step=STEPS))
NAMED_TRIALS = merged(
    all_of(
        hparam_dict=st.dictionaries(_NAMES, st.none() | st.booleans() | _NUMBERS | _NAMES | st.just(len)),
        metric_dict=st.dictionaries(CLEAN_TAGS, _NUMBERS | st.just(torch.tensor(1.5)), max_size=3),
    ),
    some(name=st.none() | RUN_NAMES, global_step=st.none()),
)

_OPENVINO = """<net><layers><layer id="0" name="x" type="Parameter"/><layer id="1" name="body/add" type="Add"/>
<layer id="2" name="y" type="Result"/></layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
<edge from-layer="1" from-port="2" to-layer="2" to-port="0"/></edges></net>"""


@cache
def _folder() -> Any:
    return tempfile.TemporaryDirectory(prefix="tbasync-parity-")


def model_file(name: str) -> str:
    """The path of a model's file, for the stand-in of onnx or for OpenVINO."""
    path = Path(_folder().name) / name
    if not path.exists():
        if name.endswith(".onnx"):
            write_onnx(path)
        else:
            path.write_text(_OPENVINO)
    return str(path)

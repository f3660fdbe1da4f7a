"""One table of calls: for every public method of the originals' writers, a strategy that makes calls of it.

`torch_calls()` and `tensorboardx_calls()` give the table of either original, by method. The calls are within
what that original takes and keeps; what tbasync does otherwise is not in here but in `test_differences`. Use:

    @given(script=lists(torch_calls()["add_text"]))
    def test(script):
        make(script, torch_writer)
        make(script, any_other_writer)

In which order a method takes its arguments is asked of the original; each call gives a random part of them by
position, the rest by name. Methods that are no calls of this kind are in `NO_CALLS`, with the test they have.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st

from . import values

TorchWriter = pytest.importorskip("torch.utils.tensorboard").SummaryWriter
TensorboardXWriter = pytest.importorskip("tensorboardX").SummaryWriter

Calls = st.SearchStrategy["Call"]

# Methods of tensorboardX's writer that log nothing by themselves, and the test in `test_tensorboardx` of each.
NO_CALLS = {
    "export_scalars_to_json": "test_export_scalars_to_json",
    "use_metadata": "test_use_metadata",
}

# Expensive methods are called less often.
FEW = {"add_figure", "add_graph"}


@dataclass(frozen=True)
class Call:
    """A call that can be made on any writer, and as often as wanted."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def make(self, writer: Any) -> Any:
        """Makes the call; returns its result."""
        args = [_fresh(value) for value in self.args]
        kwargs = {name: _fresh(value) for name, value in self.kwargs.items()}
        with warnings.catch_warnings():
            # torch's tracer is deprecated, and tells about it; numpy about what it is given here.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            return getattr(writer, self.method)(*args, **kwargs)


def make(script: Iterable[Call], writer: Any) -> list[Any]:
    """Makes the calls, closes the writer, and returns the results of the calls."""
    try:
        return [call.make(writer) for call in script]
    finally:
        writer.close()


def public_methods(writer: type) -> set[str]:
    """The names of all methods that users may call, found by introspection."""
    return {name for name, _ in inspect.getmembers(writer, callable) if not name.startswith("_")}


def arguments(method: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a method without `self`."""
    return list(inspect.signature(method).parameters.values())[1:]


def torch_calls(tags: st.SearchStrategy[str] = values.TAGS) -> dict[str, Calls]:
    """Calls of each method of torch's writer, with tags of the given kind."""
    return _table(TorchWriter, {**_common(tags), **_only_torch(tags)})


def tensorboardx_calls(tags: st.SearchStrategy[str] = values.CLEAN_TAGS) -> dict[str, Calls]:
    """Calls of each method of tensorboardX's writer, with tags of the given kind."""
    return _table(TensorboardXWriter, {**_common(tags), **_only_tensorboardx(tags)})


def _table(original: type, given: Mapping[str, values.Arguments]) -> dict[str, Calls]:
    return {
        method: _calls(method, arguments(getattr(original, method)), strategy)
        for method, strategy in given.items()
    }


@st.composite
def _calls(
    draw: st.DrawFn, method: str, parameters: list[inspect.Parameter], strategy: values.Arguments
) -> Call:
    """A call with as many of the drawn arguments by position as chance will have it, the others by name."""
    given = dict(draw(strategy))
    further = set(given) - {parameter.name for parameter in parameters}  # they go through **kwargs
    positional = []
    for parameter in parameters:
        if parameter.name not in given or (further and parameter.default is not parameter.empty):
            break
        if not draw(st.integers(0, 4)):
            break
        positional.append(given.pop(parameter.name))
    return Call(method, tuple(positional), given)


def _fresh(value: Any) -> Any:
    return value.make() if isinstance(value, values.Fresh) else value


_MOMENT = values.some(global_step=values.STEPS, walltime=values.WALL_TIMES)


def _tagged(tags: st.SearchStrategy[str], *parts: values.Arguments) -> values.Arguments:
    return values.merged(values.all_of(tag=tags), *parts, _MOMENT)


def _several(main_tags: st.SearchStrategy[str], keys: st.SearchStrategy[str]) -> values.Arguments:
    scalars = st.dictionaries(keys, values.SCALARS, max_size=3)
    return values.merged(values.all_of(main_tag=main_tags, tag_scalar_dict=scalars), _MOMENT)


def _common(tags: st.SearchStrategy[str]) -> dict[str, values.Arguments]:
    """Methods that take the same in both originals."""
    return {
        "add_histogram": _tagged(tags, values.HISTOGRAMS),
        "add_histogram_raw": _tagged(tags, values.RAW_HISTOGRAMS),
        "add_figure": _tagged(tags, values.FIGURES),
        "add_text": _tagged(tags, values.all_of(text_string=values.TEXTS)),
        "add_graph": values.GRAPHS,
        "add_pr_curve": _tagged(tags, values.PR_CURVES),
        "add_pr_curve_raw": _tagged(tags, values.RAW_PR_CURVES),
        "add_custom_scalars": values.LAYOUTS,
        "add_custom_scalars_multilinechart": values.MULTILINE_CHARTS,
        "add_custom_scalars_marginchart": values.MARGIN_CHARTS,
        "add_mesh": _tagged(tags, values.MESHES),
        "flush": st.just({}),
        "close": st.just({}),
    }


def _only_torch(tags: st.SearchStrategy[str]) -> dict[str, values.Arguments]:
    scalar = values.merged(
        values.all_of(scalar_value=values.SCALARS_OF_TORCH),
        values.some(new_style=st.booleans(), double_precision=st.booleans()),
    )
    return {
        "add_scalar": _tagged(tags, scalar),
        "add_scalars": _several(values.RUN_NAMES, values.RUN_NAMES),
        "add_tensor": _tagged(tags, values.TENSORS),
        "add_image": _tagged(tags, values.images("CHW")),
        "add_images": _tagged(tags, values.images("NCHW")),
        "add_image_with_boxes": _tagged(tags, values.BOXES),
        "add_video": _tagged(tags, values.VIDEOS),
        "add_audio": _tagged(tags, values.SOUNDS),
        "add_embedding": values.EMBEDDINGS,
        "add_hparams": values.TRIALS,
        "add_onnx_graph": st.just({"prototxt": values.model_file("model.onnx")}),
        "get_logdir": st.just({}),
    }


def _only_tensorboardx(tags: st.SearchStrategy[str]) -> dict[str, values.Arguments]:
    scalar = values.merged(
        values.all_of(scalar_value=values.SCALARS),
        values.some(display_name=values.TITLES, summary_description=values.TITLES),
    )
    return {
        "add_scalar": _tagged(tags, scalar),
        "add_scalars": _several(values.KEYS | st.just("a/b"), values.KEYS),
        "add_image": _tagged(tags, values.images_within("CHW")),
        "add_images": _tagged(tags, values.images_within("NCHW") | values.LISTS_OF_IMAGES),
        "add_image_with_boxes": _tagged(tags, values.BOXES),
        "add_video": _tagged(tags, values.ORDERED_VIDEOS),
        "add_audio": _tagged(tags, values.STEREO),
        "add_embedding": values.PLAIN_EMBEDDINGS,
        "add_hparams": values.NAMED_TRIALS,
        "add_onnx_graph": st.just({"onnx_model_file": values.model_file("model.onnx")}),
        "add_openvino_graph": st.just({"xmlname": values.model_file("model.xml")}),
    }

"""The demo's pictures: digits large enough to see, filters in colour, a film of them, the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import CLASSES, Images
from .evaluation import Evaluation

ENLARGED = 6  # screen pixels for one of a digit's 8 × 8
FILTER_SIDE = 48  # screen pixels of one filter, about
GAP = 2  # white pixels around a filter
MOST_FRAMES = 48  # of a film, however long the training was

Colours = NDArray[np.float32]  # [..., 3, H, W], 0 to 1
Boxes = NDArray[np.float32]  # [N, 4]: left, top, right, bottom in pixels


def enlarge(images: NDArray[np.float32], factor: int = ENLARGED) -> NDArray[np.float32]:
    """`images` [..., H, W] with each pixel a square of `factor` × `factor`."""
    return images.repeat(factor, axis=-2).repeat(factor, axis=-1)


def sheet(images: Images, columns: int) -> Images:
    """[N, 1, H, W] -> one image [1, rows * H, columns * W], read like text; N is a multiple of `columns`."""
    _, _, height, width = images.shape
    cells = images.reshape(-1, columns, height, width)
    return cells.swapaxes(1, 2).reshape(1, -1, columns * width)


def boxes_on_sheet(places: Sequence[int], columns: int, side: int) -> Boxes:
    """The outlines of the cells `places` of a sheet whose cells are squares of `side` pixels."""
    rows, column = np.divmod(np.asarray(places, np.int64), columns)
    left_top = np.stack([column, rows], axis=1) * side
    return np.concatenate([left_top, left_top + side - 1], axis=1).astype(np.float32)


def filters_in_colour(filters: NDArray[np.float32]) -> Colours:
    """Weights [..., H, W] -> [..., 3, H', W']: white for 0, red above, blue below, full at the largest."""
    scaled = filters / max(float(np.abs(filters).max()), 1e-12)
    above, below = np.maximum(scaled, 0), np.maximum(-scaled, 0)
    colours = enlarge(1 - np.stack([below, above + below, above], axis=-3), FILTER_SIDE // filters.shape[-1])
    around = [(0, 0)] * (colours.ndim - 2) + [(GAP, GAP)] * 2
    return np.pad(colours, around, constant_values=1)


def film(moments: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """The same filters [F, H, W] at several moments -> films [F, T, 3, H', W'], all on one scale of colours."""
    shown = np.unique(np.linspace(0, len(moments) - 1, MOST_FRAMES).round().astype(int))
    return (255 * filters_in_colour(np.stack([moments[i] for i in shown], axis=1))).astype(np.uint8)


def confusion_figure(evaluation: Evaluation) -> Any | None:
    """A matplotlib figure of the confusion matrix with its counts; None where there is no matplotlib."""
    if find_spec("matplotlib") is None:
        return None
    from matplotlib.figure import Figure

    counts = evaluation.confusion()
    figure = Figure(figsize=(4.6, 4.6), layout="tight")
    axes = figure.add_subplot()
    axes.imshow(np.sqrt(counts), cmap="Blues")  # a single mistake should be seen, too
    for row, column in np.argwhere(counts):
        colour = "white" if row == column else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    axes.set(xlabel="taken for", ylabel="is a", xticks=range(CLASSES), yticks=range(CLASSES))
    axes.set_title(f"test accuracy {evaluation.accuracy:.1%}")
    return figure

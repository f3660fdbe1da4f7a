"""add_figure: matplotlib figures, drawn through the Agg canvas without pyplot -> one PNG in a Summary.

A figure is handed over: `take` on the caller's thread, `figure` on the writer's. matplotlib is not made for
several threads; what was found to break, and what is done about it:

* The parser of mathematical text (labels of log axes, "$x^2$") is one object for the whole process, and
  nothing guards its state: if the loop calls `tight_layout()` while the writer draws, either of them raises
  "Expected end of text" or worse, and a training loop must not end that way. So what the writer draws with
  has a parser of its own. Fonts are no problem, as matplotlib keeps them by thread.
* A lock admits one writer's thread at a time to that parser. Callers never take it.
* Since matplotlib 3.8, `Figure.draw` takes a lock of matplotlib's: a loop that draws a figure itself waits
  while the writer draws one. That is out of tbasync's hands.
* Drawing is Python for the most part, and takes tens of milliseconds. A loop that wants the GIL meanwhile would
  wait for it for a whole switch interval of 5 ms, again and again: while the writer draws, it is shorter.
* The settings (`rcParams`) belong to the process, and some, such as those of ticks, are read only when a
  figure is drawn. If they are not the same then as at the call, the user is told.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakSet

import numpy as np

from .image import encode_pixels, image
from .pixels import Pixels
from .result import Encoded

_LONGEST_SIDE = 2**16 - 1  # pixels, Agg's limit
_RESTYLED = "matplotlib's rcParams changed between call and drawing; close=False draws at the call"

_SWITCH_SECONDS = 200e-6
# Excludes that two writers' threads are in the parser of `_own_parser` at once. Held while a figure is drawn.
_drawing = threading.Lock()
# The switch interval that is to come back when the figure is drawn; None in between.
_usual_switch: float | None = None
# Figures that a writer has been given to keep: the one thing that changes what later calls do.
_handed_over: WeakSet[Any] = WeakSet()


@dataclass(frozen=True)
class TakenFigures:
    """Figures on their way to the writer's thread.

    Attributes:
        figures: to be drawn there; empty if they were drawn at the call.
        pixels: what was drawn at the call, uint8 of shape (N, H, W, 3), or None.
        batch: whether to lay them out as a grid, as a list was given.
        settings: matplotlib's rcParams at the call.
        nbytes: what to count for them in the queue: 4 bytes for each pixel of a canvas.
    """

    figures: tuple[Any, ...]
    pixels: Pixels | None
    batch: bool
    settings: dict[str, Any]
    nbytes: int


def take(figures: Any, close: bool = True) -> TakenFigures:
    """Takes figures over from the caller or, without `close`, draws them at once, as they may still change.

    With `close`, they are closed in pyplot (if that is loaded), as torch's writer does, and are the writer's
    from now on: changing one changes the picture. A figure that comes a second time is obviously in use, and
    so is drawn at once from then on.

    Args:
        figures: a matplotlib figure, or a list or tuple of figures of the same size in pixels.
        close: whether the caller is done with them.

    Raises:
        TypeError: something else was given.
        ValueError: the list is empty, sizes differ, or a side is shorter or longer than Agg can draw.
    """
    batch = isinstance(figures, list | tuple)
    given = tuple(figures) if batch else (figures,)
    width, height = _common_size(given)
    at_once = not close or any(figure in _handed_over for figure in given)
    pixels = np.stack([_draw_for_caller(figure) for figure in given]) if at_once else None
    if close:
        for figure in given:
            _hand_over(figure)
    nbytes = 4 * width * height * len(given)
    return TakenFigures(() if at_once else given, pixels, batch, _settings(), nbytes)


def figure(tag: str, taken: TakenFigures) -> Encoded:
    """One PNG with the pixels that torch's `add_figure` draws: a figure's, or a grid of several."""
    pixels = taken.pixels
    if pixels is None:
        pixels = np.stack([_draw_for_writer(figure) for figure in taken.figures])
    encoded = image(tag, pixels, "NHWC") if taken.batch else encode_pixels(tag, pixels[0])
    if taken.figures and taken.settings != _settings():
        encoded = encoded._replace(notes=(_RESTYLED,))
    return encoded


def _common_size(figures: Sequence[Any]) -> tuple[int, int]:
    """Width and height in pixels of each of `figures`, once they are found to be figures of the same size."""
    module = sys.modules.get("matplotlib.figure")  # where it is not loaded, there is no figure either
    for figure in figures:
        if module is None or not isinstance(figure, module.Figure):
            got = type(figure).__qualname__
            raise TypeError(f"figure must be a matplotlib Figure or a list of such, got {got}")
    sizes = sorted({tuple(map(int, figure.bbox.max)) for figure in figures})
    if len(sizes) != 1:
        raise ValueError(f"figure must be one or more figures of the same size in pixels, got {sizes}")
    width, height = sizes[0]
    if not (1 <= width <= _LONGEST_SIDE and 1 <= height <= _LONGEST_SIDE):
        raise ValueError(f"figure must have sides of 1 to {_LONGEST_SIDE} pixels, got {width}x{height}")
    return width, height


def _hand_over(figure: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # A window's canvas is replaced here, as toolkits want it to be freed on the thread that made it.
    FigureCanvasAgg(figure)
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)
    _handed_over.add(figure)


def _draw_for_caller(figure: Any) -> Pixels:
    """The picture of a figure that stays the caller's, and keeps its canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    try:
        return _rgb(FigureCanvasAgg(figure))
    finally:
        figure.set_canvas(canvas)


def _draw_for_writer(figure: Any) -> Pixels:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with _drawing, _quick_switches():
        canvas = FigureCanvasAgg(figure)
        renderer = canvas.get_renderer()  # kept by the canvas, and so what it draws with
        _isolate(renderer)
        _isolate(getattr(renderer, "_text2path", None))  # draws text with path effects
        return _rgb(canvas)


@contextmanager
def _quick_switches() -> Iterator[None]:
    """Meanwhile a thread that waits for the GIL gets it soon, which is a setting of the whole process."""
    global _usual_switch
    try:
        if _usual_switch is None:  # or else an exception from outside has kept it from coming back
            _usual_switch = sys.getswitchinterval()
        sys.setswitchinterval(min(_usual_switch, _SWITCH_SECONDS))
        yield
    finally:
        _switch_as_usual()


def _switch_as_usual() -> None:
    global _usual_switch
    # Longer than ours, it was set by somebody else meanwhile.
    if _usual_switch is not None and sys.getswitchinterval() < 1.01 * _SWITCH_SECONDS:
        sys.setswitchinterval(_usual_switch)
    _usual_switch = None


def _after_fork_in_child() -> None:
    """The thread that may have been drawing is not there: nobody else would end what it has begun."""
    global _drawing
    _drawing = threading.Lock()
    _own_parser.cache_clear()
    _switch_as_usual()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _isolate(drawer: Any) -> None:
    """Gives what draws text a parser of mathematical text that the rest of the process does not use."""
    if hasattr(drawer, "mathtext_parser"):
        drawer.mathtext_parser.__class__ = _own_parser()


@cache
def _own_parser() -> type[Any]:
    from matplotlib.mathtext import MathTextParser

    # matplotlib keeps the parser proper in this attribute of the class, and makes one where it is None.
    return type("WriterMathTextParser", (MathTextParser,), {"_parser": None})


def _rgb(canvas: Any) -> Pixels:
    """What `canvas` draws, (H, W, 3): as torch's writer does, the alpha channel is cut off, not blended."""
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])


def _settings() -> dict[str, Any]:
    """matplotlib's rcParams, without those that do not change a picture."""
    from matplotlib import rcParams

    # Past RcParams' own methods, which look for a backend where none is set, and copied in one piece.
    settings = dict(dict.items(rcParams))
    for name in ("backend", "interactive"):
        settings.pop(name, None)
    return settings

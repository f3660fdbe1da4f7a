"""Figures of matplotlib."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tbasync.encode import figure as encoder
from tbasync.encode.result import Encoded
from tbasync.proto import Summary

_PARTS = ("lines", "bars", "image", "text")


@pytest.fixture
def plt() -> Iterator[Any]:
    """pyplot with the Agg backend; figures that a test leaves open are closed."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def _figure(plt: Any, seed: int = 0, parts: tuple[str, ...] = _PARTS, **options: Any) -> Any:
    """A figure of up to four plots: log axes, mathematical text, rotated labels, a colour bar."""
    random = np.random.default_rng(seed)
    figure, axes = plt.subplots(1, len(parts), figsize=(2 * len(parts), 2), **options)
    for part, axis in zip(parts, np.atleast_1d(axes), strict=True):
        if part == "lines":
            axis.semilogy(np.exp(random.normal(size=30)), label=r"$\alpha_1$")
            axis.legend()
        elif part == "bars":
            axis.bar(["a", "b"], random.random(2))
            axis.tick_params(axis="x", rotation=40)
        elif part == "image":
            figure.colorbar(axis.imshow(random.random((4, 4))))
        else:
            axis.set_title(rf"$\frac{{{seed}}}{{x^2}}$ ü")
    return figure


def _decoded(summary: bytes) -> tuple[tuple[str, int, int, int], np.ndarray[Any, Any]]:
    (value,) = Summary.FromString(summary).value
    picture = Image.open(io.BytesIO(value.image.encoded_image_string))
    return (value.tag, value.image.height, value.image.width, value.image.colorspace), np.asarray(picture)


def _assert_same(ours: Encoded, theirs: bytes) -> None:
    said, pixels = _decoded(ours.summary)
    their_said, their_pixels = _decoded(theirs)
    assert said == their_said
    np.testing.assert_array_equal(pixels, their_pixels)


def _torch(torch_summary: Any, figures: Any) -> bytes:
    """What torch's add_figure writes."""
    from torch.utils.tensorboard._utils import figure_to_image

    dataformats = "NCHW" if isinstance(figures, list) else "CHW"
    summary = torch_summary.image("t", figure_to_image(figures), dataformats=dataformats)
    data: bytes = summary.SerializeToString()
    return data


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("layout", [None, "tight", "constrained"])
def test_equals_torch(torch_summary: Any, plt: Any, layout: str | None, close: bool) -> None:
    """Drawn by the writer or at the call, a figure has the pixels that torch draws."""
    theirs = _torch(torch_summary, _figure(plt, layout=layout))
    _assert_same(encoder.figure("t", encoder.take(_figure(plt, layout=layout), close)), theirs)


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("count", [1, 9])
def test_list_equals_torch(torch_summary: Any, plt: Any, count: int, close: bool) -> None:
    """Several figures are laid out as torch lays them out."""
    theirs = _torch(torch_summary, [_figure(plt, seed, ("bars",), dpi=40) for seed in range(count)])
    figures = [_figure(plt, seed, ("bars",), dpi=40) for seed in range(count)]
    _assert_same(encoder.figure("t", encoder.take(figures, close)), theirs)
    _assert_same(encoder.figure("t", encoder.take(tuple(figures), False)), theirs)


def test_transparent_background_equals_torch(torch_summary: Any, plt: Any) -> None:
    """What is transparent is drawn as torch does: the alpha channel is cut off."""

    def transparent() -> Any:
        figure = _figure(plt, parts=("bars",), dpi=73)
        figure.patch.set_alpha(0.3)
        return figure

    _assert_same(encoder.figure("t", encoder.take(transparent())), _torch(torch_summary, transparent()))


def test_interactive_mode(torch_summary: Any, plt: Any) -> None:
    """With interactive mode on, where figures redraw themselves, the pixels are the same."""
    theirs = _torch(torch_summary, _figure(plt))
    with plt.ion():
        _assert_same(encoder.figure("t", encoder.take(_figure(plt))), theirs)


def test_close_unregisters(plt: Any) -> None:
    """With close, pyplot forgets the figure at the call; without, it keeps it, canvas included."""
    closed, kept = _figure(plt), _figure(plt)
    canvas = kept.canvas
    encoder.take(closed, close=True)
    encoder.take(kept, close=False)
    assert plt.get_fignums() == [kept.number]
    assert kept.canvas is canvas
    assert plt.gcf() is kept


def test_without_close_the_moment_of_the_call_counts(plt: Any) -> None:
    """A figure that is drawn at the call may be changed at once."""
    figure = _figure(plt)
    expected = encoder.figure("t", encoder.take(figure, close=False))
    taken = encoder.take(figure, close=False)
    figure.axes[0].plot([0, 30], [1, 1])
    assert encoder.figure("t", taken) == expected


def test_figure_that_comes_again(plt: Any) -> None:
    """A figure that is handed over a second time is drawn at the call from then on."""
    figure = _figure(plt, parts=("lines",))
    assert encoder.take(figure).figures == (figure,)
    again = encoder.take(figure)
    assert again.figures == ()
    assert again.pixels is not None
    (line,) = figure.axes[0].lines
    line.set_ydata(np.ones(30))
    assert encoder.figure("t", again) != encoder.figure("t", encoder.take(figure))


def test_bytes_held(plt: Any) -> None:
    """What is counted for figures on their way is the size of their canvases."""
    figures = [_figure(plt, dpi=50), _figure(plt, dpi=50)]
    assert encoder.take(figures).nbytes == 2 * 400 * 100 * 4


def test_changed_settings_are_told(plt: Any) -> None:
    """A figure made in a style context that has been left is told of; switching backends is no such thing."""
    with plt.style.context("fivethirtyeight"):
        taken = encoder.take(_figure(plt))
        at_call = encoder.take(_figure(plt), close=False)
    (note,) = encoder.figure("t", taken).notes
    assert "rcParams changed" in note
    assert encoder.figure("t", at_call).notes == ()
    taken = encoder.take(_figure(plt))
    with plt.ion():
        assert encoder.figure("t", taken).notes == ()


def test_shared_parser_is_not_touched(plt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer does not use the process's parser of mathematical text, nor under path effects."""
    from matplotlib import patheffects
    from matplotlib.mathtext import MathTextParser

    figure = _figure(plt)
    outline = patheffects.withStroke(linewidth=2, foreground="w")
    figure.axes[3].set_xlabel("$y_2$", path_effects=[outline])
    monkeypatch.setattr(MathTextParser, "_parser", "in use by another thread")
    encoder.figure("t", encoder.take(figure))
    assert MathTextParser._parser == "in use by another thread"


def test_one_writer_draws_at_a_time(plt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a writer draws, others are excluded; a caller who draws neither takes nor awaits the lock."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    locked = []
    draw = FigureCanvasAgg.draw

    def watched(canvas: Any) -> None:
        locked.append(encoder._drawing.locked())
        draw(canvas)

    monkeypatch.setattr(FigureCanvasAgg, "draw", watched)
    encoder.figure("t", encoder.take(_figure(plt)))
    encoder.take(_figure(plt), close=False)
    assert locked == [True, False]
    with encoder._drawing:
        encoder.take(_figure(plt, parts=("text",)), close=False)


@pytest.mark.parametrize("elsewhere", [None, 1e-3])
def test_threads_switch_quickly_while_the_writer_draws(
    plt: Any, monkeypatch: pytest.MonkeyPatch, elsewhere: float | None
) -> None:
    """A loop gets the GIL soon meanwhile; then the setting is what it was, unless another thread has changed it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    intervals = []
    draw = FigureCanvasAgg.draw

    def watched(canvas: Any) -> None:
        intervals.append(sys.getswitchinterval())
        draw(canvas)
        if elsewhere is not None:
            sys.setswitchinterval(elsewhere)

    monkeypatch.setattr(FigureCanvasAgg, "draw", watched)
    before = sys.getswitchinterval()
    try:
        encoder.figure("t", encoder.take(_figure(plt)))
        after = sys.getswitchinterval()
    finally:
        sys.setswitchinterval(before)
    assert intervals == [pytest.approx(200e-6, abs=2e-6)]
    assert after == pytest.approx(elsewhere or before, abs=2e-6)


def test_a_drawing_that_fails_leaves_the_switch_interval(plt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what it was; and one that is shorter than the writer's is not made longer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    intervals = []

    def fail(canvas: Any) -> None:
        intervals.append(sys.getswitchinterval())
        raise ValueError("torn")

    monkeypatch.setattr(FigureCanvasAgg, "draw", fail)
    before = sys.getswitchinterval()
    try:
        for usual in (3e-3, 50e-6):
            sys.setswitchinterval(usual)
            with pytest.raises(ValueError, match="torn"):
                encoder.figure("t", encoder.take(_figure(plt)))
            assert sys.getswitchinterval() == pytest.approx(usual, abs=2e-6)
    finally:
        sys.setswitchinterval(before)
    assert intervals == [pytest.approx(200e-6, abs=2e-6), pytest.approx(50e-6, abs=2e-6)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_the_writer_draws(plt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child can draw, and its switch interval is the usual one, though nobody there ends what was begun."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawing, forked = threading.Event(), threading.Event()
    draw = FigureCanvasAgg.draw

    def held(canvas: Any) -> None:
        drawing.set()
        assert forked.wait(60)
        draw(canvas)

    taken, in_child = encoder.take(_figure(plt)), encoder.take(_figure(plt, 1))
    monkeypatch.setattr(FigureCanvasAgg, "draw", held)
    usual = sys.getswitchinterval()
    writer = threading.Thread(target=encoder.figure, args=("t", taken))
    writer.start()
    assert drawing.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # CPython's, of forks while there are threads
        child = os.fork()
    if not child:  # pragma: no cover
        status = 1
        try:
            signal.alarm(30)
            monkeypatch.setattr(FigureCanvasAgg, "draw", draw)
            as_usual = sys.getswitchinterval() == usual
            status = 0 if encoder.figure("t", in_child).summary and as_usual else 2
        finally:
            os._exit(status)
    assert sys.getswitchinterval() < usual
    forked.set()
    writer.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sys.getswitchinterval() == usual


@pytest.mark.slow
@pytest.mark.long
def test_loop_lays_out_figures_while_the_writer_draws(plt: Any) -> None:
    """Neither fails, and no picture is wrong, though threads are switched as often as can be."""
    parts = ("lines", "text")
    expected = [encoder.figure("t", encoder.take(_figure(plt, seed, parts))).summary for seed in range(8)]
    taken = [encoder.take(_figure(plt, seed, parts)) for seed in range(8)]
    drawn: list[bytes] = []

    def write() -> None:
        drawn.extend(encoder.figure("t", each).summary for each in taken)

    writer = threading.Thread(target=write)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        writer.start()
        seed = 100
        while writer.is_alive():
            seed += 1
            _figure(plt, seed, parts).tight_layout()
            plt.close("all")
    finally:
        sys.setswitchinterval(interval)
        writer.join()
    assert drawn == expected


@pytest.mark.slow
def test_pyplot_is_not_imported() -> None:
    """A figure made without pyplot is drawn without it, and the encoder by itself imports no matplotlib."""
    pytest.importorskip("matplotlib")
    script = """
        import sys
        from tbasync.encode.figure import figure, take
        assert not any(name.startswith("matplotlib") for name in sys.modules)
        try:
            take("no figure")
        except TypeError:
            assert "matplotlib" not in sys.modules
        from matplotlib.figure import Figure
        assert figure("t", take(Figure())).summary
        assert figure("t", take([Figure(), Figure()], close=False)).summary
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(script)], check=True)


def test_wrong_types(plt: Any) -> None:
    """Anything but figures is refused by name, and nothing is closed then."""
    figure = _figure(plt)
    for wrong, got in [(None, "NoneType"), (figure.axes[0], "Axes"), (plt, "module"), ([figure, 3], "int")]:
        with pytest.raises(TypeError, match=f"figure must be a matplotlib Figure .*, got {got}"):
            encoder.take(wrong)
    assert plt.get_fignums() == [figure.number]


def test_wrong_sizes(plt: Any) -> None:
    """No figure, figures of different sizes, and what Agg cannot draw are refused, and nothing is closed."""
    figure, other = _figure(plt), _figure(plt, parts=("text",))
    with pytest.raises(ValueError, match=r"figure must be one or more .*same size in pixels, got \[\]"):
        encoder.take([])
    with pytest.raises(ValueError, match=r"figure must be .*got \[\(200, 200\), \(800, 200\)\]"):
        encoder.take([figure, other])
    huge = _figure(plt, parts=("text",), dpi=40_000)
    with pytest.raises(ValueError, match="figure must have sides of 1 to 65535 pixels, got 80000x80000"):
        encoder.take(huge)
    assert plt.get_fignums() == [figure.number, other.number, huge.number]

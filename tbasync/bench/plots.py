"""Plots of what `tbasync bench` found. matplotlib's own figures and Agg, no pyplot: no window, no global state."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from PIL import Image

from .steps import LOADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (7.2, 4.2)  # inches
# The same colour for a writer in every plot; distinguishable for most colour-blind readers.
_COLOURS = {
    "floor": "#999999", "tbasync": "#0072b2", "torch": "#d55e00", "tensorboardX": "#cc79a7",
    "wrap(torch)": "#56b4e9", "wrap(tensorboardX)": "#009e73", "clu": "#e69f00", "tf.summary": "#f0e442",
    "wandb": "#000000",
}  # fmt: skip


def plots(found: Mapping[str, Any], directory: Path) -> list[Path]:
    """Writes the plots that the document has figures for into `directory`, which is made; returns their paths.

    They are PNG files of few colours, some tens of kilobytes each.
    """
    directory.mkdir(parents=True, exist_ok=True)
    drawn = [("latency.png", _latency), ("cpu_per_event.png", _cpu), ("step_time.png", _steps)]
    return [path for name, draw in drawn if (path := _save(found, directory / name, draw))]


def _save(found: Mapping[str, Any], path: Path, draw: Any) -> Path | None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    if not draw(figure.subplots(), found["peers"]):
        return None
    machine = found["machine"]
    figure.supxlabel(
        f"{machine['processor']}, {machine['cpus']} CPUs, {machine['python']}, {found['date'][:10]}; "
        f"{found['rounds']} rounds", fontsize=7, color="#666666",
    )  # fmt: skip
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=150)
    Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def _figures(peers: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    return {name: peer["figures"][key] for name, peer in peers.items() if key in peer["figures"]}


def _latency(axes: Axes, peers: Mapping[str, Any]) -> bool:
    """The share of paced calls that take longer than so much, both axes logarithmic."""
    for name, peer in peers.items():
        if curve := peer.get("curve"):
            # 1 ns stands for what is shorter than the clock can tell, which a logarithm cannot show.
            times = [max(1.0, nanoseconds) for _, nanoseconds in curve]
            axes.plot(times, [1 - share for share, _ in curve], label=name, color=_COLOURS[name])
    axes.set(xscale="log", yscale="log", xlabel="nanoseconds", ylabel="share of calls that take longer")
    axes.set_title("add_scalar at 1,000 steps a second x 20")
    if axes.lines:
        axes.legend()
    return bool(axes.lines)


def _cpu(axes: Axes, peers: Mapping[str, Any]) -> bool:
    """A bar a writer, the rounds' range as its error bar."""
    found = _figures(peers, "cpu/CPU")
    names = list(found)
    medians = [figure["median"] for figure in found.values()]
    below = [figure["median"] - figure["low"] for figure in found.values()]
    above = [figure["high"] - figure["median"] for figure in found.values()]
    if names:
        colours = [_COLOURS[name] for name in names]
        bars = axes.barh(names, medians, xerr=[below, above], color=colours, error_kw={"lw": 1})
        axes.bar_label(bars, [f"{median:.2f}" for median in medians], padding=6)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(xlabel="µs of CPU, all threads and children")
    axes.set_title("CPU per scalar, from the call to the file")
    return bool(names)


def _steps(axes: Axes, peers: Mapping[str, Any]) -> bool:
    """A group of bars a load: without logging, and with each writer's overhead, measured in its own process."""
    idle = _figures(peers, "steps/no logging")
    if not idle:
        return False
    loads = [load for load in LOADS if _figures(peers, f"steps/overhead, {load}").keys() == idle.keys()]
    without = median(figure["median"] for figure in idle.values())
    width, places = 0.8 / (len(idle) + 1), range(len(loads))
    grey = [place - 0.4 + width / 2 for place in places]
    axes.bar(grey, [without] * len(loads), width, label="no logging", color="#cccccc")
    for number, name in enumerate(idle, 1):
        over = [peers[name]["figures"][f"steps/overhead, {load}"]["median"] for load in loads]
        at = [place - 0.4 + (number + 0.5) * width for place in places]
        heights = [without * (1 + percent / 100) for percent in over]
        axes.bar(at, heights, width, label=name, color=_COLOURS[name])
    axes.set_xticks(list(places), loads)
    axes.set(ylabel="µs a step")
    axes.set_title("Training step: 10 scalars; histograms or an image each 10 steps")
    axes.legend()
    return True

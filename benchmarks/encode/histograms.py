"""Rows: histograms of one array, and of every parameter of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorboardX.summary
import torch.utils.tensorboard.summary
from numpy.typing import NDArray

from tbasync.encode.default_bins import default_edges
from tbasync.encode.histogram import check_histogram, histogram

from .measure import Row

Array = NDArray[Any]


def rows() -> Iterator[Row]:
    """Arrays by size, by contents and by type; then networks."""
    rng = np.random.default_rng(0)
    for size in (10, 100, 1_000, 10_000, 100_000, 4_000_000):
        yield _row(f"histogram, {size:,} float32", [rng.standard_normal(size).astype(np.float32)])
    for dtype in (np.float64, np.float16, np.int64):
        values = (rng.standard_normal(1_000_000) * 100).astype(dtype)
        yield _row(f"histogram, 1,000,000 {values.dtype}", [values])
    half = rng.standard_normal(1_000_000).astype(np.float32).clip(0)
    yield _row("histogram, 1,000,000 float32, half zero", [half])
    yield _row("histogram, 10,000 float32, bins=auto", [half[:10_000] + 1], "auto")
    yield _row("histogram, 10,000 float32, 64 bins", [half[:10_000] + 1], 64)
    small, large = list(_parameters(rng, _cifar_resnet())), list(_parameters(rng, _resnet50()))
    yield _row(f"{len(small)} parameters of a CIFAR ResNet, {_millions(small)}", small)
    yield _row(f"{len(large)} parameters of ResNet-50, {_millions(large)}", large)


def _row(name: str, arrays: list[Array], bins: Any = "tensorflow") -> Row:
    torch_summary, tbx_summary = torch.utils.tensorboard.summary, tensorboardX.summary
    theirs = default_edges().tolist() if bins == "tensorflow" else bins
    ours, _ = check_histogram(arrays[0], bins, None)
    return Row(
        name,
        {
            "tbasync": lambda: [histogram("tag", array, ours).summary for array in arrays],
            "torch": lambda: [torch_summary.histogram("tag", array, theirs) for array in arrays],
            "tensorboardX": lambda: [tbx_summary.histogram("tag", array, theirs) for array in arrays],
        },
    )


def _parameters(rng: np.random.Generator, shapes: Iterable[tuple[int, ...]]) -> Iterator[Array]:
    for shape in shapes:
        scale = np.sqrt(2 / max(1, np.prod(shape[1:])))
        yield (rng.standard_normal(shape) * scale).astype(np.float32)


def _millions(arrays: list[Array]) -> str:
    return f"{sum(array.size for array in arrays) / 1e6:.1f} M"


def _conv(before: int, after: int, size: int) -> list[tuple[int, ...]]:
    return [(after, before, size, size), (after,), (after,)]  # weights, then the normalization's two


def _cifar_resnet() -> list[tuple[int, ...]]:
    """The first 200 parameters of the ResNet of 11 blocks a stage, for CIFAR's images (arXiv:1512.03385)."""
    shapes, before = _conv(3, 16, 3), 16
    for width in (16, 32, 64):
        for _ in range(11):
            shapes += _conv(before, width, 3) + _conv(width, width, 3)
            before = width
    return shapes[:200]


def _resnet50() -> list[tuple[int, ...]]:
    """All parameters of the ResNet with 50 layers, for ImageNet (arXiv:1512.03385)."""
    shapes, before = _conv(3, 64, 7), 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            shapes += _conv(before, width, 1) + _conv(width, width, 3) + _conv(width, 4 * width, 1)
            shapes += _conv(before, 4 * width, 1) if block == 0 else []
            before = 4 * width
    return [*shapes, (1000, 2048), (1000,)]

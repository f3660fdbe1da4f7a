"""The mean image of each digit as a landscape, for the Mesh dashboard."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .data import CLASSES, Digits

COLUMNS = 5
MARGIN = 1  # flat pixels around each digit
HEIGHT = 0.2  # of the brightest pixel, where the landscape is 2 wide
SEA, SLOPE, PEAK = (38, 52, 110), (60, 160, 140), (250, 230, 90)  # colours by height


class Relief(NamedTuple):
    """A mesh, each array with a batch of one in front."""

    vertices: NDArray[np.float32]  # [1, V, 3]
    colours: NDArray[np.uint8]  # [1, V, 3], 0 to 255
    faces: NDArray[np.int32]  # [1, F, 3], numbers of vertices


def relief(digits: Digits) -> Relief:
    """Two rows of five digits, each the mean of the training images of its class, as high as they are bright."""
    means = [digits.train_images[digits.train_labels == digit, 0].mean(axis=0) for digit in range(CLASSES)]
    framed = np.pad(np.stack(means), ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    _, height, width = framed.shape
    land = framed.reshape(-1, COLUMNS, height, width).swapaxes(1, 2).reshape(-1, COLUMNS * width)
    rows, columns = np.indices(land.shape)
    scale = 2 / (land.shape[1] - 1)
    x = columns * scale - 1
    y = (land.shape[0] - 1) / 2 * scale - rows * scale
    vertices = np.stack([x, y, HEIGHT * land], axis=-1).reshape(1, -1, 3).astype(np.float32)
    return Relief(vertices, by_height(land).reshape(1, -1, 3), triangles(*land.shape)[np.newaxis])


def by_height(land: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Heights [H, W] from 0 to 1 -> colours [H, W, 3]."""
    channels = [np.interp(land, [0, 0.5, 1], levels) for levels in zip(SEA, SLOPE, PEAK, strict=True)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def triangles(height: int, width: int) -> NDArray[np.int32]:
    """[F, 3]: two triangles, seen counter-clockwise, for each square of a grid of vertices numbered like text."""
    vertex = np.arange(height * width, dtype=np.int32).reshape(height, width)
    top_left, top_right, left, right = vertex[:-1, :-1], vertex[:-1, 1:], vertex[1:, :-1], vertex[1:, 1:]
    upper = np.stack([top_left, left, top_right], axis=-1)
    lower = np.stack([top_right, left, right], axis=-1)
    return np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)])

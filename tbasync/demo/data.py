"""The data: 1,797 handwritten digits that come with scikit-learn, so that nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from .errors import MissingPackage

CLASSES = 10
BRIGHTEST = 16.0  # of a pixel in the data set, where 0 is the background

Images = NDArray[np.float32]  # [N, 1, 8, 8], 0 (background) to 1
Labels = NDArray[np.int64]  # [N], 0 to 9


@dataclass(frozen=True)
class Digits:
    """The digits, shuffled and split: three quarters to learn from, one quarter to be tested on."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels


def load_digits(seed: int) -> Digits:
    """The digits, with a split that depends on `seed` alone. Raises MissingPackage without scikit-learn."""
    if find_spec("sklearn") is None:
        raise MissingPackage("the demo's data comes with scikit-learn: pip install 'tbasync[demo]'")
    from sklearn.datasets import load_digits as load

    raw, labels = load(return_X_y=True)
    images = (raw / BRIGHTEST).astype(np.float32).reshape(-1, 1, 8, 8)
    order = np.random.default_rng(seed).permutation(len(images))
    images, labels = images[order], labels[order].astype(np.int64)
    cut = len(images) * 3 // 4
    return Digits(images[:cut], labels[:cut], images[cut:], labels[cut:])

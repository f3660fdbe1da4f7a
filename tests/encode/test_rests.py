"""Encoders offer the interpreter in the midst of large values, as often as they should, and only where it is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tbasync.encode import embedding, labels
from tbasync.encode import pieces as pieces_module
from tbasync.encode.audio import audio
from tbasync.encode.default_bins import DefaultCounts
from tbasync.encode.gif import encode as encode_gif
from tbasync.encode.histogram import histogram
from tbasync.encode.pieces import PIECE
from tbasync.encode.pixels import to_pixels
from tbasync.encode.png import encode as encode_png
from tbasync.encode.pr_curve import pr_curve
from tbasync.encode.scratch import Scratch
from tbasync.encode.tensor_value import array_bytes
from tbasync.encode.v2_audio import v2_audio
from tbasync.encode.v2_image import v2_images
from tbasync.rests import offer, resting
from tbasync.wire.varints import packed_varints


def _count_grown_piece() -> None:
    with Scratch() as scratch:
        scratch.fit(350_000)
        DefaultCounts().add(np.ones(350_000, np.float32), scratch)


# What is encoded, and the offers that it makes: between pieces, or after each.
CASES: dict[str, tuple[Callable[[], Any], int]] = {
    "histogram": (lambda: histogram("t", np.ones(10 * PIECE)), 9),
    "histogram of a grown piece": (_count_grown_piece, 3),
    "histogram of float16": (lambda: histogram("t", np.ones(350_000, np.float16)), 3),
    "PR curve": (lambda: pr_curve("t", np.ones(200_000, bool), np.ones(200_000, np.float32)), 3),
    "pixels": (lambda: to_pixels(np.zeros((1, 800, 800), np.float32), "CHW"), 4),
    "PNG": (lambda: encode_png(np.zeros((512, 512, 3), np.uint8)), 6),
    "GIF": (lambda: list(encode_gif(np.zeros((5, 8, 8, 3), np.uint8), 4)), 5),
    "audio": (lambda: audio("t", np.zeros(3 << 16)), 2),
    "tensor of floats": (lambda: array_bytes(np.zeros(3 << 16), "<f4"), 3),
    "tensor of integers": (lambda: packed_varints(np.zeros(3 * 4096, np.int64)), 3),
    "embedding": (lambda: list(embedding._rows(np.zeros((3000, 1)))), 3),
    "labels": (lambda: list(labels.tsv(labels.Labels(3000, ["label"] * 3000))), 3),
    "v2 audio": (lambda: v2_audio("t", np.zeros((1, 3 << 16, 1)), 8000, 1), 3),
    "v2 images": (
        lambda: v2_images("t", np.zeros((1, 1024, 512, 1)), 1),
        3 + 3,
    ),  # bands of floats, and of the PNG
}


@pytest.mark.parametrize(("encode", "expected"), CASES.values(), ids=CASES)
def test_offers(encode: Callable[[], Any], expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many; none once the thread has taken back how it rests."""
    monkeypatch.setattr(
        pieces_module.time, "perf_counter", lambda: 0.0
    )  # no piece takes so long that they grow
    offers = []
    with resting(lambda: offers.append(1)):
        encode()
    encode()
    assert len(offers) == expected


def test_only_the_thread_that_said_so_rests() -> None:
    """Not another one, though it be started meanwhile; and one way to rest may lie within another."""
    rests = []
    with resting(lambda: rests.append("outer")):
        thread = threading.Thread(target=offer)
        thread.start()
        thread.join()
        assert rests == []
        with resting(lambda: rests.append("inner")):
            offer()
        offer()
    offer()
    assert rests == ["inner", "outer"]

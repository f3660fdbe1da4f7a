"""The training loop, which is also where the cost of logging is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tbasync import SummaryWriter

from .data import Digits
from .evaluation import evaluate
from .network import Network
from .progress import Progress
from .what_to_log import HParams, Log

BATCH = 32  # images a step
HISTOGRAMS_EVERY = 10  # steps


@dataclass(frozen=True)
class Outcome:
    """What came of a training and what it took."""

    steps: int
    accuracy: float  # on the test digits, 0 to 1
    loop_seconds: float  # from the first step to the last evaluation
    logging_seconds: float  # of these, inside calls of the writer


class Timed:
    """A writer that adds up the time that the loop spends in its methods."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._writer, name)

        def timed(*arguments: Any, **options: Any) -> None:
            started = perf_counter()
            method(*arguments, **options)
            self.seconds += perf_counter() - started

        setattr(self, name, timed)  # the next time it is found without this method
        return timed


def train(
    network: Network, digits: Digits, writer: SummaryWriter, progress: Progress, *, epochs: int, seed: int
) -> Outcome:
    """Train for `epochs` passes over the digits, in an order drawn by `seed`, and log it all to `writer`."""
    timed = Timed(writer)
    log = Log(cast(SummaryWriter, timed), digits, network, settings(network, epochs, seed))
    order = np.random.default_rng(seed)
    steps = epochs * steps_per_epoch(digits)
    started = perf_counter()
    log.at_the_start()
    step = 0
    for _ in range(epochs):
        for batch in batches(digits, order):
            rate = cosine(step, steps) * network.learning_rate
            result = network.step(digits.train_images[batch], digits.train_labels[batch], rate)
            log.every_step(step, result, rate)
            if step % HISTOGRAMS_EVERY == 0:
                log.every_few_steps(step)
            progress.advance()
            step += 1
        evaluation = evaluate(network, digits)
        progress.note(f"test accuracy {evaluation.accuracy:.1%}")
        log.every_epoch(step, evaluation)
    log.at_the_end(step, evaluation)
    return Outcome(step, evaluation.accuracy, perf_counter() - started, timed.seconds)


def settings(network: Network, epochs: int, seed: int) -> HParams:
    return {
        "network": type(network).__name__,
        "learning_rate": network.learning_rate,
        "batch_size": BATCH,
        "epochs": epochs,
        "seed": seed,
    }


def steps_per_epoch(digits: Digits) -> int:
    return math.ceil(len(digits.train_images) / BATCH)


def batches(digits: Digits, order: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The indices of one epoch's batches, each image once; the last batch may be short."""
    shuffled = order.permutation(len(digits.train_images))
    for start in range(0, len(shuffled), BATCH):
        yield shuffled[start : start + BATCH]


def cosine(step: int, steps: int) -> float:
    """The factor of the learning rate at `step` of `steps`: from 1 down to almost 0 along half a cosine."""
    return (1 + math.cos(math.pi * step / steps)) / 2

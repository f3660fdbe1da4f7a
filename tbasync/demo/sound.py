"""The sound of learning: a tone that falls with the loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 8000  # samples a second
STEP_SECONDS = 0.025  # of sound for each training step
LOWEST = 220.0  # Hz, at a loss of 0
HIGHEST_LOSS = 4.0  # nats; above, the pitch stays at 16 times the lowest, below half of RATE
FADE_SECONDS = 0.01  # at either end, so that nothing clicks


def tone(losses: NDArray[np.float64]) -> NDArray[np.float32]:
    """Samples in -1 to 1, RATE a second, for `losses` [N] in nats: an octave higher for each nat.

    The pitch glides from loss to loss, and the phase goes on: the loudness never jumps.
    """
    count = round(len(losses) * STEP_SECONDS * RATE)
    at = np.linspace(0, len(losses) - 1, count)
    pitch = LOWEST * 2 ** np.interp(at, np.arange(len(losses)), np.clip(losses, 0, HIGHEST_LOSS))
    wave = np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
    from_end = np.minimum(np.arange(count), np.arange(count)[::-1])
    return (0.5 * wave * np.minimum(from_end / (FADE_SECONDS * RATE), 1)).astype(np.float32)

"""CRC32C as event files use it: masked, and split into the contribution of every single byte.

A TFRecord stores the CRC32C (Castagnoli, RFC 3720 appendix B.4) of its length and of its data, each
"masked": rotated right by 15 bits plus a constant, so that a CRC of data that holds CRCs stays strong
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/hash/crc32c.h).

A CRC is affine over GF(2): for messages of one length, changing a byte changes the CRC by a value that
depends on that byte and on its distance from the end alone. `contributions()` tabulates those values, so
the CRC of a message that differs from a template in a few bytes costs one look-up for each of them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from crc32c import crc32c

_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bit-reversed: the register shifts right


def masked_crc(data: bytes | bytearray | memoryview) -> int:
    """The masked CRC32C of `data`, 0 <= result < 2**32."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFF_FFFF


def mask(crcs: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Masks an array of CRCs; uint32 arithmetic wraps around, as the format wants it."""
    return (crcs >> np.uint32(15) | crcs << np.uint32(17)) + np.uint32(_MASK_DELTA)


@cache
def contributions(distances: int) -> npt.NDArray[np.uint32]:
    """What each byte contributes to a CRC32C, by its distance from the message's end.

    Args:
        distances: how many distances to tabulate, 1 or more.

    Returns:
        A read-only uint32 array of shape (distances, 256): row k, column b is the CRC register, started
        at zero, after the byte b and k zero bytes.
    """
    table = np.empty((distances, 256), np.uint32)
    register = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        register = register >> np.uint32(1) ^ np.where(register & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    table[0] = register
    for row in range(1, distances):
        table[row] = table[row - 1] >> np.uint32(8) ^ table[0][table[row - 1] & np.uint32(0xFF)]
    table.flags.writeable = False
    return table

"""Identifiers of digits: drawn for each row from its address, since a pool would give the same one to many rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plotsim_core.numerics.random import GOLDEN, Words, mix

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)
"""The two hexadecimal digits of each byte."""
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
"""The digits between the dashes of a UUID."""

IDENTIFIERS = {"md5": 16, "sha1": 20, "sha256": 32, "uuid4": 16}
"""Providers whose values are so many bytes, in hexadecimal digits."""


def ascii_texts(letters: NDArray[np.uint8]) -> pa.Array:
    """Return rows of ASCII codes, shape (rows, width), as texts."""
    rows, width = letters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters)))


def _bytes(stream: np.uint64, address: Words, count: int) -> NDArray[np.uint8]:
    """Return `count` random bytes for each address, shape (addresses, count)."""
    steps = np.arange(-(-count // 8), dtype=np.uint64) * GOLDEN
    drawn = np.stack([mix(address + stream + step) for step in steps], axis=1).astype("<u8")
    return drawn.view(np.uint8).reshape(len(address), 8 * len(steps))[:, :count]


def identifiers(name: str, stream: np.uint64, address: Words) -> pa.Array:
    """Return an identifier for each address; a `uuid4` as RFC 9562 writes one (version 4, variant 8 to b)."""
    drawn = _bytes(stream, address, IDENTIFIERS[name])
    if name == "uuid4":
        drawn[:, 6] = 0x40 | (drawn[:, 6] & 0x0F)
        drawn[:, 8] = 0x80 | (drawn[:, 8] & 0x3F)
    letters = _HEX[drawn].view(np.uint8).reshape(len(address), 2 * drawn.shape[1])
    if name != "uuid4":
        return ascii_texts(letters)
    written = np.full((len(address), 36), ord("-"), dtype=np.uint8)
    for dashes, (first, stop) in enumerate(_GROUPS):
        written[:, first + dashes : stop + dashes] = letters[:, first:stop]
    return ascii_texts(written)
